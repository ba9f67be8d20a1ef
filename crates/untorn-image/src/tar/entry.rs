//! One entry of an archive: its header, and what extended headers say in place of it.

use super::pax::{self, Said};
use super::{Found, refuse};
use crate::acl_text;
use crate::directory::{set, settle};
use crate::error::{Error, Result, shown};
use crate::tree::{Item, Times, What};
use std::io;
use untorn_format::inode::Timestamp;

/// What an entry makes.
pub(super) enum Kind {
    File,
    Link,
    Symlink,
    Directory,
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// An entry with all that was said of it.
pub(super) struct Entry<'f> {
    pub found: &'f Found,
    pub said: Said<'f>,
    pub name: Vec<u8>,
    pub link: Vec<u8>,
}

impl<'f> Entry<'f> {
    pub fn new(
        found: &'f Found,
        said: Said<'f>,
        name: Option<Vec<u8>>,
        link: Option<Vec<u8>>,
    ) -> Self {
        let header = &found.header;
        let own = || header.path_bytes().into_owned();
        let name = said.sparse_name().or(said.value(b"path")).map(<[u8]>::to_vec).or(name);
        let own_link = || header.link_name_bytes().map(|name| name.into_owned());
        let link = said.value(b"linkpath").map(<[u8]>::to_vec).or(link).or_else(own_link);
        Self { found, said, name: name.unwrap_or_else(own), link: link.unwrap_or_default() }
    }

    pub fn kind(&self) -> Result<Kind> {
        let header = &self.found.header;
        let device = || {
            let major = self.number("device major", header.device_major());
            let minor = self.number("device minor", header.device_minor());
            Ok::<_, Error>((major?, minor?))
        };
        Ok(match header.entry_type().as_byte() {
            // Archives from before there was a kind for directories.
            0 | b'0' if self.name.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::Link,
            b'2' => Kind::Symlink,
            b'3' => device().map(|(major, minor)| Kind::CharDevice(major, minor))?,
            b'4' => device().map(|(major, minor)| Kind::BlockDevice(major, minor))?,
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'M' => return refuse(self, "goes on from another archive: join the archives first"),
            other => {
                let other = char::from(other).escape_default();
                let what = format!("is of a kind that is not known here: {other}");
                return refuse(self, what + "; make the archive without it (tar --exclude)");
            }
        })
    }

    fn number(&self, what: &str, number: io::Result<Option<u32>>) -> Result<u32> {
        match number {
            Ok(Some(number)) => Ok(number),
            _ => refuse(self, format!("has no legal {what}")),
        }
    }

    pub fn size(&self) -> Result<u64> {
        let size = match self.said.number(b"size") {
            Some(size) => size,
            None => self.found.header.entry_size().ok(),
        };
        match size {
            Some(size) => Ok(size),
            None => refuse(self, "has a size that is no number"),
        }
    }

    fn id(&self, key: &[u8], own: io::Result<u64>) -> Result<u32> {
        let id = match self.said.number(key) {
            Some(id) => id,
            None => own.ok(),
        };
        // The last of them is nobody: Linux does not let such files be used.
        match id.and_then(|id| u32::try_from(id).ok()).filter(|&id| id != u32::MAX) {
            Some(id) => Ok(id),
            None => refuse(self, format!("has a {} that is no number of 32 bits", shown(key))),
        }
    }

    fn times(&self) -> Result<Times> {
        // GNU's way of writing what octal digits cannot say has a sign.
        let own = self.found.header.mtime().ok().map(u64::cast_signed);
        let own = own.map(|seconds| Timestamp { seconds, nanos: 0 });
        let time = |key: &[u8]| match self.said.value(key) {
            None => Ok(None),
            Some(text) => match pax::time(text) {
                Some(time) => Ok(Some(time)),
                None => refuse(self, format!("has a {} that is no time", shown(key))),
            },
        };
        let Some(mtime) = time(b"mtime")?.or(own) else {
            return refuse(self, "has a time that is no number");
        };
        let atime = time(b"atime")?.unwrap_or(mtime);
        Ok(Times { mtime, atime, crtime: time(b"LIBARCHIVE.creationtime")? })
    }

    pub fn item(&self, what: What) -> Result<Item> {
        let header = &self.found.header;
        let Ok(mode) = header.mode() else { return refuse(self, "has a mode that is no number") };
        let mut item = Item {
            permissions: (mode & 0o7777) as u16,
            uid: self.id(b"uid", header.uid())?,
            gid: self.id(b"gid", header.gid())?,
            times: self.times()?,
            ..Item::new(what)
        };
        for (full, value) in self.said.attributes() {
            if let Err(what) = set(&mut item, full, value.to_vec()) {
                return refuse(self, format!("attribute {}: {what}", shown(full)));
            }
        }
        let list = |key: &[u8]| match self.said.value(key).map(acl_text::parse) {
            None => Ok(None),
            Some(Ok(acl)) => Ok(Some(acl)),
            Some(Err(what)) => refuse(self, format!("access list: {what}")),
        };
        item.access = list(b"SCHILY.acl.access")?.filter(|a| a.is_extended()).or(item.access);
        item.default = list(b"SCHILY.acl.default")?.or(item.default);
        if !matches!(item.what, What::Directory(_)) {
            item.default = None;
        }
        settle(&mut item.attributes);
        Ok(item)
    }
}
