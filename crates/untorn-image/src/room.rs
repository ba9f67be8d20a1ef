//! How large a volume a tree needs.
//!
//! Counted from above: every file rounded up to blocks, names and attributes as if they were spread
//! badly, btrees as if they were half full. What that is too much is a few percent of most trees.

use crate::tree::{Item, Tree, What};
use untorn::mkfs::Options;
use untorn_format::Superblock;

/// Smallest volume that is chosen where nobody says how large: the smallest of mkfs.xfs.
const USUAL: u64 = 300 << 20;
const MIB: u64 = 1 << 20;

/// Sizes that say how much a tree needs, in bytes.
#[derive(Clone, Copy, Debug)]
struct Shape {
    block: u64,
    inode: u64,
    dir_block: u64,
}

/// Bytes of a volume that has room for `tree` and for a quarter as much again, as the options shape
/// it; at least 300 MiB.
pub fn room_for(tree: &Tree, options: &Options) -> u64 {
    let need = most_needed(tree, options);
    need.saturating_add(need / 4).max(USUAL).next_multiple_of(MIB)
}

/// Bytes of a volume that surely has room for `tree`.
pub fn most_needed(tree: &Tree, options: &Options) -> u64 {
    let block = u64::from(options.block_size);
    let dir_block = options.dir_block_size.map_or(block.max(4096), u64::from);
    let log = options.log.size.unwrap_or(0);
    with_overhead(tree, Shape { block, inode: options.inode_size.into(), dir_block }, log)
}

/// The same of a volume that is there.
pub(crate) fn most_needed_of(tree: &Tree, superblock: &Superblock) -> u64 {
    let geometry = &superblock.geometry;
    let block = geometry.block_size() as u64;
    let shape = Shape {
        block,
        inode: geometry.inode_size() as u64,
        dir_block: block << geometry.dir_block_log,
    };
    with_overhead(tree, shape, u64::from(geometry.log_blocks) * block)
}

/// What the tree takes, and beside it log, headers, and what each group keeps for its btrees.
fn with_overhead(tree: &Tree, shape: Shape, log: u64) -> u64 {
    let content: u64 =
        tree.items().map(|item| shape.item(item)).fold(0, |sum, item| sum.saturating_add(item));
    let log = log.max(if content < USUAL / 2 { 24 * MIB } else { 64 * MIB });
    let rest = content.saturating_add(content / 12).saturating_add(log).saturating_add(8 * MIB);
    rest.saturating_add(rest / 2048).next_multiple_of(MIB)
}

impl Shape {
    fn blocks(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.block).saturating_mul(self.block)
    }

    fn item(&self, item: &Item) -> u64 {
        let own = match &item.what {
            What::File(contents) => self.blocks(contents.data.min(contents.size)).saturating_add(
                // Where holes begin and end a block is not whole; the map may need blocks.
                if contents.data < contents.size { self.block * 2 + contents.data / 64 } else { 0 },
            ),
            What::Directory(names) => self.names(names.keys().map(|name| name.len() as u64)),
            What::Symlink(target) if target.len() as u64 > self.inode / 4 => self.block,
            _ => 0,
        };
        own.saturating_add(self.inode).saturating_add(self.attributes(item))
    }

    fn names(&self, lengths: impl Iterator<Item = u64>) -> u64 {
        // Entry with its number, kind and tag; hash and address in a leaf; a parent pointer.
        let bytes: u64 = lengths.map(|length| 3 * (length + 24)).sum();
        match bytes {
            bytes if bytes < self.inode / 2 => 0,
            bytes => (bytes / self.dir_block + 4) * self.dir_block,
        }
    }

    fn attributes(&self, item: &Item) -> u64 {
        let plain = item.attributes.iter().map(|(_, name, value)| name.len() + value.len() + 16);
        let lists = [&item.access, &item.default].into_iter().flatten();
        let lists = lists.map(|acl| acl.entries().len() * 12 + 40);
        let bytes: u64 = plain.chain(lists).map(|bytes| bytes as u64).sum();
        match bytes {
            bytes if bytes < self.inode / 4 => 0,
            bytes => (bytes / self.block + 2 + item.attributes.len() as u64) * self.block,
        }
    }
}
