//! Extent lists inside an inode.

use untorn_format::Fault;
use untorn_format::records::Extent;

/// Decodes the first `count` records of a fork; order and overlap are checked.
pub(super) fn decode(fork: &[u8], count: u64) -> Result<Vec<Extent>, Fault> {
    const WHAT: &str = "extent list";
    let have = fork.len() / Extent::SIZE;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > have {
        return Err(Fault::Short { what: WHAT, have, need: count });
    }
    let mut records = Vec::<Extent>::with_capacity(count);
    for (index, bytes) in fork.chunks_exact(Extent::SIZE).take(count).enumerate() {
        let record = Extent::decode(bytes)?;
        if records.last().is_some_and(|last| last.file_end() > record.file) {
            let index = index.saturating_sub(1);
            return Err(Fault::Order { what: WHAT, rule: "extents overlap", index });
        }
        records.push(record);
    }
    Ok(records)
}

/// Writes `records` to a fork that has room for them, zeroes behind.
pub(super) fn encode(records: &[Extent], fork: &mut [u8]) {
    fork.fill(0);
    assert!(records.len() * Extent::SIZE <= fork.len(), "the list fits the fork");
    for (place, record) in fork.chunks_exact_mut(Extent::SIZE).zip(records) {
        place.copy_from_slice(&record.encode());
    }
}

/// Records that a fork of `bytes` bytes has room for.
pub(super) fn capacity(bytes: usize) -> usize {
    bytes / Extent::SIZE
}
