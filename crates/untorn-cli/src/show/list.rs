//! Lists of files.

use super::{mode, name_bytes, printable, time};
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
    pub path: Vec<u8>,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// In order.
    pub entries: Vec<Entry>,
}

/// One name a line.
pub fn short(out: &mut dyn Write, entries: &[Entry]) -> io::Result<()> {
    entries.iter().try_for_each(|entry| writeln!(out, "{}", printable(&entry.name)))
}

/// Kind and permissions, links, owner, group, size or device, time, name, target.
pub fn long(out: &mut dyn Write, entries: &[Entry]) -> io::Result<()> {
    let rows: Vec<[String; 4]> = entries.iter().map(numbers).collect();
    let mut widths = [0; 4];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.len().max(*width));
    }
    let [a, b, c, d] = widths;
    for (entry, [links, uid, gid, size]) in entries.iter().zip(&rows) {
        let core = &entry.metadata.inode;
        let (mode, time) = (mode::mode(core.mode), time::to_the_minute(core.mtime));
        let name = printable(&entry.name);
        write!(out, "{mode} {links:>a$} {uid:>b$} {gid:>c$} {size:>d$} {time} {name}")?;
        match &entry.target {
            Some(target) => writeln!(out, " -> {}", printable(target))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn numbers(entry: &Entry) -> [String; 4] {
    let core = &entry.metadata.inode;
    let size = match entry.metadata.device {
        Some((major, minor)) => format!("{major}, {minor}"),
        None => core.size.to_string(),
    };
    [core.nlink.to_string(), core.uid.to_string(), core.gid.to_string(), size]
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Listing", 3)?;
        out.serialize_field("path", &printable(&self.path))?;
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
