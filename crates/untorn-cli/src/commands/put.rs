//! `untorn put`: a whole file into the volume, in one commit where that was asked.

use crate::arguments::Put;
use crate::failure::{End, Outcome};
use crate::target;
use anyhow::{Context, ensure};
use std::fs;
use std::io::Read;
use untorn::{NewFile, Sync};

/// Most bytes that one commit takes.
const LARGEST: u64 = 1 << 30;

/// Reads all of the source, then replaces the file.
pub fn run(arguments: &Put) -> Outcome {
    let shown = || arguments.source.display().to_string();
    let source = fs::File::open(&arguments.source).with_context(shown)?;
    let mut bytes = Vec::new();
    source.take(LARGEST + 1).read_to_end(&mut bytes).with_context(shown)?;
    ensure!(
        bytes.len() as u64 <= LARGEST,
        "{}: has more than 1 GiB, the most that one commit takes here; nothing was written: write \
         it in pieces with `untorn write --offset`",
        shown()
    );
    let owner = &arguments.owner;
    let permissions = owner.mode.unwrap_or(0o644);
    let new = NewFile { permissions, uid: owner.uid, gid: owner.gid };
    target::write(&arguments.volume(), |volume| {
        volume.replace_file(&arguments.to.path, &bytes, new, Sync::Durable)?;
        Ok(())
    })?;
    Ok(End::Well)
}
