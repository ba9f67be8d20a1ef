//! Tree blocks in memory. A clone is a snapshot, so a dropped transaction is a clone put back.

use crate::btree::{Image, Root, TreeBlocks};
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_format::btree::{self, BtreeKind, root};
use untorn_format::{AgBlock, AgNumber, Fault, Geometry, Identity};

/// Why an operation on [`Memory`] failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TestError {
    /// The tree found a fault.
    Corrupt(Option<u64>, Fault),
    /// No more blocks.
    Full,
}

#[derive(Clone, Debug)]
pub(crate) enum RootBytes {
    Block { ptr: u64, levels: u32 },
    Fork(Vec<u8>),
}

/// Blocks of one tree.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) kind: BtreeKind,
    pub(crate) size: usize,
    pub(crate) blocks: BTreeMap<u64, Image>,
    pub(crate) root: RootBytes,
    next: u64,
    /// What new blocks say of themselves.
    pub(crate) home: Home,
    /// Blocks that are allocated from and freed to; without it, numbers that were never used.
    pub(crate) pool: Option<Vec<u64>>,
    /// Blocks that may still be allocated.
    pub(crate) left: u64,
    /// Whether the volume may be damaged, so that a block may be freed twice.
    pub(crate) tolerant: bool,
}

/// The AG that a tree lives in.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) geometry: Geometry,
    pub(crate) uuid: [u8; 16],
    pub(crate) ag: AgNumber,
}

impl Default for Home {
    fn default() -> Self {
        let geometry = Geometry {
            block_log: 12,
            sector_log: 9,
            inode_log: 9,
            inodes_per_block_log: 3,
            ag_block_log: 30,
            dir_block_log: 0,
            ag_blocks: 1 << 30,
            ag_count: 4,
            data_blocks: 1 << 32,
            log_start: untorn_format::FsBlock(0),
            log_blocks: 0,
        };
        Self { geometry, uuid: [7; 16], ag: AgNumber(1) }
    }
}

impl Memory {
    /// An empty tree whose root is a block of `size` bytes.
    pub(crate) fn block(kind: BtreeKind, size: usize) -> Self {
        let root = RootBytes::Block { ptr: 0, levels: 1 };
        let mut memory = Self::new(kind, size, root, Home::default());
        let ptr = memory.allocate(None, 0).unwrap();
        memory.set_root(ptr, 1).unwrap();
        memory
    }

    /// A tree whose root is a fork of `fork` bytes, not yet built.
    pub(crate) fn fork(size: usize, fork: usize) -> Self {
        Self::new(BtreeKind::Bmbt, size, RootBytes::Fork(vec![0; fork]), Home::default())
    }

    /// No blocks below `root`.
    pub(crate) fn new(kind: BtreeKind, size: usize, root: RootBytes, home: Home) -> Self {
        let blocks = BTreeMap::new();
        let (next, left) = (10, u64::MAX);
        Self { kind, size, blocks, root, next, home, pool: None, left, tolerant: false }
    }

    /// Levels, the fork's counted.
    pub(crate) fn levels(&self) -> u32 {
        match &self.root {
            RootBytes::Block { levels, .. } => *levels,
            RootBytes::Fork(bytes) => u32::from(root::shape(bytes).unwrap().0) + 1,
        }
    }
}

impl TreeBlocks for Memory {
    type Error = TestError;

    fn root(&mut self) -> Result<Root<'_>, TestError> {
        Ok(match &self.root {
            RootBytes::Block { ptr, levels } => Root::Block { ptr: *ptr, levels: *levels },
            RootBytes::Fork(bytes) => Root::Fork(bytes),
        })
    }
    fn set_root(&mut self, ptr: u64, levels: u32) -> Result<(), TestError> {
        assert!(matches!(self.root, RootBytes::Block { .. }));
        self.root = RootBytes::Block { ptr, levels };
        Ok(())
    }
    fn stage_fork(&mut self) -> Result<&mut [u8], TestError> {
        match &mut self.root {
            RootBytes::Fork(bytes) => Ok(bytes),
            RootBytes::Block { .. } => panic!("no fork"),
        }
    }
    fn read(&mut self, ptr: u64) -> Result<Image, TestError> {
        let fault = Fault::Field { what: "pointer", field: "block", value: ptr };
        self.blocks.get(&ptr).cloned().ok_or(TestError::Corrupt(Some(ptr), fault))
    }
    fn stage(&mut self, ptr: u64) -> Result<&mut [u8], TestError> {
        let fault = Fault::Field { what: "pointer", field: "block", value: ptr };
        let image = self.blocks.get_mut(&ptr).ok_or(TestError::Corrupt(Some(ptr), fault))?;
        Ok(Arc::make_mut(image))
    }
    fn allocate(&mut self, _near: Option<u64>, level: u16) -> Result<u64, TestError> {
        self.left = self.left.checked_sub(1).ok_or(TestError::Full)?;
        let ptr = match &mut self.pool {
            Some(pool) => pool.pop().ok_or(TestError::Full)?,
            None => self.next,
        };
        self.next += 1;
        let Home { geometry, uuid, ag } = &self.home;
        let addr = geometry.addr(*ag, AgBlock(ptr as u32));
        let identity = Identity { geometry, uuid: *uuid, addr, owner: None, newest: None };
        let mut bytes = vec![0; self.size];
        btree::init(self.kind, &mut bytes, level, &identity, u64::from(ag.0));
        self.blocks.insert(ptr, bytes.into());
        Ok(ptr)
    }
    fn free(&mut self, ptr: u64) -> Result<(), TestError> {
        let removed = self.blocks.remove(&ptr).is_some();
        assert!(removed || self.tolerant, "block {ptr} is freed once");
        self.left = self.left.saturating_add(1);
        self.pool.iter_mut().for_each(|pool| pool.push(ptr));
        Ok(())
    }
    fn corrupt(&self, ptr: Option<u64>, fault: Fault) -> TestError {
        TestError::Corrupt(ptr, fault)
    }
}
