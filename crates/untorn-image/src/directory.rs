//! Trees from directories of the host.
//!
//! Symbolic links are not followed unless that is asked for. What several names lead to is one
//! item. Mounted file systems below are part of the tree.

use crate::attributes::{self, ACCESS, DEFAULT};
use crate::contents::{Contents, Place, change_time};
use crate::error::{Error, Result, at_host, shown};
use crate::tree::{Attribute, Item, ItemId, Times, Tree, What};
use rustix::fs::{lgetxattr, llistxattr, major, minor};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::UNIX_EPOCH;
use untorn_format::acl::Acl;
use untorn_format::inode::Timestamp;

/// Largest extended attribute, and largest list of their names, in bytes.
const LARGEST: usize = 64 << 10;
/// Bytes of a sector as `stat` counts them.
const SECTOR: u64 = 512;

/// What was added in one go.
struct Added {
    /// Files of several names, by device and inode of the host.
    seen: HashMap<(u64, u64), ItemId>,
    items: HashSet<ItemId>,
    /// Room for the names of attributes.
    names: Vec<u8>,
}

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// They are links.
    Keep,
    /// They are what they lead to.
    Follow,
}

/// A path of the host, where it goes in the tree, and what lies above it.
struct Todo {
    from: PathBuf,
    to: Vec<u8>,
    above: Option<Rc<Above>>,
}

/// A directory, by device and inode of the host, and what lies above it.
struct Above {
    key: (u64, u64),
    above: Option<Rc<Above>>,
}

impl Above {
    fn has(mut at: Option<&Rc<Self>>, key: (u64, u64)) -> bool {
        while let Some(dir) = at {
            if dir.key == key {
                return true;
            }
            at = dir.above.as_ref();
        }
        false
    }
}

impl Tree {
    /// Puts what is at `from` on the host to `path` in the tree, a directory with all that is in
    /// it. The empty path is the root, which only a directory can be.
    pub fn add_directory(&mut self, path: &[u8], from: &Path) -> Result<()> {
        self.add_all(&[(path.to_vec(), from)])
    }

    /// Refuses the file at `image` from now on: it will be written while the tree is read.
    pub fn shun(&mut self, image: &Path) {
        let found = fs::metadata(image).ok().filter(Metadata::is_file);
        self.shunned = found.map(|found| (found.dev(), found.ino()));
    }

    /// The same for several that may share files. None replaces a file of another: where two have a
    /// directory of one name, that is what the first one is, with all that is in both.
    pub fn add_all(&mut self, all: &[(Vec<u8>, &Path)]) -> Result<()> {
        self.add_each(all, Links::Keep, &mut Err)
    }

