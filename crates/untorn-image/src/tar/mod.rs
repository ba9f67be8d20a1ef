//! Trees from tar archives: ustar, GNU and pax, with long names, sparse files, extended attributes,
//! access lists, hard links and devices.
//!
//! An archive is looked through before anything is written. It may come from anybody: names that
//! lead out of the tree, links to what is not in it, sizes that the archive does not have, and
//! whatever else contradicts itself is refused with the entry's name. The bytes of files stay where
//! they are until they are needed. As everywhere with tar, a later entry of a name replaces an
//! earlier one.
//!
//! Never here: compression.

mod entry;
mod pax;
mod sparse;

use crate::contents::{Contents, Run};
use crate::error::{Error, Result, at_host, entry, shown};
use crate::tree::{Tree, What};
use entry::{Entry, Kind};
use pax::{Pax, Said};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use tar::Header;

/// Bytes of a header, and what everything is padded to.
const BLOCK: u64 = 512;
/// Most bytes of a long name or of extended headers.
const MOST_EXTENDED: u64 = 16 << 20;
/// Beginnings of what is compressed, and what undoes it.
const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "zcat"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstdcat"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xzcat"),
    (b"BZh", "bzcat"),
];

/// Copies a stream into a file without a name in the folder `scratch`: archives are read twice.
pub fn spool(mut stream: impl Read, scratch: &Path) -> Result<File> {
    let mut file = tempfile::tempfile_in(scratch).map_err(at_host(scratch))?;
    io::copy(&mut stream, &mut file).map_err(at_host(scratch))?;
    Ok(file)
}

impl Tree {
    /// Puts all that is in a tar archive, which messages call `name`, into the tree.
    pub fn add_tar(&mut self, archive: File, name: &str) -> Result<()> {
        let length = archive.metadata().map_err(at_host(name.as_ref()))?.len();
        let archive = Arc::new(archive);
        let mut scan = Scan { archive, length, at: 0, name };
        scan.demand_plain()?;
        let mut global = Pax::default();
        let mut before = Before::default();
        if length == 0 {
            return entry(name.as_bytes(), "is empty, not even an archive of nothing");
        }
        while let Some(found) = scan.next()? {
            let kind = found.header.entry_type().as_byte();
            match kind {
                b'g' => global.read_global(&scan.extended(&found)?, name)?,
                b'x' | b'X' => before.pax.read(&scan.extended(&found)?, name)?,
                b'L' => before.name = Some(until_zero(scan.extended(&found)?)),
                b'K' => before.link = Some(until_zero(scan.extended(&found)?)),
                // The label of an archive, which has no contents; GNU tar does not say so.
                b'V' => {
                    scan.skip(&found, found.header.entry_size().unwrap_or(0), name.as_bytes())?
                }
                _ => {
                    let Before { pax, name, link } = std::mem::take(&mut before);
                    let said = Said { own: &pax, global: &global };
                    let entry = Entry::new(&found, said, name, link);
                    self.add_entry(&mut scan, &entry)?;
                }
            }
        }
        match before.is_nothing() {
            true => Ok(()),
            false => {
                entry(name.as_bytes(), "is cut off: it ends before the entry that it tells of")
            }
        }
    }

    fn add_entry(&mut self, scan: &mut Scan<'_>, entry: &Entry<'_>) -> Result<()> {
        let path = demand_relative(&entry.name, &entry.name)?;
        let what = match entry.kind()? {
            Kind::File => What::File(scan.file(entry)?),
            Kind::Link => {
                let target = demand_relative(&entry.link, &entry.name)?;
                let Some(id) = self.find(target) else {
                    let target = shown(&entry.link);
                    return refuse(entry, format!("is a link to {target}, which is not before it"));
                };
                let size = if entry.said.own.is_empty() { 0 } else { entry.size()? };
                scan.skip(entry.found, size, &entry.name)?;
                return self.link(id, path).map_err(|error| named(entry, error));
            }
            Kind::Symlink if entry.link.is_empty() => {
                return refuse(entry, "is a symbolic link to nothing");
            }
            Kind::Symlink => What::Symlink(entry.link.clone()),
            Kind::CharDevice(major, minor) => What::CharDevice(major, minor),
            Kind::BlockDevice(major, minor) => What::BlockDevice(major, minor),
            Kind::Directory => {
                // GNU's incremental archives list there what the directory held.
                if entry.found.header.entry_type().as_byte() == b'D' {
                    scan.skip(entry.found, entry.size()?, &entry.name)?;
                }
                What::Directory(BTreeMap::new())
            }
            Kind::Fifo => What::Fifo,
        };
        let item = entry.item(what)?;
        self.put(path, item).map_err(|error| named(entry, error))?;
        Ok(())
    }
}

