//! Inputs out of a seed.

/// Inputs that look random, every other one made of what the corpus has.
pub struct Inputs<'c> {
    /// State of a generator (splitmix64).
    state: u64,
    longest: usize,
    corpus: &'c [Vec<u8>],
}

impl<'c> Inputs<'c> {
    /// Inputs of up to `longest` bytes: the same for the same seed and corpus.
    pub fn new(seed: u64, longest: usize, corpus: &'c [Vec<u8>]) -> Self {
        Self { state: seed, longest, corpus }
    }

    /// The next one.
    pub fn next(&mut self) -> Vec<u8> {
        match self.below(2) {
            0 => self.fresh(),
            _ => self.changed(),
        }
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    fn fresh(&mut self) -> Vec<u8> {
        let length = self.below(self.longest);
        (0..length).map(|_| self.number() as u8).collect()
    }

    /// One of the corpus with up to four changes.
    fn changed(&mut self) -> Vec<u8> {
        let mut input = self.kept().to_vec();
        for _ in 0..1 + self.below(4) {
            self.change(&mut input);
        }
        input.truncate(self.longest);
        input
    }

    fn kept(&mut self) -> &'c [u8] {
        let corpus = self.corpus;
        &corpus[self.below(corpus.len())]
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        match self.below(5) {
            0 => input.insert(at, self.number() as u8),
            1 => {
                // What is left goes on as another does from the same place.
                let rest = self.kept().get(at..).unwrap_or_default();
                input.truncate(at);
                input.extend_from_slice(rest);
            }
            _ if input.is_empty() => {}
            2 => drop(input.remove(at)),
            3 => input[at] ^= 1 << self.below(8),
            _ => input[at] = self.number() as u8,
        }
    }
}
