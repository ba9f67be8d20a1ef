//! Input bytes as numbers, and as edits of a buffer.

/// Bytes that are read from the front. Zeroes follow their end.
pub(crate) struct Script<'i> {
    rest: &'i [u8],
}

/// Numbers that code is likely to treat in a way of its own.
const EDGES: [u64; 20] = [
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    63,
    64,
    0x7f,
    0xff,
    0x1000,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// Bytes of a block in which most of what describes it lies.
const HEAD: usize = 128;

impl<'i> Script<'i> {
    pub(crate) fn new(input: &'i [u8]) -> Self {
        Self { rest: input }
    }

    /// Whether all was read.
    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((&first, rest)) => {
                self.rest = rest;
                first
            }
            None => 0,
        }
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn long(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        match limit {
            0..=0x100 => usize::from(self.byte()) % limit.max(1),
            _ => usize::from(self.word()) % limit,
        }
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'i [u8] {
        std::mem::take(&mut self.rest)
    }

    fn place(&mut self, length: usize) -> usize {
        match self.byte() < 0x90 {
            true => self.below(HEAD.min(length)),
            false => self.below(length),
        }
    }

    fn number(&mut self) -> u64 {
        match self.byte() {
            choice @ 0..0xc0 => EDGES[usize::from(choice) % EDGES.len()],
            _ => self.long(),
        }
    }

    /// Changes something of `bytes`.
    pub(crate) fn edit(&mut self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        let choice = self.byte();
        let at = self.place(bytes.len());
        match choice % 8 {
            0 => bytes[at] = self.byte(),
            1 => put(bytes, at, &(self.number() as u16).to_be_bytes()),
            2 => put(bytes, at, &(self.number() as u32).to_be_bytes()),
            3 => put(bytes, at, &self.number().to_be_bytes()),
            4 => bytes[at] ^= 1 << (self.byte() % 8),
            5 => self.copy(bytes, at),
            6 => bytes[at] = bytes[at].wrapping_add(self.byte() % 17).wrapping_sub(8),
            _ => {
                let end = bytes.len().min(at + 1 + usize::from(self.byte() % 64));
                bytes[at..end].fill(if choice & 8 == 0 { 0 } else { 0xff });
            }
        }
    }

    fn copy(&mut self, bytes: &mut [u8], to: usize) {
        let from = self.place(bytes.len());
        let length = (1 + usize::from(self.byte() % 64)).min(bytes.len() - from.max(to));
        bytes.copy_within(from..from + length, to);
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    // Fields lie at multiples of their size, mostly.
    let at = at / value.len() * value.len();
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}
