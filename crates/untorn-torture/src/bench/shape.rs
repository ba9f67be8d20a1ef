//! Files and volumes in pieces, made by public calls.

use anyhow::Result;
use untorn::{File, NewFile, SizeRule, Volume};

/// Block size of all volumes here.
pub(super) const BLOCK: u64 = 4096;

/// A file of `extents` unwritten extents of one block each, with holes between them.
pub(super) fn scattered(volume: &Volume, path: &str, extents: u64) -> Result<File> {
    let file = volume.create_file(path, NewFile::default())?;
    for number in 0..extents {
        let start = number * 2 * BLOCK;
        file.allocate(start..start + BLOCK, SizeRule::Grow)?;
    }
    file.sync()?;
    Ok(file)
}

/// Makes `extents` free extents of one block each: in the blocks of one file, every second.
pub(super) fn shatter(volume: &Volume, path: &str, extents: u64) -> Result<File> {
    let file = volume.create_file(path, NewFile::default())?;
    file.allocate(0..extents * 2 * BLOCK, SizeRule::Grow)?;
    for number in 0..extents {
        let start = number * 2 * BLOCK;
        file.punch_hole(start..start + BLOCK)?;
    }
    file.sync()?;
    Ok(file)
}
