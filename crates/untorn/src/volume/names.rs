//! Names of an open volume: look, list, make, remove.

use super::{File, Volume};
use crate::core::Core;
use crate::dir::{Cookie, Listed};
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::map::{Mapping, MappingState, find, published};
use crate::namespace::{self, Follow, NewInode};
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_format::dir::FileType;
use untorn_format::inode::{FileKind, ForkFormat, InodeCore, data_fork};
use untorn_format::records::Fork;
use untorn_format::{AgBlock, AgExtent, FileBlock, Ino};

/// What is known of a file, directory or other inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its inode as the volume stores it: kind and permissions, owner, links, times, size, flags.
    pub inode: InodeCore,
    /// What it is.
    pub kind: FileKind,
    /// Major and minor number of a device node.
    pub device: Option<(u32, u32)>,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// The inode that it names.
    pub ino: Ino,
    /// What that is, as the entry says it.
    pub file_type: FileType,
}

/// What lies behind a run of a file's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Nothing.
    Hole,
    /// Blocks that read as zeroes.
    Unwritten,
    /// Blocks with the file's bytes.
    Written,
}

/// A run of a file's blocks and where they lie: a hole, or (a part of) one extent whose blocks are
/// all shared or all not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileExtent {
    /// First byte in the file.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// What lies there.
    pub kind: ExtentKind,
    /// First byte on the volume, allocation group and byte in it; nothing for holes.
    pub at: Option<(u64, u32, u64)>,
    /// Other files use the blocks too.
    pub shared: bool,
}

/// Permissions and owner of what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Permission bits, set-id bits included.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group; directories with the set-group-id bit hand down their own instead.
    pub gid: u32,
}

impl Default for NewFile {
    /// `rw-r--r--`, owned by root.
    fn default() -> Self {
        Self { permissions: 0o644, uid: 0, gid: 0 }
    }
}

impl Volume {
    fn inode(&self, path: &[u8], follow: Follow) -> Result<Arc<Inode>> {
        namespace::resolve(&self.core, path, follow)
    }

    /// The inode that `path` names. Symbolic links are followed inside the volume.
    pub fn lookup(&self, path: impl AsRef<[u8]>) -> Result<Ino> {
        Ok(self.inode(path.as_ref(), Follow::Last)?.ino)
    }

    /// What is known of what `path` names; of a symbolic link at its end, the link.
    pub fn metadata(&self, path: impl AsRef<[u8]>) -> Result<Metadata> {
        metadata(&*self.inode(path.as_ref(), Follow::NotLast)?)
    }

    /// What is known of inode `ino`.
    pub fn metadata_of(&self, ino: Ino) -> Result<Metadata> {
        metadata(&*self.core.inodes.load(&self.core, ino)?)
    }

    /// The target of the symbolic link `path`.
    pub fn read_link(&self, path: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        namespace::read_link(&self.core, &*self.inode(path.as_ref(), Follow::NotLast)?)
    }

    /// The entries of the directory `path`, `.` and `..` left out, in directory order.
    pub fn read_dir(&self, path: impl AsRef<[u8]>) -> Result<Vec<DirEntry>> {
        let inode = self.inode(path.as_ref(), Follow::Last)?;
        entries(&self.core, &inode)
    }

    /// The regular file `path`.
    pub fn open_file(&self, path: impl AsRef<[u8]>) -> Result<File> {
        let path = path.as_ref();
        let inode = self.inode(path, Follow::Last)?;
        let shown = || String::from_utf8_lossy(path).into_owned();
        match inode.core()?.kind() {
            Some(FileKind::Regular) => Ok(File::new(self.clone(), inode)),
            Some(FileKind::Directory) => Err(Error::IsDirectory(shown())),
            _ => Err(Error::NotRegular(shown())),
        }
    }

    /// Makes the regular file `path`, which must not exist; its directory must.
    pub fn create_file(&self, path: impl AsRef<[u8]>, new: NewFile) -> Result<File> {
        let inode = self.create(path.as_ref(), new, FileKind::Regular)?;
        Ok(File::new(self.clone(), inode))
    }

    /// Makes the directory `path`, which must not exist; its parent must.
    pub fn create_dir(&self, path: impl AsRef<[u8]>, new: NewFile) -> Result<Ino> {
        Ok(self.create(path.as_ref(), new, FileKind::Directory)?.ino)
    }

    fn create(&self, path: &[u8], new: NewFile, kind: FileKind) -> Result<Arc<Inode>> {
        self.demand_write("create")?;
        let (parent, name) = namespace::parent_of(&self.core, path)?;
        let NewFile { permissions, uid, gid } = new;
        namespace::create(&self.core, &parent, &name, NewInode { kind, permissions, uid, gid })
    }

    /// Removes the name `path` and, with its last name, what it named: anything but a directory
    /// that has entries.
    pub fn remove(&self, path: impl AsRef<[u8]>) -> Result<()> {
        self.demand_write("remove")?;
        let (parent, name) = namespace::parent_of(&self.core, path.as_ref())?;
        namespace::remove(&self.core, &parent, &name)
    }

