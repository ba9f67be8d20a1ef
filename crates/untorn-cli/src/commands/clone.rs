//! `untorn clone`: files that share their blocks with others.

use super::met::Met;
use super::mv::{inside, is_directory};
use crate::arguments::{Clone, VolumePath};
use crate::failure::{At, Code, End, Outcome, Refusal};
use crate::target;
use std::collections::HashMap;
use std::io::Write;
use untorn::{Make, Metadata, NewFile, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Clones a file, or with `-r` a tree: at once, whatever their sizes.
pub fn run(arguments: &Clone, out: &mut dyn Write) -> Outcome {
    let Clone { from, to, recursive, .. } = arguments;
    target::change(&arguments.image, out, "cloned", |volume, deeds| {
        let to = clone(volume, from, to, *recursive)?;
        deeds.add(from).with_path("to", &to);
        Ok(End::Well)
    })
}

/// Clones what is at `from` to `to`, or into it where it is a directory; the path of the clone.
fn clone(
    volume: &Volume,
    from: &VolumePath,
    to: &VolumePath,
    recursive: bool,
) -> anyhow::Result<VolumePath> {
    let to = match is_directory(volume, to) {
        true => inside(to, from)?,
        false => to.clone(),
    };
    if !recursive && is_directory(volume, from) {
        let told = format!("{from}: is a directory");
        let remedy = "clone it with `untorn clone -r`";
        return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
    }
    if lies_inside(volume, volume.lookup(from).at(from)?, &to)? {
        return Err(Refusal::new(Code::Invalid, format!("{to}: lies inside {from}")).into());
    }
    tree(volume, from, &to)?;
    Ok(to)
}

/// Whether a new name lies in `from`, a directory, or below it, whatever its path looks like.
pub(super) fn lies_inside(volume: &Volume, from: Ino, to: &VolumePath) -> anyhow::Result<bool> {
    let mut dir = volume.lookup(to.above()).at(to)?;
    let mut met = Met::default();
    while dir != from && dir != volume.root() {
        met.enter(dir)?;
        dir = volume.find_in(dir, "..").at(to)?;
    }
    Ok(dir == from)
}

fn tree(volume: &Volume, from: &VolumePath, to: &VolumePath) -> anyhow::Result<()> {
    // Links are cloned, not followed: what lies below is known by its number.
    let (mut met, mut seen) = (Met::default(), HashMap::new());
    let mut todo = vec![(from.clone(), to.clone(), volume.lookup(from).at(from)?)];
    while let Some((from, to, ino)) = todo.pop() {
        let found = volume.metadata_of(ino).at(&from)?;
        let inode = &found.inode;
        let new = NewFile { permissions: inode.mode & 0o7777, uid: inode.uid, gid: inode.gid };
        if let Some(&first) = seen.get(&ino) {
            volume.link(first, &to).at(&to)?;
            continue;
        }
        let made = match found.kind {
            FileKind::Directory => {
                met.enter(ino)?;
                // A slash behind the name of a new directory says no more than there is.
                let made = volume.create_dir(to.without_slashes(), new).at(&to)?;
                volume.make_alike(ino, made).at(&to)?;
                let below = volume.entries_of(ino).at(&from)?.into_iter();
                todo.extend(
                    below.map(|entry| (from.join(&entry.name), to.join(&entry.name), entry.ino)),
                );
                continue;
            }
            FileKind::Regular => volume.clone_file(&from, &to).at(&to)?.ino(),
            kind => {
                let target = match kind {
                    FileKind::Symlink => volume.link_target(ino).at(&from)?,
                    _ => Vec::new(),
                };
                let made = volume.make(&to, special(&found, &target), new).at(&to)?;
                volume.make_alike(ino, made).at(&to)?;
                made
            }
        };
        if inode.nlink > 1 {
            seen.insert(ino, made);
        }
    }
    Ok(())
}

/// What makes something that is neither file nor directory; `target` is that of a link.
pub(super) fn special<'t>(found: &Metadata, target: &'t [u8]) -> Make<'t> {
    let (major, minor) = found.device.unwrap_or_default();
    match found.kind {
        FileKind::Symlink => Make::Symlink(target),
        FileKind::CharDevice => Make::CharDevice(major, minor),
        FileKind::BlockDevice => Make::BlockDevice(major, minor),
        FileKind::Socket => Make::Socket,
        _ => Make::Fifo,
    }
}
