//! From the root of a hashed index to the leaf of a hash, and from leaf to leaf.

use super::ForkBlocks;
use std::collections::HashSet;
use std::sync::Arc;
use untorn_format::da::{BlockInfo, DaBlock, Node, info, kind_of};
use untorn_format::{BlockKind, Fault};

const WHAT: &str = "hashed index";

/// A hashed index: where its root is and what its leaves are.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// The root.
    pub root: DaBlock,
    /// Kind of the leaves below nodes.
    pub leaf: BlockKind,
}

/// Which way to take at a node.
#[derive(Clone, Copy, Debug)]
enum Toward {
    Hash(u32),
    Leftmost,
}

impl Index {
    /// The first leaf that may hold `hash`, and its kind: `leaf`, or what stands at the root if
    /// that is no node. `None` where every hash of the index is smaller.
    pub fn leaf_for<B: ForkBlocks>(
        &self,
        blocks: &mut B,
        hash: u32,
    ) -> Result<Option<Leaves>, B::Error> {
        self.descend(blocks, Toward::Hash(hash))
    }

    /// The leftmost leaf, and its kind.
    pub fn first_leaf<B: ForkBlocks>(&self, blocks: &mut B) -> Result<Option<Leaves>, B::Error> {
        self.descend(blocks, Toward::Leftmost)
    }

    fn descend<B: ForkBlocks>(
        &self,
        blocks: &mut B,
        toward: Toward,
    ) -> Result<Option<Leaves>, B::Error> {
        let mut at = self.root;
        let mut image = read(blocks, at, BlockKind::DaNode)?;
        let mut level = None;
        while let Some(BlockKind::DaNode) = kind_of(&image) {
            let node = Node::parse(&image).map_err(|fault| blocks.corrupt(Some(at), fault))?;
            if level.is_some_and(|above: u16| node.level() + 1 != above) {
                return Err(wrong(blocks, at, "level", node.level().into()));
            }
            let child = match toward {
                Toward::Hash(hash) => node.child_for(hash),
                Toward::Leftmost => node.first_child(),
            };
            let Some(child) = child else { return Ok(None) };
            level = Some(node.level());
            let kind = if node.level() == 1 { self.leaf } else { BlockKind::DaNode };
            (at, image) = (child, read(blocks, child, kind)?);
        }
        let kind = kind_of(&image);
        let is_leaf = match level {
            Some(above) => above == 1 && kind == Some(self.leaf),
            None => true,
        };
        match kind {
            Some(kind) if is_leaf => Ok(Some(Leaves::new(at, kind, image))),
            _ => Err(wrong(blocks, at, "level", 0)),
        }
    }
}

/// A leaf and the way to those after it.
#[derive(Debug)]
pub struct Leaves {
    at: DaBlock,
    kind: BlockKind,
    image: Arc<[u8]>,
    seen: HashSet<DaBlock>,
}

impl Leaves {
    fn new(at: DaBlock, kind: BlockKind, image: Arc<[u8]>) -> Self {
        Self { at, kind, image, seen: HashSet::new() }
    }
    /// Where the leaf is.
    pub fn at(&self) -> DaBlock {
        self.at
    }
    /// What the leaf is.
    pub fn kind(&self) -> BlockKind {
        self.kind
    }
    /// Its bytes.
    pub fn image(&self) -> &Arc<[u8]> {
        &self.image
    }
    /// Moves on to the sibling at `next`, which this leaf names. A sibling that was met before, or
    /// that does not name this leaf as the one before it, is a fault.
    pub fn step<B: ForkBlocks>(&mut self, blocks: &mut B, next: DaBlock) -> Result<(), B::Error> {
        self.seen.insert(self.at);
        if self.seen.contains(&next) {
            return Err(wrong(blocks, self.at, "forw", next.0.into()));
        }
        let image = read(blocks, next, self.kind)?;
        let info: &BlockInfo = info(&image).map_err(|fault| blocks.corrupt(Some(next), fault))?;
        if info.previous() != Some(self.at) {
            return Err(wrong(blocks, next, "back", info.back.get().into()));
        }
        (self.at, self.image) = (next, image);
        Ok(())
    }
}

fn read<B: ForkBlocks>(
    blocks: &mut B,
    at: DaBlock,
    kind: BlockKind,
) -> Result<Arc<[u8]>, B::Error> {
    match blocks.read(at, kind)? {
        Some(image) => Ok(image),
        None => Err(wrong(blocks, at, "before", at.0.into())),
    }
}

fn wrong<B: ForkBlocks>(blocks: &B, at: DaBlock, field: &'static str, value: u64) -> B::Error {
    blocks.corrupt(Some(at), Fault::Field { what: WHAT, field, value })
}
