//! Repeatable chance: numbers that look random and are the same for the same seed, on every machine
//! and for ever, so that a failure can be told by its seed.
//!
//! Never here: cryptography.

/// A stream of numbers from a seed (SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of `seed` at place number `place`: near numbers give unlike streams.
    pub fn at(seed: u64, place: u64) -> Self {
        let mut outer = Self::new(seed);
        Self::new(outer.roll() ^ Self::new(place).roll())
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "no number is below zero");
        let wide = u128::from(self.roll()) * u128::from(limit);
        (wide >> 64) as u64
    }

    /// True `times` times in `of`.
    pub fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// One of the items, of which there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// `length` random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills memory with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.roll().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn one_seed_gives_one_stream() {
        assert_eq!(Dice::new(7).bytes(100), Dice::new(7).bytes(100));
        assert_ne!(Dice::new(7).bytes(100), Dice::new(8).bytes(100));
    }

    #[test]
    fn every_number_below_the_bound_comes_up() {
        let mut dice = Dice::new(1);
        let mut seen = [0; 7];
        (0..7000).for_each(|_| seen[dice.below(7) as usize] += 1);
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
    }
}
