//! The forks of directories and symlinks as the rooms below ask for them.

use super::dir_fork::DirTx;
use super::pieces::read_pieces;
use crate::core::Core;
use crate::da::ForkBlocks;
use crate::dir::{Cookie, Directory, Found, Listed};
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map::{MappingState, find, published};
use crate::tx::Tx;
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_format::da::DaBlock;
use untorn_format::inode::{self, FileKind, ForkFormat, InodeCore};
use untorn_format::records::Fork;
use untorn_format::{
    AgExtent, BlockKind, Fault, FileBlock, FsBlock, Geometry, Ino, Place, symlink,
};
use untorn_store::{BlockRef, Image};

/// The published blocks of one fork. The caller holds the inode's owner lock.
pub(crate) struct ForkReader<'c> {
    core: &'c Core,
    ino: Ino,
    image: Image,
    fork: Fork,
}

impl<'c> ForkReader<'c> {
    /// The fork of the inode with the published bytes `image`.
    pub fn new(core: &'c Core, ino: Ino, image: &Image, fork: Fork) -> Self {
        Self { core, ino, image: Arc::clone(image), fork }
    }

    /// Blocks of the filesystem in one block of the fork.
    fn span(&self) -> u64 {
        match self.fork {
            Fork::Data => 1 << self.core.geometry.dir_block_log,
            Fork::Attr => 1,
        }
    }

    /// The runs of the volume that hold the fork's block at `at`; `None` in a hole.
    fn runs(&self, at: DaBlock) -> Result<Option<Vec<AgExtent>>> {
        let mut extents = published(self.core, self.ino, &self.image, self.fork)?;
        let (mut block, end) = (at.file_block(), FileBlock(at.file_block().0 + self.span()));
        let mut runs = Vec::new();
        while block < end {
            let mapping = find(&mut extents, block, end)?;
            let MappingState::Written(start) = mapping.state else { return Ok(None) };
            runs.push(self.core.ag_extent(start, mapping.length as u32)?);
            block = mapping.end();
        }
        Ok(Some(runs))
    }

    fn read_runs(&self, runs: &[AgExtent], kind: BlockKind) -> Result<Image> {
        let [run] = runs else { return read_pieces(self.core, self.ino, runs, kind) };
        let geometry = &self.core.geometry;
        let addr = geometry.addr(run.ag, run.start);
        let (length, owner) = (run.length << geometry.block_log, Some(self.ino.0));
        Ok(self.core.store.cache().read(&BlockRef { addr, length, kind, owner })?)
    }
}

impl ForkBlocks for ForkReader<'_> {
    type Error = Error;

    fn geometry(&self) -> &Geometry {
        &self.core.geometry
    }

    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>> {
        match self.runs(at)? {
            Some(runs) => Ok(Some(self.read_runs(&runs, kind)?)),
            None => Ok(None),
        }
    }

    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>> {
        let mut extents = published(self.core, self.ino, &self.image, self.fork)?;
        let next = extents.at_or_after(from.file_block())?;
        Ok(next.and_then(|extent| DaBlock::of(extent.file.max(from.file_block()))))
    }

    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> Error {
        let offset = at.map(|at| u64::from(at.0) << self.core.geometry.block_log);
        fault.at(Place { ino: Some(self.ino), offset, ..Place::default() }).into()
    }
}

/// Runs `look` on a directory whose owner lock is held shared meanwhile.
pub(super) fn with_directory<R>(
    core: &Core,
    inode: &Inode,
    look: impl FnOnce(&mut Directory<'_, ForkReader<'_>>) -> Result<R>,
) -> Result<R> {
    let _owner = inode.owner.read();
    let image = inode.image();
    look_into(core, inode.ino, &image, look)
}

fn look_into<R>(
    core: &Core,
    ino: Ino,
    image: &Image,
    look: impl FnOnce(&mut Directory<'_, ForkReader<'_>>) -> Result<R>,
) -> Result<R> {
    let inode = directory_core(ino, image)?;
    let blocks = ForkReader::new(core, ino, image, Fork::Data);
    let inline = inline(ino, &inode, image)?;
    look(&mut Directory { ino, size: inode.size, inline, blocks })
}

fn directory_core(ino: Ino, image: &[u8]) -> Result<InodeCore> {
    let core = core_of(ino, image)?;
    match core.kind() {
        Some(FileKind::Directory) => Ok(core),
        _ => Err(Error::NotDirectory(format!("inode {ino}"))),
    }
}

/// The contents of an inline data fork.
pub(super) fn inline<'a>(ino: Ino, inode: &InodeCore, image: &'a [u8]) -> Result<Option<&'a [u8]>> {
    if inode.format != ForkFormat::Local {
        return Ok(None);
    }
    let fork = inode::data_fork(image).map_err(|fault| fault.at(Place::inode(ino)))?;
    let length = usize::try_from(inode.size).unwrap_or(usize::MAX);
    let short = Fault::Short { what: "inline fork", have: fork.len(), need: length };
    let bytes = fork.get(..length).ok_or_else(|| short.at(Place::inode(ino)))?;
    Ok(Some(bytes))
}

