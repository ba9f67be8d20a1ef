//! A directory's fork in memory.

use crate::dir::DirFork;
use std::sync::Arc;
use untorn_format::da::Birth;
use untorn_format::kind::{self, Identity};
use untorn_format::{BlockKind, DiskAddr, Fault, FsBlock, Geometry, Ino, Lsn};

/// Why an operation on it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Corrupt(Fault),
}

/// What the fork holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// New, or between two forms.
    Nothing,
    Inline(Vec<u8>),
    Block(Vec<u8>),
}

/// A fork of at most one block.
#[derive(Clone, Debug)]
pub(crate) struct MemoryFork {
    pub geometry: Geometry,
    pub ino: Ino,
    pub room: usize,
    pub contents: Contents,
}

pub(crate) const UUID: [u8; 16] = [9; 16];
pub(crate) const ADDR: DiskAddr = DiskAddr(4096);

/// A volume of 4 KiB blocks with directory blocks of `1 << dir_block_log` blocks.
pub(crate) fn geometry(dir_block_log: u8) -> Geometry {
    Geometry {
        block_log: 12,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: 3,
        ag_block_log: 28,
        dir_block_log,
        ag_blocks: 1 << 28,
        ag_count: 16,
        data_blocks: 16 << 28,
        log_start: FsBlock(0),
        log_blocks: 0,
    }
}

impl MemoryFork {
    /// Checks the contents as when they are read.
    pub fn verify(&mut self) {
        match &mut self.contents {
            Contents::Nothing => panic!("a directory without contents"),
            Contents::Inline(bytes) => {
                assert!(bytes.len() <= self.room);
                untorn_format::dir::short::verify(bytes, &self.geometry).unwrap();
            }
            Contents::Block(bytes) => {
                kind::seal(BlockKind::DirBlock, bytes, Lsn(0));
                let identity = Identity {
                    geometry: &self.geometry,
                    uuid: UUID,
                    addr: ADDR,
                    owner: Some(self.ino.0),
                    newest: None,
                };
                kind::verify(BlockKind::DirBlock, bytes, &identity).unwrap();
            }
        }
    }
}

impl DirFork for MemoryFork {
    type Error = Failure;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }
    fn is_one_block(&mut self) -> Result<bool, Failure> {
        Ok(matches!(self.contents, Contents::Block(_)))
    }
    fn room(&self) -> usize {
        self.room
    }
    fn inline(&self) -> Option<&[u8]> {
        match &self.contents {
            Contents::Inline(bytes) => Some(bytes),
            _ => None,
        }
    }
    fn set_inline(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        assert!(!matches!(self.contents, Contents::Block(_)), "the block was not given back");
        self.contents = Contents::Inline(bytes.to_vec());
        Ok(())
    }
    fn read(&mut self) -> Result<Arc<[u8]>, Failure> {
        self.stage().map(|bytes| Arc::from(&*bytes))
    }
    fn stage(&mut self) -> Result<&mut [u8], Failure> {
        match &mut self.contents {
            Contents::Block(bytes) => Ok(bytes),
            other => panic!("no block: {other:?}"),
        }
    }
    fn grow(&mut self) -> Result<(Birth, &mut [u8]), Failure> {
        assert!(matches!(self.contents, Contents::Inline(_)));
        let garbage = vec![0x5a; self.geometry.dir_block_size()];
        self.contents = Contents::Block(garbage);
        let birth = Birth { uuid: UUID, addr: ADDR, owner: self.ino };
        Ok((birth, self.stage()?))
    }
    fn shrink(&mut self) -> Result<(), Failure> {
        assert!(matches!(self.contents, Contents::Block(_)));
        self.contents = Contents::Nothing;
        Ok(())
    }
    fn corrupt(&self, fault: Fault) -> Failure {
        Failure::Corrupt(fault)
    }
}
