//! `untorn put`: a whole file into the volume, in one commit where that was asked.

use super::dangling;
use crate::arguments::Put;
use crate::failure::{Code, End, Outcome, Refusal};
use crate::target;
use anyhow::Context;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use untorn::{Error, File, NewMetadata, Sync, Volume};

/// Most bytes that one commit takes.
const LARGEST: u64 = 1 << 30;

/// Reads all of the source, then replaces the file.
pub fn run(arguments: &Put, out: &mut dyn Write) -> Outcome {
    let path = &arguments.to.path;
    let bytes = read(&arguments.source)?;
    target::change(&arguments.volume(), out, "put", |volume, deeds| {
        let end = dangling::end_of(volume, path)?;
        let new = arguments.owner.new_file(dangling::permissions(volume, &end, 0o666));
        let done = match (volume.open_file(&end), arguments.owner.change()) {
            (Ok(file), Some(change)) => replace_as(volume, file, &bytes, change),
            _ => volume.replace_file(&end, &bytes, new, Sync::Durable),
        };
        if let Err(Error::IsDirectory(_)) = done {
            let told = format!("{path}: is a directory");
            let remedy = "give the path that the file shall have in it";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        let file = dangling::named(done, path, &end)?;
        deeds.add(path).with("inode", file.ino().0).with("bytes", bytes.len());
        Ok(End::Well)
    })
}

/// A file that is there gets bytes, owner and permissions in one commit.
fn replace_as(
    volume: &Volume,
    file: File,
    bytes: &[u8],
    change: NewMetadata,
) -> untorn::Result<File> {
    let batch = volume.atomic().truncate(&file, 0).write(&file, 0, bytes);
    batch.set_metadata(&file, change).commit(Sync::Durable)?;
    Ok(file)
}

/// All bytes of the source; of standard input where it is `-`.
fn read(source: &Path) -> anyhow::Result<Vec<u8>> {
    let (name, input): (_, Box<dyn Read>) = match source.as_os_str() == "-" {
        true => ("standard input".to_owned(), Box::new(io::stdin().lock())),
        false => {
            let name = source.display().to_string();
            let file = fs::File::open(source).with_context(|| name.clone())?;
            (name, Box::new(file))
        }
    };
    let mut bytes = Vec::new();
    input.take(LARGEST + 1).read_to_end(&mut bytes).with_context(|| name.clone())?;
    if bytes.len() as u64 > LARGEST {
        let told = format!(
            "{name}: has more than 1 GiB, the most that one commit takes here; nothing was written"
        );
        let remedy = "write it in pieces with `untorn write --offset`";
        return Err(Refusal::new(Code::TooLarge, told).or(remedy).into());
    }
    Ok(bytes)
}