    /// The same; `failed` says of what could not be added whether the rest is.
    pub fn add_each(
        &mut self,
        all: &[(Vec<u8>, &Path)],
        links: Links,
        failed: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<()> {
        let (seen, items) = (HashMap::new(), HashSet::new());
        let mut added = Added { seen, items, names: vec![0; LARGEST] };
        for (path, from) in all {
            let mut todo = vec![Todo { from: (*from).to_owned(), to: path.clone(), above: None }];
            while let Some(next) = todo.pop() {
                match self.add_next(next, links, &mut added) {
                    Ok(below) => todo.extend(below),
                    Err(error) => failed(error)?,
                }
            }
        }
        Ok(())
    }

    /// Adds one; what is in it comes next.
    fn add_next(
        &mut self,
        Todo { mut from, to, above }: Todo,
        links: Links,
        added: &mut Added,
    ) -> Result<Vec<Todo>> {
        let mut found = fs::symlink_metadata(&from).map_err(at_host(&from))?;
        if found.is_symlink() && links == Links::Follow {
            from = fs::canonicalize(&from).map_err(at_host(&from))?;
            found = fs::symlink_metadata(&from).map_err(at_host(&from))?;
        }
        let (mut below, key) = (Vec::new(), (found.dev(), found.ino()));
        if found.is_dir() && links == Links::Follow && Above::has(above.as_ref(), key) {
            let (path, what) = (shown(&to), "is a link to a directory that it lies in".to_owned());
            return Err(Error::Source { path, what });
        }
        self.add_one(&to, &from, &found, added)?;
        if !found.is_dir() {
            return Ok(below);
        }
        let above = Some(Rc::new(Above { key, above }));
        for entry in fs::read_dir(&from).map_err(at_host(&from))? {
            let name = entry.map_err(at_host(&from))?.file_name();
            let to = [to.as_slice(), b"/", name.as_bytes()].concat();
            below.push(Todo { from: from.join(name), to, above: above.clone() });
        }
        Ok(below)
    }

    fn add_one(
        &mut self,
        path: &[u8],
        from: &Path,
        found: &Metadata,
        added: &mut Added,
    ) -> Result<()> {
        let key = (found.dev(), found.ino());
        if self.shunned == Some(key) {
            let path = shown(from.as_os_str().as_bytes());
            let what = "is the image itself: keep it out of what goes into it";
            return Err(Error::Source { path, what: what.to_owned() });
        }
        if let Some(there) = self.find(path).filter(|there| added.items.contains(there)) {
            if found.is_dir() && matches!(self.item(there).what, What::Directory(_)) {
                return Ok(());
            }
            let path = shown(from.as_os_str().as_bytes());
            let what = "another of this name was copied before it".to_owned();
            return Err(Error::Source { path, what });
        }
        if let Some(&id) = added.seen.get(&key) {
            return self.link(id, path);
        }
        let mut item = Item {
            permissions: (found.mode() & 0o7777) as u16,
            uid: found.uid(),
            gid: found.gid(),
            times: times(found),
            ..Item::new(what(from, found)?)
        };
        read_attributes(&mut item, from, &mut added.names)?;
        let id = self.put(path, item)?;
        added.items.insert(id);
        if found.nlink() > 1 && !found.is_dir() {
            added.seen.insert(key, id);
        }
        Ok(())
    }
}

fn what(from: &Path, found: &Metadata) -> Result<What> {
    let kind = found.file_type();
    let (major, minor) = (major(found.rdev()), minor(found.rdev()));
    Ok(match kind {
        _ if kind.is_file() => What::File(contents(from, found)),
        _ if kind.is_dir() => What::Directory(BTreeMap::new()),
        _ if kind.is_symlink() => {
            let target = fs::read_link(from).map_err(at_host(from))?;
            What::Symlink(target.into_os_string().as_bytes().to_vec())
        }
        _ if kind.is_fifo() => What::Fifo,
        _ if kind.is_socket() => What::Socket,
        _ if kind.is_char_device() => What::CharDevice(major, minor),
        _ if kind.is_block_device() => What::BlockDevice(major, minor),
        _ => {
            let path = shown(from.as_os_str().as_bytes());
            return Err(Error::Source { path, what: "is of a kind that XFS does not know".into() });
        }
    })
}

fn contents(from: &Path, found: &Metadata) -> Contents {
    let size = found.len();
    // Hosts that pack small files, or compress, tell less than there is.
    let sparse = size > 1 << 20 && found.blocks().saturating_mul(SECTOR) < size / 2;
    let data = if sparse { found.blocks().saturating_mul(SECTOR) } else { size };
    Contents { size, data, place: Place::Host(from.to_owned()), changed: Some(change_time(found)) }
}

fn times(found: &Metadata) -> Times {
    let time =
        |seconds, nanos: i64| Timestamp { seconds, nanos: u32::try_from(nanos).unwrap_or(0) };
    let made = found.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    let made = made.and_then(|made| {
        Some(Timestamp { seconds: i64::try_from(made.as_secs()).ok()?, nanos: made.subsec_nanos() })
    });
    Times {
        mtime: time(found.mtime(), found.mtime_nsec()),
        atime: time(found.atime(), found.atime_nsec()),
        crtime: made,
    }
}

/// Reads extended attributes and access lists into `item`, in the order of their names.
fn read_attributes(item: &mut Item, from: &Path, names: &mut [u8]) -> Result<()> {
    let host = |error: Errno| at_host(from)(error.into());
    let length = match llistxattr(from, &mut *names) {
        Ok(length) => length,
        // A host without them.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
        Err(error) => return Err(host(error)),
    };
    let names = names.get(..length).unwrap_or_default();
    for full in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let known = attributes::from_host(full).is_some() || [ACCESS, DEFAULT].contains(&full);
        if !known {
            continue;
        }
        let mut value = vec![0; LARGEST];
        let length = match lgetxattr(from, full, &mut value[..]) {
            Ok(length) => length,
            Err(Errno::NODATA) => continue,
            Err(error) => return Err(host(error)),
        };
        value.truncate(length);
        set(item, full, value).map_err(|what| Error::Source {
            path: shown(from.as_os_str().as_bytes()),
            what: format!("{}: {what}", shown(full)),
        })?;
    }
    settle(&mut item.attributes);
    Ok(())
}

/// Sorts attributes by their names; of several of one name the last stays.
pub(crate) fn settle(attributes: &mut Vec<Attribute>) {
    attributes.reverse();
    attributes.sort_by(|(space, name, _), (other, next, _)| (space, name).cmp(&(other, next)));
    attributes.dedup_by(|(space, name, _), (other, first, _)| (space, name) == (other, first));
}

/// Gives `item` what the host calls `full`; what no volume keeps is left out. [`settle`] is for the
/// end, since there may be many.
pub(crate) fn set(item: &mut Item, full: &[u8], value: Vec<u8>) -> std::result::Result<(), String> {
    let acl = |value: &[u8]| Acl::decode_carried(value).map_err(|fault| fault.to_string());
    match full {
        ACCESS => item.access = Some(acl(&value)?).filter(Acl::is_extended),
        DEFAULT => item.default = Some(acl(&value)?),
        _ => {
            if let Some((namespace, name)) = attributes::from_host(full) {
                if name.contains(&0) {
                    return Err("has a zero byte in its name".to_owned());
                }
                if name.len() > 255 || value.len() > LARGEST {
                    return Err("is longer than XFS keeps".to_owned());
                }
                item.attributes.push((namespace, name.to_vec(), value));
            }
        }
    }
    Ok(())
}
