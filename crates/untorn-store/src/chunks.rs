//! Which 128-byte chunks of a buffer changed: the unit in which XFS journals buffers.

use std::ops::Range;

/// Bytes a chunk (`XFS_BLF_CHUNK`).
pub const CHUNK: usize = 128;
/// Bytes compared at a time.
const GROUP: usize = 8 * CHUNK;

/// Chunks of the largest buffer, of 64 KiB.
const COUNT: usize = 512;

/// A set of chunks of one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    words: [u64; COUNT / 64],
}

impl Chunks {
    /// The chunks in which two images of one buffer differ.
    pub fn between(before: &[u8], after: &[u8]) -> Self {
        assert_eq!(before.len(), after.len(), "a buffer does not change its length");
        let mut chunks = Self::default();
        // Most of a buffer is as it was: larger pieces are compared first.
        for (group, (a, b)) in before.chunks(GROUP).zip(after.chunks(GROUP)).enumerate() {
            if a == b {
                continue;
            }
            let first = group * (GROUP / CHUNK);
            let (whole, last) = (a.as_chunks::<CHUNK>(), b.as_chunks::<CHUNK>());
            for (i, (a, b)) in whole.0.iter().zip(last.0).enumerate() {
                if a != b {
                    chunks.insert(first + i);
                }
            }
            if whole.1 != last.1 {
                chunks.insert(first + whole.0.len());
            }
        }
        chunks
    }

    /// Every chunk of a buffer of `length` bytes.
    pub fn all(length: usize) -> Self {
        let mut chunks = Self::default();
        (0..length.div_ceil(CHUNK)).for_each(|i| chunks.insert(i));
        chunks
    }

    fn insert(&mut self, chunk: usize) {
        assert!(chunk < COUNT, "metadata buffers are at most 64 KiB");
        self.words[chunk / 64] |= 1 << (chunk % 64);
    }

    /// Whether no chunk changed.
    pub fn is_empty(&self) -> bool {
        self.words == [0; COUNT / 64]
    }

    /// Adds the chunks of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words).for_each(|(a, b)| *a |= b);
    }

    /// Runs of neighbouring chunks as byte ranges, cut at `length`.
    pub fn runs(&self, length: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = self.first_from(next, 0)?;
            let end = self.first_from(start, u64::MAX).unwrap_or(COUNT);
            next = end;
            (start * CHUNK < length).then(|| start * CHUNK..(end * CHUNK).min(length))
        })
    }

    /// The first chunk from `from` on that is in the set or, with all bits set in `flip`, that is
    /// not.
    fn first_from(&self, from: usize, flip: u64) -> Option<usize> {
        let mut masked = u64::MAX << (from % 64);
        for (word, bits) in self.words.iter().enumerate().skip(from / 64) {
            let bits = (bits ^ flip) & masked;
            if bits != 0 {
                return Some(word * 64 + bits.trailing_zeros() as usize);
            }
            masked = u64::MAX;
        }
        None
    }

    /// Journal bytes of a buffer item that carries these chunks.
    pub(crate) fn cost(&self, length: usize) -> u64 {
        let header = 24 + 4 * length.div_ceil(CHUNK).div_ceil(32) as u64;
        let runs = self.runs(length).map(|run| run.len() as u64 + crate::item::OP_COST);
        header + crate::item::OP_COST + runs.sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_neighbours_and_stop_at_the_end() {
        let before = vec![0u8; 1000];
        let mut after = before.clone();
        (after[130], after[300], after[999]) = (1, 1, 1);
        let chunks = Chunks::between(&before, &after);
        let runs: Vec<_> = chunks.runs(1000).collect();
        assert_eq!(runs, [128..384, 896..1000]);
    }

    #[test]
    fn equal_images_have_no_changed_chunks() {
        assert!(Chunks::between(&[7; 512], &[7; 512]).is_empty());
        assert!(Chunks::all(65536).runs(65536).eq(std::iter::once(0..65536)));
    }
}
