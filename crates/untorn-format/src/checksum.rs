//! The CRC32c that every v5 metadata structure carries: computed with its own field as zero and
//! stored little-endian, alone among the fields of XFS.

use crate::fault::Fault;
use crate::units::Lsn;

/// Where a structure keeps its checksum and LSN, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealAt {
    /// Offset of the 4-byte checksum.
    pub crc: usize,
    /// Offset of the 8-byte LSN; `None` where the structure has none.
    pub lsn: Option<usize>,
}

/// The checksum of `bytes` with the four bytes at `at` taken as zero; `None` where `at` lies
/// outside.
pub fn crc(bytes: &[u8], at: usize) -> Option<u32> {
    let before = bytes.get(..at)?;
    let after = bytes.get(at.checked_add(4)?..)?;
    let crc = crc32c::crc32c(before);
    Some(crc32c::crc32c_append(crc32c::crc32c_append(crc, &[0; 4]), after))
}

/// The checksum stored at `at`.
pub fn stored(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// Checks the checksum of `bytes` stored at `at`.
pub fn check(what: &'static str, bytes: &[u8], at: usize) -> Result<(), Fault> {
    let short = Fault::Short { what, have: bytes.len(), need: at.saturating_add(4) };
    let computed = crc(bytes, at).ok_or(short.clone())?;
    let found = stored(bytes, at).ok_or(short)?;
    if found == computed { Ok(()) } else { Err(Fault::Checksum { what, found, computed }) }
}

/// Stamps the checksum of `bytes` at `at`. The bytes are ours: a buffer too short for its own kind
/// is our mistake.
pub fn stamp(bytes: &mut [u8], at: usize) {
    let value = crc(bytes, at);
    assert!(value.is_some(), "sealing {} bytes with a checksum at {at}", bytes.len());
    if let (Some(value), Some(field)) = (value, bytes.get_mut(at..at + 4)) {
        field.copy_from_slice(&value.to_le_bytes());
    }
}

/// Stamps `lsn` and then the checksum.
pub fn seal(bytes: &mut [u8], at: SealAt, lsn: Lsn) {
    if let Some(offset) = at.lsn {
        let field = bytes.get_mut(offset..offset + 8);
        assert!(field.is_some(), "sealing with an LSN at {offset} past the end");
        if let Some(field) = field {
            field.copy_from_slice(&lsn.0.to_be_bytes());
        }
    }
    stamp(bytes, at.crc);
}

/// Checks that `lsn` does not lie ahead of `newest`. All ones is the mark of a structure that was
/// written outside the log and is always let pass.
pub fn check_lsn(what: &'static str, lsn: u64, newest: Option<Lsn>) -> Result<(), Fault> {
    match newest {
        Some(newest) if lsn != u64::MAX && lsn > newest.0 => {
            Err(Fault::Ahead { what, lsn: Lsn(lsn) })
        }
        _ => Ok(()),
    }
}
