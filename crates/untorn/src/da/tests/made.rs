//! A fork of hand-made blocks: each passes its own checks, together they may say anything.

use crate::da::ForkBlocks;
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_format::da::DaBlock;
use untorn_format::kind::{self, Identity};
use untorn_format::{BlockKind, DiskAddr, Fault, Geometry, Lsn};

pub(crate) const OWNER: u64 = 4242;
const UUID: [u8; 16] = [3; 16];

/// Blocks by da block; each lies at eight times its number on the device.
pub(crate) struct MadeFork {
    pub geometry: Geometry,
    pub blocks: BTreeMap<DaBlock, Vec<u8>>,
    pub reads: u32,
}

impl MadeFork {
    pub fn new() -> Self {
        let geometry = crate::dir::tests::memory::geometry(0);
        Self { geometry, blocks: BTreeMap::new(), reads: 0 }
    }

    /// Adds a block of `kind` at `at` with the links, fields and entries that an index block has.
    pub fn index(
        &mut self,
        at: u32,
        kind: BlockKind,
        links: (u32, u32),
        level: u16,
        pairs: &[(u32, u32)],
    ) {
        let magic: u16 = match kind {
            BlockKind::DaNode => 0x3ebe,
            BlockKind::DirLeafN => 0x3dff,
            other => panic!("{other:?} is not made here"),
        };
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(&links.1.to_be_bytes());
        bytes[4..8].copy_from_slice(&links.0.to_be_bytes());
        bytes[8..10].copy_from_slice(&magic.to_be_bytes());
        bytes[16..24].copy_from_slice(&(u64::from(at) * 8).to_be_bytes());
        bytes[32..48].copy_from_slice(&UUID);
        bytes[48..56].copy_from_slice(&OWNER.to_be_bytes());
        bytes[56..58].copy_from_slice(&(pairs.len() as u16).to_be_bytes());
        bytes[58..60].copy_from_slice(&level.to_be_bytes());
        for (place, (hash, pointer)) in bytes[64..].chunks_mut(8).zip(pairs) {
            place[..4].copy_from_slice(&hash.to_be_bytes());
            place[4..].copy_from_slice(&pointer.to_be_bytes());
        }
        self.add(at, kind, bytes);
    }

    /// Adds an attribute leaf with entries of (hash, name), each with the value "v".
    pub fn attr_leaf(&mut self, at: u32, links: (u32, u32), names: &[(u32, &[u8])]) {
        let mut bytes = vec![0; 4096];
        let mut free = bytes.len();
        for (index, (hash, name)) in names.iter().enumerate() {
            free -= (3 + name.len() + 1).next_multiple_of(4);
            bytes[free..free + 2].copy_from_slice(&1u16.to_be_bytes());
            bytes[free + 2] = name.len() as u8;
            bytes[free + 3..free + 3 + name.len()].copy_from_slice(name);
            bytes[free + 3 + name.len()] = b'v';
            let entry = 80 + 8 * index;
            bytes[entry..entry + 4].copy_from_slice(&hash.to_be_bytes());
            bytes[entry + 4..entry + 6].copy_from_slice(&(free as u16).to_be_bytes());
            bytes[entry + 6] = 1;
        }
        bytes[60..62].copy_from_slice(&(free as u16).to_be_bytes());
        bytes[..4].copy_from_slice(&links.1.to_be_bytes());
        bytes[4..8].copy_from_slice(&links.0.to_be_bytes());
        bytes[8..10].copy_from_slice(&0x3bee_u16.to_be_bytes());
        bytes[16..24].copy_from_slice(&(u64::from(at) * 8).to_be_bytes());
        bytes[32..48].copy_from_slice(&UUID);
        bytes[48..56].copy_from_slice(&OWNER.to_be_bytes());
        bytes[56..58].copy_from_slice(&(names.len() as u16).to_be_bytes());
        self.add(at, BlockKind::AttrLeaf, bytes);
    }

    fn add(&mut self, at: u32, kind: BlockKind, mut bytes: Vec<u8>) {
        kind::seal(kind, &mut bytes, Lsn(0));
        self.blocks.insert(DaBlock(at), bytes);
    }
}

impl ForkBlocks for MadeFork {
    type Error = Fault;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }
    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>, Fault> {
        self.reads += 1;
        assert!(self.reads < 1000, "a reader does not end");
        let Some(bytes) = self.blocks.get(&at) else { return Ok(None) };
        let identity = Identity {
            geometry: &self.geometry,
            uuid: UUID,
            addr: DiskAddr(u64::from(at.0) * 8),
            owner: Some(OWNER),
            newest: None,
        };
        kind::verify(kind, bytes, &identity)?;
        Ok(Some(Arc::from(bytes.as_slice())))
    }
    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>, Fault> {
        Ok(self.blocks.range(from..).next().map(|(at, _)| *at))
    }
    fn corrupt(&self, _: Option<DaBlock>, fault: Fault) -> Fault {
        fault
    }
}
