//! Looking up extents, whatever the form of the fork.

use super::list;
use super::mapping::{Mapping, find};
use super::tree::{ForkTree, PublishedFork};
use crate::btree::{self, Find, Tree, TreeBlocks};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use untorn_format::inode::{self, DinodeDisk, ForkFormat};
use untorn_format::records::{Extent, Fork};
use untorn_format::{Fault, FileBlock, Ino, Place};
use untorn_store::Image;

/// The extents of one fork as somebody sees them.
pub(crate) enum Extents<B: TreeBlocks<Error = Error>> {
    /// In the inode.
    List(Vec<Extent>),
    /// In a B+tree.
    Tree(Box<Tree<btree::Extents, B>>),
}

impl<B: TreeBlocks<Error = Error>> Extents<B> {
    /// The extent that holds `at`, or the first one behind it.
    pub fn at_or_after(&mut self, at: FileBlock) -> Result<Option<Extent>> {
        match self {
            Self::List(list) => Ok(list.iter().find(|extent| extent.file_end() > at).copied()),
            Self::Tree(tree) => {
                let before = tree.seek(Find::AtMost, at)?;
                match before.filter(|extent| extent.file_end() > at) {
                    Some(extent) => Ok(Some(extent)),
                    None => tree.next(),
                }
            }
        }
    }

    /// The last extent that begins before `at`.
    pub fn before(&mut self, at: FileBlock) -> Result<Option<Extent>> {
        let Some(last) = at.checked_sub(1) else { return Ok(None) };
        match self {
            Self::List(list) => Ok(list.iter().rfind(|extent| extent.file <= last).copied()),
            Self::Tree(tree) => tree.seek(Find::AtMost, last),
        }
    }

    /// The last extent that begins before `at`, and the one that follows it.
    pub fn around(&mut self, at: FileBlock) -> Result<(Option<Extent>, Option<Extent>)> {
        let left = self.before(at)?;
        let right = match self {
            Self::List(list) => list.iter().find(|extent| extent.file >= at).copied(),
            Self::Tree(tree) if left.is_some() => tree.next()?,
            Self::Tree(tree) => tree.seek(Find::AtLeast, at)?,
        };
        Ok((left, right))
    }

    /// The extent that follows `found`, which was the last one looked at.
    pub fn following(&mut self, found: &Extent) -> Result<Option<Extent>> {
        match self {
            Self::List(list) => Ok(list.iter().find(|extent| extent.file > found.file).copied()),
            Self::Tree(tree) => tree.next(),
        }
    }
}

pub(super) fn fork_bytes(ino: Ino, image: &[u8], fork: Fork) -> Result<&[u8]> {
    let bytes = match fork {
        Fork::Data => inode::data_fork(image),
        Fork::Attr => inode::attr_fork(image),
    };
    Ok(bytes.map_err(|fault| fault.at(Place::inode(ino)))?)
}

/// The form of a fork and its number of extents.
pub(super) fn shape_of(ino: Ino, image: &[u8], fork: Fork) -> Result<(ForkFormat, u64)> {
    let shape = DinodeDisk::of(image).and_then(|disk| disk.fork_shape(fork));
    Ok(shape.map_err(|fault| fault.at(Place::inode(ino)))?)
}

/// The `count` extents of a fork that is a list.
pub(super) fn read_list(ino: Ino, image: &[u8], fork: Fork, count: u64) -> Result<Vec<Extent>> {
    let list = list::decode(fork_bytes(ino, image, fork)?, count);
    Ok(list.map_err(|fault| fault.at(Place::inode(ino)))?)
}

/// A fork that has no extents though one was asked for.
fn not_mapped(ino: Ino, format: ForkFormat) -> Error {
    let value = u64::from(format.to_disk());
    let fault = Fault::Field { what: "inode", field: "form of a fork with extents", value };
    fault.at(Place::inode(ino)).into()
}

/// The published extents of a fork. The caller holds the inode's owner lock.
pub(crate) fn published<'c>(
    core: &'c Core,
    ino: Ino,
    image: &Image,
    fork: Fork,
) -> Result<Extents<PublishedFork<'c>>> {
    let (format, count) = shape_of(ino, image, fork)?;
    match format {
        ForkFormat::Extents => Ok(Extents::List(read_list(ino, image, fork, count)?)),
        ForkFormat::Btree => {
            let blocks = PublishedFork { core, ino, fork, image: Image::clone(image) };
            Ok(Extents::Tree(Box::new(Tree::new(btree::Extents, blocks))))
        }
        other => Err(not_mapped(ino, other)),
    }
}

/// The extents of a fork as a transaction sees them.
pub(super) fn staged<'a, 'c>(
    tx: &'a mut Tx<'c>,
    ino: Ino,
    fork: Fork,
) -> Result<Extents<ForkTree<'a, 'c>>> {
    let image = tx.inode(ino);
    let (format, count) = shape_of(ino, &image, fork)?;
    match format {
        ForkFormat::Extents => Ok(Extents::List(read_list(ino, &image, fork, count)?)),
        ForkFormat::Btree => {
            let blocks = ForkTree { tx, ino, fork };
            Ok(Extents::Tree(Box::new(Tree::new(btree::Extents, blocks))))
        }
        other => Err(not_mapped(ino, other)),
    }
}

/// The last extent of the staged fork.
pub(crate) fn last_extent(tx: &mut Tx<'_>, ino: Ino, fork: Fork) -> Result<Option<Extent>> {
    extent_before(tx, ino, fork, FileBlock(u64::MAX))
}

/// The last extent of the staged fork that begins before `at`.
pub(crate) fn extent_before(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    at: FileBlock,
) -> Result<Option<Extent>> {
    staged(tx, ino, fork)?.before(at)
}

/// The extent of the staged fork that holds `at`, or the first one behind it.
pub(crate) fn next_extent(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    at: FileBlock,
) -> Result<Option<Extent>> {
    if let Some(met) = tx.met.at(ino, fork, at) {
        return Ok(Some(met));
    }
    let mut extents = staged(tx, ino, fork)?;
    let found = extents.at_or_after(at)?;
    // A list is in the inode, which says nothing when it changes.
    if let (Extents::Tree(_), Some(extent)) = (&extents, found) {
        drop(extents);
        tx.met.add(ino, fork, extent);
    }
    Ok(found)
}

/// What lies at `at` of the staged fork, up to `limit` at most.
pub(crate) fn mapping_at(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    at: FileBlock,
    limit: FileBlock,
) -> Result<Mapping> {
    find(&mut staged(tx, ino, fork)?, at, limit)
}