    /// Where the bytes of the regular file or directory `path` lie, holes included, in order. The
    /// attribute fork where `fork` says so.
    pub fn extents(&self, path: impl AsRef<[u8]>, fork: Fork) -> Result<Vec<FileExtent>> {
        self.extents_in(&*self.inode(path.as_ref(), Follow::NotLast)?, fork)
    }

    /// Where the bytes of inode `ino` lie, holes included, in order.
    pub fn extents_of(&self, ino: Ino) -> Result<Vec<FileExtent>> {
        self.extents_in(&*self.core.inodes.load(&self.core, ino)?, Fork::Data)
    }

    fn extents_in(&self, inode: &Inode, fork: Fork) -> Result<Vec<FileExtent>> {
        let core = inode.core()?;
        let format = match fork {
            Fork::Attr if !core.has_attr_fork() => return Ok(Vec::new()),
            _ => core.fork_format(fork),
        };
        match format {
            ForkFormat::Extents | ForkFormat::Btree => self.mapped(inode, fork),
            _ => Ok(Vec::new()),
        }
    }

    fn mapped(&self, inode: &Inode, fork: Fork) -> Result<Vec<FileExtent>> {
        let mut extents = Vec::new();
        for mapping in self.mappings(inode, fork)? {
            self.place(inode, fork, &mapping, &mut extents)?;
        }
        Ok(extents)
    }

    fn mappings(&self, inode: &Inode, fork: Fork) -> Result<Vec<Mapping>> {
        let core = &self.core;
        let _owner = inode.owner.read();
        let image = inode.image();
        let size = inode.size()?;
        let mut extents = published(core, inode.ino, &image, fork)?;
        let last = extents.before(FileBlock(u64::MAX))?;
        let mapped_end = last.map_or(0, |extent| extent.file_end().0);
        let file_end = if fork == Fork::Data { core.geometry.blocks_for(size) } else { 0 };
        let (mut at, end) = (FileBlock(0), FileBlock(mapped_end.max(file_end)));
        let mut found = Vec::new();
        while at < end {
            let mapping = find(&mut extents, at, end)?;
            at = mapping.end();
            found.push(mapping);
        }
        Ok(found)
    }

    /// Adds the parts of `mapping`, shared and not shared, to `found`.
    fn place(
        &self,
        inode: &Inode,
        fork: Fork,
        mapping: &Mapping,
        found: &mut Vec<FileExtent>,
    ) -> Result<()> {
        let core = &self.core;
        let log = core.geometry.block_log;
        let (kind, start) = match mapping.state {
            MappingState::Hole => (ExtentKind::Hole, None),
            MappingState::Unwritten(start) => (ExtentKind::Unwritten, Some(start)),
            MappingState::Written(start) => (ExtentKind::Written, Some(start)),
        };
        let (mut offset, length) = (mapping.first.0 << log, mapping.length << log);
        let Some(start) = start else {
            found.push(FileExtent { offset, length, kind, at: None, shared: false });
            return Ok(());
        };
        let run = core.ag_extent(start, mapping.length as u32)?;
        let may_share = fork == Fork::Data && inode.core()?.is_reflink();
        let shared = if may_share { core.shared_parts(run)? } else { Vec::new() };
        for (part, shared) in alternating(run, &shared) {
            let byte = core.geometry.byte_of(core.geometry.addr(part.ag, part.start));
            let at = Some((byte, part.ag.0, u64::from(part.start.0) << log));
            let length = u64::from(part.length) << log;
            found.push(FileExtent { offset, length, kind, at, shared });
            offset += length;
        }
        Ok(())
    }
}

/// The entries of a directory, `.` and `..` left out.
pub(super) fn entries(core: &Core, inode: &Inode) -> Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    namespace::list(core, inode, Cookie::START, |entry: Listed<'_>| {
        if entry.name != b"." && entry.name != b".." {
            let Listed { name, ino, file_type, .. } = entry;
            entries.push(DirEntry { name: name.to_vec(), ino, file_type });
        }
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// `run` cut where it begins and ceases to be among `shared` parts, which lie in it in order.
fn alternating(run: AgExtent, shared: &[AgExtent]) -> Vec<(AgExtent, bool)> {
    let mut parts = Vec::new();
    let mut at = run.start;
    let mut add = |from: AgBlock, to: AgBlock, shared| {
        if to > from {
            parts.push((AgExtent { start: from, length: to.0 - from.0, ..run }, shared));
        }
    };
    for part in shared {
        add(at, part.start, false);
        add(part.start, part.end(), true);
        at = part.end();
    }
    add(at, run.end(), false);
    parts
}

fn metadata(inode: &Inode) -> Result<Metadata> {
    let core = inode.visible()?;
    let kind = core.kind().ok_or_else(|| Error::NotFound(format!("inode {}", inode.ino)))?;
    let is_device = matches!(kind, FileKind::BlockDevice | FileKind::CharDevice);
    let image = inode.image();
    let number = data_fork(&image).ok().and_then(|fork| fork.first_chunk().copied());
    let device =
        number.filter(|_| is_device).map(|bytes| device_numbers(u32::from_be_bytes(bytes)));
    Ok(Metadata { inode: core, kind, device })
}

/// Major and minor of a device number as XFS stores it: 14 bits and 18 bits.
fn device_numbers(raw: u32) -> (u32, u32) {
    (raw >> 18, raw & 0x3_ffff)
}