/// What precedes an entry and belongs to it.
#[derive(Default)]
struct Before {
    pax: Pax,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Before {
    fn is_nothing(&self) -> bool {
        self.pax.is_empty() && self.name.is_none() && self.link.is_none()
    }
}

/// A header and where it was.
struct Found {
    header: Header,
    /// First byte behind it.
    data: u64,
}

impl Found {
    fn size(&self, name: &str) -> Result<u64> {
        let size = self.header.entry_size();
        size.or_else(|_| {
            let at = self.data.saturating_sub(BLOCK);
            let what = format!("the header at byte {at} has a size that is no number");
            entry(name.as_bytes(), format!("{what}: the archive is damaged"))
        })
    }
}

/// The way through an archive.
struct Scan<'n> {
    archive: Arc<File>,
    length: u64,
    at: u64,
    name: &'n str,
}

impl Scan<'_> {
    fn demand_plain(&self) -> Result<()> {
        let mut start = [0; 6];
        let count = self.archive.read_at(&mut start, 0).map_err(at_host(self.name.as_ref()))?;
        let start = &start[..count];
        match COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic)) {
            None => Ok(()),
            Some((_, tool)) => Err(Error::Compressed { name: self.name.to_owned(), tool }),
        }
    }

    /// The next header; `None` at the end.
    fn next(&mut self) -> Result<Option<Found>> {
        if self.at >= self.length {
            // Whoever writes an archive to its end says so: a pipe that broke does not.
            return entry(self.name.as_bytes(), "is cut off: the zeroes that end it are missing");
        }
        let block = self.block(self.at)?;
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block);
        let stated = header.cksum().ok();
        if stated != Some(sum(&block)) {
            return entry(
                self.name.as_bytes(),
                format!("is no tar archive, or damaged: byte {} begins no entry", self.at),
            );
        }
        self.at += BLOCK;
        Ok(Some(Found { header: header.clone(), data: self.at }))
    }

    fn block(&self, at: u64) -> Result<[u8; BLOCK as usize]> {
        let mut block = [0; BLOCK as usize];
        match self.archive.read_exact_at(&mut block, at) {
            Ok(()) => Ok(block),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                entry(self.name.as_bytes(), format!("is cut off: it ends at byte {}", self.length))
            }
            Err(error) => Err(at_host(self.name.as_ref())(error)),
        }
    }

    /// Goes behind the `size` bytes that follow a header.
    fn skip(&mut self, found: &Found, size: u64, name: &[u8]) -> Result<()> {
        let start = found.data.max(self.at);
        let end = start.checked_add(size).filter(|&end| end <= self.length);
        match end {
            Some(end) => {
                self.at = end.next_multiple_of(BLOCK);
                Ok(())
            }
            None => entry(
                name,
                format!("says that it has {size} bytes, more than the archive: it is cut off"),
            ),
        }
    }

    /// What follows a header that belongs to another.
    fn extended(&mut self, found: &Found) -> Result<Vec<u8>> {
        let size = found.size(self.name)?;
        if size > MOST_EXTENDED {
            return entry(
                self.name.as_bytes(),
                format!("the extended header at byte {} has {size} bytes", found.data),
            );
        }
        self.skip(found, size, self.name.as_bytes())?;
        self.read(found.data, size)
    }

    fn read(&self, at: u64, size: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.archive.read_exact_at(&mut bytes, at).map_err(at_host(self.name.as_ref()))?;
        Ok(bytes)
    }

    /// The contents of a regular file.
    fn file(&mut self, entry: &Entry<'_>) -> Result<Contents> {
        let start = self.at;
        if entry.found.header.entry_type().as_byte() == b'S' {
            return sparse::old(self, entry);
        }
        let size = entry.size()?;
        self.skip(entry.found, size, &entry.name)?;
        if let Some(contents) = sparse::of_pax(self, entry, start, size)? {
            return Ok(contents);
        }
        let run = Run { offset: 0, at: start, length: size };
        Ok(Contents::archive(&self.archive, size, Vec::from_iter((size > 0).then_some(run))))
    }
}

/// The checksum of a header: the sum of its bytes, its own eight as spaces.
fn sum(block: &[u8; BLOCK as usize]) -> u32 {
    let own = 148..156;
    let byte = |(at, &byte): (usize, &u8)| u32::from(if own.contains(&at) { b' ' } else { byte });
    block.iter().enumerate().map(byte).sum()
}

fn until_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// A name that does not begin at some root.
fn demand_relative<'n>(name: &'n [u8], of: &[u8]) -> Result<&'n [u8]> {
    let what = match name {
        [] => "has an empty name, or links to one",
        [b'/', ..] => {
            "has an absolute name, or links to one: make the archive with `tar -C DIRECTORY .`"
        }
        _ if name.split(|&byte| byte == b'/').any(|part| part == b"..") => {
            "leads out of the tree by `..`, or links there"
        }
        _ => return Ok(name),
    };
    entry(of, what)
}

fn refuse<T>(of: &Entry<'_>, what: impl Into<String>) -> Result<T> {
    entry(&of.name, what)
}

/// The tree's refusal with the entry's name.
fn named(of: &Entry<'_>, error: Error) -> Error {
    match error {
        Error::Source { what, .. } => Error::Entry { name: shown(&of.name), what },
        other => other,
    }
}
