//! Lists of files.

use super::{amount, mode, name_bytes, time};
use crate::arguments::{Ls, VolumePath};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::io::{self, Write};
use untorn::Metadata;

/// A name and what it names.
pub struct Entry {
    /// The name.
    pub name: Vec<u8>,
    /// What is known of the inode.
    pub metadata: Metadata,
    /// Where a symbolic link leads.
    pub target: Option<Vec<u8>>,
}

/// A directory's entries, or the one file that was asked for.
pub struct Listing {
    /// The path that was asked for.
    pub path: VolumePath,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// In order.
    pub entries: Vec<Entry>,
}

/// A line for each entry: its name, or as much as was asked for.
pub fn lines(out: &mut dyn Write, asked: &Ls, entries: &[Entry]) -> io::Result<()> {
    let inodes = entries.iter().map(|entry| entry.metadata.inode.ino.0.to_string());
    let inodes: Vec<String> = inodes.collect();
    let width = inodes.iter().map(String::len).max().unwrap_or(0);
    let rows: Vec<[String; 4]> = entries.iter().map(|entry| numbers(entry, asked)).collect();
    let mut widths = [0; 4];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.len().max(*width));
    }
    for ((entry, row), inode) in entries.iter().zip(&rows).zip(&inodes) {
        if asked.inode {
            write!(out, "{inode:>width$} ")?;
        }
        match asked.long {
            true => long(out, asked, entry, row, widths)?,
            false => asked.ends.write(out, &entry.name)?,
        }
    }
    Ok(())
}

/// Kind and permissions, links, owner, group, size or device, time, name, target.
fn long(
    out: &mut dyn Write,
    asked: &Ls,
    entry: &Entry,
    [links, uid, gid, size]: &[String; 4],
    [a, b, c, d]: [usize; 4],
) -> io::Result<()> {
    let core = &entry.metadata.inode;
    let (mode, time) = (mode::mode(core.mode), time::to_the_minute(core.mtime));
    write!(out, "{mode} {links:>a$} {uid:>b$} {gid:>c$} {size:>d$} {time} ")?;
    match &entry.target {
        Some(target) => asked.ends.write(out, &[&entry.name, &b" -> "[..], target].concat()),
        None => asked.ends.write(out, &entry.name),
    }
}

fn numbers(entry: &Entry, asked: &Ls) -> [String; 4] {
    let core = &entry.metadata.inode;
    let size = match entry.metadata.device {
        Some((major, minor)) => format!("{major}, {minor}"),
        None if asked.human.human => amount::human(core.size),
        None => core.size.to_string(),
    };
    [core.nlink.to_string(), core.uid.to_string(), core.gid.to_string(), size]
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Listing", 4)?;
        out.serialize_field("path", &String::from_utf8_lossy(self.path.as_ref()))?;
        out.serialize_field("path_bytes", &name_bytes(self.path.as_ref()))?;
        out.serialize_field("directory", &self.is_directory)?;
        out.serialize_field("entries", &self.entries)?;
        out.end()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let core = &self.metadata.inode;
        let target = self.target.as_deref();
        let mut out = serializer.serialize_struct("Entry", 12)?;
        out.serialize_field("name", &String::from_utf8_lossy(&self.name))?;
        out.serialize_field("name_bytes", &name_bytes(&self.name))?;
        out.serialize_field("inode", &core.ino.0)?;
        out.serialize_field("kind", mode::kind(self.metadata.kind))?;
        out.serialize_field("mode", &format!("{:04o}", core.mode & 0o7777))?;
        out.serialize_field("links", &core.nlink)?;
        out.serialize_field("uid", &core.uid)?;
        out.serialize_field("gid", &core.gid)?;
        out.serialize_field("size", &core.size)?;
        out.serialize_field("device", &self.metadata.device)?;
        out.serialize_field("modified", &time::machine(core.mtime))?;
        out.serialize_field("target", &target.map(String::from_utf8_lossy))?;
        out.end()
    }
}