/// What `name` names in a directory.
pub(super) fn lookup(core: &Core, inode: &Inode, name: &[u8]) -> Result<Option<Found>> {
    let _owner = inode.owner.read();
    lookup_shared(core, inode, name)
}

/// The same where the caller holds the owner lock.
fn lookup_shared(core: &Core, inode: &Inode, name: &[u8]) -> Result<Option<Found>> {
    let known = core.names.find(inode.ino, name);
    if known.is_some() {
        return Ok(known);
    }
    let found = look_into(core, inode.ino, &inode.image(), |directory| directory.lookup(name))?;
    if let Some(found) = found {
        core.names.learn(inode.ino, name, found);
    }
    Ok(found)
}

/// The inode that `name` names in a directory. It cannot be freed between the look and the load.
pub(super) fn lookup_inode(core: &Core, inode: &Inode, name: &[u8]) -> Result<Option<Arc<Inode>>> {
    let known = core.names.with(inode.ino, name, |found| core.inodes.known(found.ino));
    if let Some(found) = known.flatten() {
        return Ok(Some(found));
    }
    let _owner = inode.owner.read();
    let found = lookup_shared(core, inode, name)?;
    found.map(|found| core.inodes.load(core, found.ino)).transpose()
}

/// What `name` names in a directory that the transaction has locked.
pub(super) fn lookup_locked(tx: &mut Tx<'_>, ino: Ino, name: &[u8]) -> Result<Option<Found>> {
    // What the transaction changed is not known any more.
    let known = tx.core.names.find(ino, name);
    if known.is_some() {
        return Ok(known);
    }
    let image = tx.inode(ino);
    let dinode = directory_core(ino, &image)?;
    let inline = inline(ino, &dinode, &image)?;
    let blocks = DirTx { tx, ino };
    Directory { ino, size: dinode.size, inline, blocks }.lookup(name)
}

/// Shows the entries of a directory from `from` on.
pub(crate) fn list(
    core: &Core,
    inode: &Inode,
    from: Cookie,
    visit: impl FnMut(Listed<'_>) -> ControlFlow<()>,
) -> Result<()> {
    with_directory(core, inode, |directory| directory.list(from, visit))
}

/// The target of a symbolic link.
pub(crate) fn read_link(core: &Core, inode: &Inode) -> Result<Vec<u8>> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let dinode = core_of(inode.ino, &image)?;
    if dinode.kind() != Some(FileKind::Symlink) {
        return Err(Error::Invalid(format!("inode {} is not a symbolic link", inode.ino)));
    }
    if let Some(bytes) = inline(inode.ino, &dinode, &image)? {
        return Ok(bytes.to_vec());
    }
    read_remote_link(core, inode.ino, &dinode, &image)
}

fn read_remote_link(core: &Core, ino: Ino, dinode: &InodeCore, image: &Image) -> Result<Vec<u8>> {
    let place = Place::inode(ino);
    let size = usize::try_from(dinode.size).unwrap_or(usize::MAX);
    if size > symlink::MAX_TARGET {
        let fault = Fault::Field { what: "symlink", field: "di_size", value: dinode.size };
        return Err(fault.at(place).into());
    }
    let mut extents = published(core, ino, image, Fork::Data)?;
    let mut target = Vec::with_capacity(size);
    let mut at = FileBlock(0);
    while target.len() < size {
        let mapping = find(&mut extents, at, FileBlock(at.0 + symlink::MAX_TARGET as u64))?;
        let MappingState::Written(start) = mapping.state else {
            let (have, need) = (target.len(), size);
            return Err(Fault::Short { what: "symlink target", have, need }.at(place).into());
        };
        let block = remote_block(core, ino, start, mapping.length)?;
        let image = core.store.cache().read(&block)?;
        let part = symlink::parse(&image).map_err(|fault| fault.at(Place::at(block.addr)))?;
        if part.offset as usize != target.len() || part.bytes.is_empty() {
            let fault = Fault::Field {
                what: "symlink block",
                field: "sl_offset",
                value: part.offset as u64,
            };
            return Err(fault.at(Place::at(block.addr)).into());
        }
        target.extend_from_slice(part.bytes);
        at = mapping.end();
    }
    target.truncate(size);
    Ok(target)
}

fn remote_block(core: &Core, ino: Ino, start: FsBlock, length: u64) -> Result<BlockRef> {
    let run = core.ag_extent(start, length as u32)?;
    Ok(BlockRef {
        addr: core.geometry.addr(run.ag, run.start),
        length: run.length << core.geometry.block_log,
        kind: BlockKind::Symlink,
        owner: Some(ino.0),
    })
}
