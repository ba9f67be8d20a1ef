//! `untorn write`: bytes into a file, whole or not at all where that was asked.

use super::dangling;
use crate::arguments::{VolumePath, Write as Arguments};
use crate::failure::{self, At, Code, End, Outcome, Refusal};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::fs;
use std::io::{self, Read, Write};
use untorn::{Capabilities, Error, File, NewMetadata, Sync, Volume};

/// Most bytes that one atomic write takes.
const LARGEST: u64 = 1 << 30;
/// Bytes of a plain write at a time.
const PIECE: u64 = 1 << 20;

/// What was done.
#[derive(Debug, Serialize)]
struct Done {
    #[serde(flatten)]
    path: VolumePath,
    inode: u64,
    created: bool,
    offset: u64,
    bytes: u64,
    atomic: bool,
    durable: bool,
    size: u64,
}

/// Writes the input and closes the volume again.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Outcome {
    let mut input: Box<dyn Read> = match &arguments.input {
        None => Box::new(io::stdin().lock()),
        Some(path) => Box::new(fs::File::open(path).with_context(|| path.display().to_string())?),
    };
    // All of it, before the volume is touched.
    let whole = match arguments.atomic {
        true => Some(read_whole(&mut input)?),
        false => None,
    };
    let done = target::write(&arguments.volume(), |volume| {
        let (file, made) = open(volume, arguments)?;
        // A file that is made has it from the start.
        let change = match made {
            None => change(volume, &file, arguments)?,
            Some(_) => None,
        };
        let (offset, bytes) = match &whole {
            Some(bytes) => {
                let done = atomic(volume, &file, (arguments, change), bytes);
                done.inspect_err(|_| take_back(volume, made.as_ref()))?
            }
            None => {
                // Before any byte: one that others shall not read is never there for them.
                if let Some(change) = change {
                    volume.set_metadata_of(file.ino(), &change).at(&arguments.path)?;
                }
                plain(&file, arguments, &mut input).inspect_err(|_| {
                    let untouched = file.size().is_ok_and(|size| size == 0);
                    take_back(volume, made.as_ref().filter(|_| untouched));
                })?
            }
        };
        let created = made.is_some();
        let (path, size) = (arguments.path.clone(), file.size()?);
        let (atomic, durable) = (arguments.atomic, arguments.sync);
        Ok(Done { path, inode: file.ino().0, created, offset, bytes, atomic, durable, size })
    })?;
    tell(arguments, &done, out)?;
    Ok(End::Well)
}

/// What changes beside the bytes of a file that is there.
fn change(
    volume: &Volume,
    file: &File,
    arguments: &Arguments,
) -> anyhow::Result<Option<NewMetadata>> {
    let may_have = volume.metadata_of(file.ino()).at(&arguments.path)?.inode.has_attr_fork();
    let asked = arguments.owner.change();
    let change = asked.or_else(|| may_have.then(NewMetadata::default));
    Ok(change.map(|change| NewMetadata { capabilities: Capabilities::Dropped, ..change }))
}

fn read_whole(input: &mut dyn Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LARGEST + 1).read_to_end(&mut bytes).context("reading the input")?;
    if bytes.len() as u64 > LARGEST {
        let told = "the input has more than 1 GiB, the most that one atomic write takes here; \
                    nothing was written";
        let remedy = "write it in pieces with --offset";
        return Err(Refusal::new(Code::TooLarge, told).or(remedy).into());
    }
    Ok(bytes)
}

/// The file; where it did not exist it is made, under the path that comes with it.
fn open(volume: &Volume, arguments: &Arguments) -> anyhow::Result<(File, Option<VolumePath>)> {
    match volume.open_file(&arguments.path) {
        Ok(file) => Ok((file, None)),
        Err(Error::NotFound(_)) => {
            let new = |permissions| arguments.owner.new_file(permissions);
            let (file, path) = dangling::create(volume, &arguments.path, new)?;
            Ok((file, Some(path)))
        }
        Err(error) => Err(error).at(&arguments.path),
    }
}

/// Whole or not at all: a file that was made for a write that failed goes again.
fn take_back(volume: &Volume, made: Option<&VolumePath>) {
    if let Some(path) = made
        && let Err(error) = volume.remove(path)
    {
        let told = format!("{path} stays, empty: {error}");
        failure::warn(Code::Failed, told);
    }
}

fn sync(arguments: &Arguments) -> Sync {
    if arguments.sync { Sync::Durable } else { Sync::Visible }
}

/// In one commit, owner and permissions with the bytes. Nobody else has the volume, so a file's end
/// stays where it is until then.
fn atomic(
    volume: &Volume,
    file: &File,
    (arguments, change): (&Arguments, Option<NewMetadata>),
    bytes: &[u8],
) -> anyhow::Result<(u64, u64)> {
    let offset = if arguments.append { file.size()? } else { arguments.offset };
    let sync = sync(arguments);
    let done = match change {
        Some(change) => {
            volume.atomic().write(file, offset, bytes).set_metadata(file, change).commit(sync)
        }
        None => file.write_atomic(offset, bytes, sync),
    };
    done.at(&arguments.path)?;
    Ok((offset, bytes.len() as u64))
}

/// Piece by piece; one sync at the end.
fn plain(file: &File, arguments: &Arguments, input: &mut dyn Read) -> anyhow::Result<(u64, u64)> {
    let start = if arguments.append { file.size()? } else { arguments.offset };
    let (mut at, mut piece) = (start, Vec::new());
    loop {
        piece.clear();
        input.take(PIECE).read_to_end(&mut piece).context("reading the input")?;
        if piece.is_empty() {
            break;
        }
        let written = at - start;
        let done = file.write_at(at, &piece, Sync::Visible).at(&arguments.path);
        match written {
            0 => done?,
            _ => {
                done.with_context(|| format!("{written} bytes were written, then one more piece"))?
            }
        }
        at += piece.len() as u64;
    }
    if arguments.sync {
        file.sync()?;
    }
    Ok((start, at - start))
}

fn tell(arguments: &Arguments, done: &Done, out: &mut dyn Write) -> anyhow::Result<()> {
    if show::is_json() {
        return show::json(out, done);
    }
    if arguments.verbose {
        let Done { path, inode, offset, bytes, size, .. } = done;
        let how = if done.atomic { "in one commit" } else { "in place where that could be" };
        let new = if done.created { ", made now" } else { "" };
        writeln!(
            out,
            "{path} (inode {inode}{new}): {bytes} bytes written at byte {offset} {how}; size {size}"
        )?;
    }
    Ok(())
}
