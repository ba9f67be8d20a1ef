//! Index blocks: making and changing nodes, and the links between neighbours.

use super::node::{MAGIC, Node, NodeEntry, NodeHeader, WHAT};
use super::{Birth, BlockInfo, DaBlock};
use crate::Fault;
use crate::bytes::{put, view_mut};
use crate::wire::{U16, U32};
use zerocopy::IntoBytes;

/// One child of a node, apart from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Largest hash below it.
    pub hash: u32,
    /// Its da block.
    pub block: DaBlock,
}

/// Children that a node of `block_size` bytes can have.
pub fn node_capacity(block_size: usize) -> usize {
    (block_size - size_of::<NodeHeader>()) / size_of::<NodeEntry>()
}

/// Makes `bytes` a node of `level` over `children`, without neighbours.
pub fn init_node(bytes: &mut [u8], birth: &Birth, level: u16, children: &[Child]) {
    bytes.fill(0);
    let made = view_mut(WHAT, bytes, 0).map(|header: &mut NodeHeader| {
        birth.write_info(&mut header.info, MAGIC);
        header.level.set(level);
    });
    let made = made.and_then(|()| fill_node(bytes, children));
    assert!(made.is_ok(), "a block is too small for its node");
}

/// The children of a node in order of hash.
pub fn children(bytes: &[u8]) -> Result<Vec<Child>, Fault> {
    let entries = Node::parse(bytes)?.entries().iter();
    Ok(entries.map(|entry| Child { hash: entry.hash.get(), block: entry.child() }).collect())
}

/// Makes the node have exactly `children`. There must be some, and no more than fit.
pub fn fill_node(bytes: &mut [u8], children: &[Child]) -> Result<(), Fault> {
    let fits = (1..=node_capacity(bytes.len())).contains(&children.len());
    assert!(fits, "a node of {} children", children.len());
    let header: &mut NodeHeader = view_mut(WHAT, bytes, 0)?;
    header.count = U16::new(u16::try_from(children.len()).unwrap_or(u16::MAX));
    bytes[size_of::<NodeHeader>()..].fill(0);
    for (index, child) in children.iter().enumerate() {
        let entry = NodeEntry { hash: U32::new(child.hash), before: U32::new(child.block.0) };
        put(
            WHAT,
            bytes,
            size_of::<NodeHeader>() + index * size_of::<NodeEntry>(),
            entry.as_bytes(),
        )?;
    }
    Ok(())
}

/// A neighbour's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one before.
    Left,
    /// The one behind.
    Right,
}

/// The neighbour of an index block.
pub fn neighbour(bytes: &[u8], side: Side) -> Result<Option<DaBlock>, Fault> {
    let info = super::info(bytes)?;
    Ok(match side {
        Side::Left => info.previous(),
        Side::Right => info.next(),
    })
}

/// Gives an index block a neighbour, or none.
pub fn set_neighbour(bytes: &mut [u8], side: Side, to: Option<DaBlock>) -> Result<(), Fault> {
    let info: &mut BlockInfo = view_mut("index block", bytes, 0)?;
    let link = U32::new(to.map_or(0, |to| to.0));
    match side {
        Side::Left => info.back = link,
        Side::Right => info.forw = link,
    }
    Ok(())
}
