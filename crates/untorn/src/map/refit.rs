//! Moving the border between the forks of an inode: what the data fork holds must fit in front of
//! it.

use super::fork::{fork_bytes, read_list};
use super::list;
use super::tree::ForkTree;
use crate::btree::{self, Fill, Tree, TreeBlocks};
use crate::error::Result;
use crate::inode::core_of;
use crate::tx::Tx;
use untorn_format::btree::root::Root;
use untorn_format::inode::{self, ForkFormat};
use untorn_format::records::Fork;
use untorn_format::{Fault, FsBlock, Ino, Place};

/// Moves the attribute fork of a locked inode to `fork_offset` (units of 8 bytes from the end of
/// the core; 0 takes it away). The caller fills the attribute fork afterwards. An extent list that
/// no longer fits becomes a B+tree, the root of a B+tree moves to a block of its own; inline
/// contents must fit.
pub(crate) fn set_fork_offset(tx: &mut Tx<'_>, ino: Ino, fork_offset: u8) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    if core.fork_offset == fork_offset {
        return Ok(());
    }
    let format = core.format;
    let image = tx.inode(ino);
    let extents = match format {
        ForkFormat::Extents => read_list(ino, &image, Fork::Data, core.fork_extents(Fork::Data))?,
        _ => Vec::new(),
    };
    let root = match format {
        ForkFormat::Btree => {
            let root = Root::decode(fork_bytes(ino, &image, Fork::Data)?);
            Some(root.map_err(|fault| fault.at(Place::inode(ino)))?)
        }
        _ => None,
    };
    core.fork_offset = fork_offset;
    core.encode(tx.inode_mut(ino));
    match (format, root) {
        (ForkFormat::Extents, _) => place_list(tx, ino, extents),
        (_, Some(root)) => place_root(tx, ino, &root),
        _ => Ok(()),
    }
}

fn data_fork_mut<'a>(tx: &'a mut Tx<'_>, ino: Ino) -> Result<&'a mut [u8]> {
    let bytes = inode::data_fork_mut(tx.inode_mut(ino));
    Ok(bytes.map_err(|fault| fault.at(Place::inode(ino)))?)
}

fn place_list(
    tx: &mut Tx<'_>,
    ino: Ino,
    extents: Vec<untorn_format::records::Extent>,
) -> Result<()> {
    let fork = data_fork_mut(tx, ino)?;
    if extents.len() <= list::capacity(fork.len()) {
        list::encode(&extents, fork);
        return Ok(());
    }
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.format = ForkFormat::Btree;
    core.encode(tx.inode_mut(ino));
    let size = tx.core.geometry.block_size();
    let mut tree = Tree::new(btree::Extents, ForkTree { tx, ino, fork: Fork::Data });
    tree.build(size, Fill::Loose, extents.len() as u64, extents)
}

fn place_root(tx: &mut Tx<'_>, ino: Ino, root: &Root) -> Result<()> {
    let room = btree_room(data_fork_mut(tx, ino)?);
    if root.children.len() <= room {
        root.encode(data_fork_mut(tx, ino)?);
        return Ok(());
    }
    let near = root.children.first().map(|(_, block)| block.0);
    let mut blocks = ForkTree { tx, ino, fork: Fork::Data };
    let at = blocks.allocate(near, root.level)?;
    let above = root.push_down(blocks.stage(at)?, FsBlock(at));
    let above = above.map_err(|fault: Fault| fault.at(Place::inode(ino)))?;
    above.encode(data_fork_mut(tx, ino)?);
    Ok(())
}

fn btree_room(fork: &[u8]) -> usize {
    untorn_format::btree::root::max_records(fork.len())
}
