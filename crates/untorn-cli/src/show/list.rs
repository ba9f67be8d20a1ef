//! Lists of files.

use super::{amount, mode, name_bytes, time};
use crate::arguments::{Ls, VolumePath};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, Write};
use untorn::Metadata;
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// A name and what it names.
pub struct Entry {
    /// The name.
    pub name: Vec<u8>,
    /// The inode.
    pub ino: Ino,
    /// What is known of it; nothing where it cannot be read.
    pub known: Option<Known>,
}

/// What is known of an inode.
pub struct Known {
    /// What it says of itself.
    pub metadata: Metadata,
    /// Where a symbolic link leads.
    pub target: Option<Vec<u8>>,
    /// The mode of what it leads to, where that was asked and is there.
    pub there: Option<u16>,
    /// What stands behind the permissions: + of those that have access lists, or nothing.
    pub more: &'static str,
}

/// A directory's entries, or the one file that was asked for.
#[derive(Serialize)]
pub struct Listing {
    /// The path that was asked for.
    #[serde(flatten)]
    pub path: VolumePath,
    /// Whether it is a directory.
    #[serde(rename = "directory")]
    pub is_directory: bool,
    /// In order.
    pub entries: Vec<Entry>,
}

impl Entry {
    /// Whether it is known to be a directory.
    pub fn is_directory(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.metadata.kind == FileKind::Directory)
    }

    fn mode(&self) -> Option<u16> {
        self.known.as_ref().map(|known| known.metadata.inode.mode)
    }

    /// Whether it is one of the two that every directory has.
    pub fn is_dots(&self) -> bool {
        matches!(self.name.as_slice(), b"." | b"..")
    }
}

/// The order that was asked for.
pub fn sort(entries: &mut [Entry], asked: &Ls) {
    let changed = |entry: &Entry| {
        let mtime = entry.known.as_ref().map(|known| known.metadata.inode.mtime);
        Reverse(mtime.map(|time| (time.seconds, time.nanos)))
    };
    let size = |entry: &Entry| Reverse(entry.known.as_ref().map(|k| k.metadata.inode.size));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if asked.newest {
        entries.sort_by_key(changed);
    } else if asked.largest {
        entries.sort_by_key(size);
    }
    if asked.reverse {
        entries.reverse();
    }
}

/// The letter that stands behind the name of a file of this mode.
fn mark(mode: u16) -> &'static str {
    match FileKind::of(mode) {
        Some(FileKind::Directory) => "/",
        Some(FileKind::Symlink) => "@",
        Some(FileKind::Fifo) => "|",
        Some(FileKind::Socket) => "=",
        Some(FileKind::Regular) if mode & 0o111 != 0 => "*",
        _ => "",
    }
}

/// A line for each entry: its name, or as much as was asked for.
pub fn lines(out: &mut dyn Write, asked: &Ls, entries: &[Entry]) -> io::Result<()> {
    let inodes = entries.iter().map(|entry| entry.ino.0.to_string());
    let inodes: Vec<String> = inodes.collect();
    let width = inodes.iter().map(String::len).max().unwrap_or(0);
    let rows: Vec<[String; 5]> = entries.iter().map(|entry| numbers(entry, asked)).collect();
    let mut widths = [0; 5];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.len().max(*width));
    }
    for ((entry, row), inode) in entries.iter().zip(&rows).zip(&inodes) {
        if asked.inode {
            write!(out, "{inode:>width$} ")?;
        }
        match asked.is_long() {
            true => long(out, asked, entry, row, widths)?,
            false => asked.ends.write(out, &marked(&entry.name, entry.mode(), asked))?,
        }
    }
    Ok(())
}

/// Kind and permissions, links, owner, group, size or device, time, name, target.
fn long(
    out: &mut dyn Write,
    asked: &Ls,
    entry: &Entry,
    [mode, links, uid, gid, size]: &[String; 5],
    [m, a, b, c, d]: [usize; 5],
) -> io::Result<()> {
    let core = entry.known.as_ref().map(|known| &known.metadata.inode);
    let time = core.map_or_else(|| format!("{:>16}", "?"), |c| time::to_the_minute(c.mtime));
    write!(out, "{mode:<m$} {links:>a$} {uid:>b$} {gid:>c$} {size:>d$} {time} ")?;
    match entry.known.as_ref().and_then(|known| known.target.as_ref()) {
        Some(target) => {
            let there = entry.known.as_ref().and_then(|known| known.there);
            let name = [&entry.name, &b" -> "[..], target].concat();
            asked.ends.write(out, &marked(&name, there, asked))
        }
        None => asked.ends.write(out, &marked(&entry.name, entry.mode(), asked)),
    }
}

fn marked<'a>(name: &'a [u8], mode: Option<u16>, asked: &Ls) -> Cow<'a, [u8]> {
    match mode.filter(|_| asked.classify).map(mark) {
        None | Some("") => name.into(),
        Some(mark) => [name, mark.as_bytes()].concat().into(),
    }
}

/// Kind and permissions, links, owner, group, size or device.
fn numbers(entry: &Entry, asked: &Ls) -> [String; 5] {
    let Some(Known { metadata, more, .. }) = &entry.known else {
        return ["??????????", "?", "?", "?", "?"].map(str::to_owned);
    };
    let core = &metadata.inode;
    let size = match metadata.device {
        Some((major, minor)) => format!("{major}, {minor}"),
        None if asked.human.human => amount::human(core.size),
        None => core.size.to_string(),
    };
    let mode = mode::mode(core.mode) + more;
    [mode, core.nlink.to_string(), core.uid.to_string(), core.gid.to_string(), size]
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("name", &String::from_utf8_lossy(&self.name))?;
        if let Some(bytes) = name_bytes(&self.name) {
            out.serialize_entry("name_bytes", &bytes)?;
        }
        out.serialize_entry("inode", &self.ino.0)?;
        let Some(Known { metadata, target, more, .. }) = &self.known else { return out.end() };
        let core = &metadata.inode;
        out.serialize_entry("kind", mode::kind(metadata.kind))?;
        out.serialize_entry("mode", &format!("{:04o}", core.mode & 0o7777))?;
        out.serialize_entry("access_list", &!more.is_empty())?;
        out.serialize_entry("links", &core.nlink)?;
        out.serialize_entry("uid", &core.uid)?;
        out.serialize_entry("gid", &core.gid)?;
        out.serialize_entry("size", &core.size)?;
        out.serialize_entry("device", &metadata.device)?;
        out.serialize_entry("modified", &time::machine(core.mtime))?;
        let target = target.as_deref();
        out.serialize_entry("target", &target.map(String::from_utf8_lossy))?;
        if let Some(bytes) = target.and_then(name_bytes) {
            out.serialize_entry("target_bytes", &bytes)?;
        }
        out.end()
    }
}
