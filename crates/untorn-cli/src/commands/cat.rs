//! `untorn cat`: a file's bytes to standard output, a piece at a time.

use super::operands;
use crate::arguments::{Cat, VolumePath};
use crate::failure::{At, Outcome};
use crate::target;
use std::io::Write;
use untorn::{File, Volume};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Writes the files to `out`, one after the other.
pub fn run(arguments: &Cat, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    operands::each(&arguments.paths, |path| copy(&volume, path, out))
}

fn copy(volume: &Volume, path: &VolumePath, out: &mut dyn Write) -> anyhow::Result<()> {
    let file: File = volume.open_file(path).at(path)?;
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        let count = file.read_at(offset, &mut piece).at(path)?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        out.write_all(bytes)?;
        offset += count as u64;
    }
}
