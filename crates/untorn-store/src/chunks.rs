//! Which 128-byte chunks of a buffer changed: the unit in which XFS journals buffers.

use std::ops::Range;

/// Bytes a chunk (`XFS_BLF_CHUNK`).
pub const CHUNK: usize = 128;

/// A set of chunks of one buffer (at most 64 KiB, so at most 512 chunks).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    words: [u64; 8],
}

impl Chunks {
    /// The chunks in which two images of one buffer differ.
    pub fn between(before: &[u8], after: &[u8]) -> Self {
        assert_eq!(before.len(), after.len(), "a buffer does not change its length");
        let mut chunks = Self::default();
        for (i, (a, b)) in before.chunks(CHUNK).zip(after.chunks(CHUNK)).enumerate() {
            if a != b {
                chunks.insert(i);
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
        assert!(chunk < 512, "metadata buffers are at most 64 KiB");
        self.words[chunk / 64] |= 1 << (chunk % 64);
    }

    fn contains(&self, chunk: usize) -> bool {
        chunk < 512 && self.words[chunk / 64] >> (chunk % 64) & 1 == 1
    }

    /// Whether no chunk changed.
    pub fn is_empty(&self) -> bool {
        self.words == [0; 8]
    }

    /// Adds the chunks of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.words.iter_mut().zip(other.words).for_each(|(a, b)| *a |= b);
    }

    /// Runs of neighbouring chunks as byte ranges, cut at `length`.
    pub fn runs(&self, length: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let count = length.div_ceil(CHUNK);
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = (next..count).find(|&i| self.contains(i))?;
            let end = (start..count).find(|&i| !self.contains(i)).unwrap_or(count);
            next = end;
            Some(start * CHUNK..(end * CHUNK).min(length))
        })
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
