//! A volume to be damaged: where things lie on it, and edits that leave checksums right.

use std::collections::BTreeMap;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::btree::root::Root;
use untorn_format::btree::{BtreeKind, Header};
use untorn_format::inode::{self, DinodeDisk, ForkFormat, InodeCore};
use untorn_format::*;

/// Inode numbers by path.
pub type Names = BTreeMap<String, Ino>;

/// A volume that a test hurts.
pub struct Patient {
    pub device: MemoryDevice,
    pub sb: Superblock,
    names: Names,
}

/// A block of a btree.
#[derive(Clone, Copy, Debug)]
pub struct TreeBlock {
    pub addr: DiskAddr,
    pub level: u16,
    pub count: usize,
}

impl Patient {
    /// A copy of `image`, whose files have the numbers in `names`.
    pub fn new(image: &MemoryDevice, names: &Names) -> Self {
        let device = image.snapshot();
        let mut bytes = vec![0; 512];
        device.read_at(0, &mut bytes).unwrap();
        let sb = Superblock::decode(&bytes).unwrap();
        Self { device, sb, names: names.clone() }
    }

    pub fn ino(&self, name: &str) -> Ino {
        *self.names.get(name).unwrap_or_else(|| panic!("no file {name}"))
    }

    /// Inodes that have names here.
    pub fn inodes(&self) -> Vec<Ino> {
        self.names.values().copied().collect()
    }

    pub fn read(&self, addr: DiskAddr, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.device.read_at(addr.0 * 512, &mut bytes).unwrap();
        bytes
    }

    /// Changes bytes and leaves the checksum as it was.
    pub fn edit_raw(&self, addr: DiskAddr, length: usize, edit: impl FnOnce(&mut [u8])) {
        let mut bytes = self.read(addr, length);
        let before = bytes.clone();
        edit(&mut bytes);
        assert_ne!(bytes, before, "the edit changed nothing");
        self.device.write_at(addr.0 * 512, &bytes).unwrap();
    }

    fn length_of(&self, kind: BlockKind) -> usize {
        match kind {
            BlockKind::Superblock | BlockKind::Agf | BlockKind::Agi | BlockKind::Agfl => {
                self.sb.geometry.sector_size()
            }
            _ => self.sb.geometry.block_size(),
        }
    }

    /// Changes a block and seals it again, its LSN as it was.
    pub fn edit(&self, kind: BlockKind, addr: DiskAddr, edit: impl FnOnce(&mut [u8])) {
        self.edit_sized(kind, (addr, self.length_of(kind)), edit);
    }

    /// As [`Patient::edit`], for blocks that are not of the size of their kind.
    pub fn edit_sized(
        &self,
        kind: BlockKind,
        (addr, length): (DiskAddr, usize),
        edit: impl FnOnce(&mut [u8]),
    ) {
        self.edit_raw(addr, length, |bytes| {
            edit(bytes);
            match kind.seal_at() {
                Some(seal) => checksum::stamp(bytes, seal.crc),
                // Remote attribute values keep theirs where symlinks do.
                None => checksum::stamp(bytes, BlockKind::Symlink.seal_at().unwrap().crc),
            }
        });
    }

    pub fn header(&self, ag: u32, index: u32) -> DiskAddr {
        self.sb.geometry.header_addr(AgNumber(ag), index)
    }

    pub fn agf(&self, ag: u32) -> ag::Agf {
        let addr = self.header(ag, 1);
        ag::Agf::decode(&self.read(addr, 512), &self.sb.identity(addr, None)).unwrap()
    }

    pub fn agi(&self, ag: u32) -> ag::Agi {
        let addr = self.header(ag, 2);
        ag::Agi::decode(&self.read(addr, 512), &self.sb.identity(addr, None)).unwrap()
    }

    /// Blocks of a btree of AG 0, level by level from the leaves, left to right.
    pub fn tree(&self, kind: BtreeKind) -> Vec<TreeBlock> {
        let (agf, agi) = (self.agf(0), self.agi(0));
        let root = match kind {
            BtreeKind::Bnobt => agf.bnobt,
            BtreeKind::Cntbt => agf.cntbt,
            BtreeKind::Rmapbt => agf.rmapbt.unwrap(),
            BtreeKind::Refcountbt => agf.refcountbt.unwrap(),
            BtreeKind::Inobt => agi.inobt,
            BtreeKind::Finobt => agi.finobt.unwrap(),
            BtreeKind::Bmbt => panic!("a bmbt has no root in an AG"),
        };
        let addr = self.sb.geometry.addr(AgNumber(0), root.block);
        let mut found = Vec::new();
        self.collect(kind, addr, &mut found);
        found.sort_by_key(|block: &TreeBlock| block.level);
        found
    }

    /// Blocks of the bmbt of a file's data fork, as [`Patient::tree`] has them.
    pub fn bmbt(&self, name: &str) -> Vec<TreeBlock> {
        let bytes = self.inode_bytes(self.ino(name));
        self.bmbt_of(inode::data_fork(&bytes).unwrap())
    }

    fn bmbt_of(&self, fork: &[u8]) -> Vec<TreeBlock> {
        let root = Root::decode(fork).unwrap();
        let mut found = Vec::new();
        for (_, block) in root.children {
            self.collect(BtreeKind::Bmbt, self.sb.geometry.addr_of(block).unwrap(), &mut found);
        }
        found.sort_by_key(|block| block.level);
        found
    }

    fn collect(&self, kind: BtreeKind, addr: DiskAddr, found: &mut Vec<TreeBlock>) {
        let size = self.sb.geometry.block_size();
        let bytes = self.read(addr, size);
        let header = Header::decode(kind, &bytes).unwrap();
        let count = usize::from(header.numrecs);
        found.push(TreeBlock { addr, level: header.level, count });
        for index in (0..count).filter(|_| header.level > 0) {
            let at = kind.pointer_offset(size, index);
            let child = match kind.is_long() {
                true => self.sb.geometry.addr_of(FsBlock(wire::be64(&bytes, at).unwrap())).unwrap(),
                false => {
                    let (ag, _) = self.sb.geometry.block_at(addr).unwrap();
                    self.sb.geometry.addr(ag, AgBlock(wire::be32(&bytes, at).unwrap()))
                }
            };
            self.collect(kind, child, found);
        }
    }

    /// The leaf at `index` of a btree of AG 0.
    pub fn leaf(&self, kind: BtreeKind, index: usize) -> TreeBlock {
        self.tree(kind).into_iter().filter(|block| block.level == 0).nth(index).unwrap()
    }

    /// A node right above the leaves of a btree of AG 0.
    pub fn node(&self, kind: BtreeKind) -> TreeBlock {
        self.tree(kind).into_iter().find(|block| block.level == 1).unwrap()
    }

    pub fn inode_addr(&self, ino: Ino) -> DiskAddr {
        let geometry = &self.sb.geometry;
        let (ag, in_ag) = geometry.split_ino(ino).unwrap();
        let (block, index) = geometry.inode_block(in_ag);
        let sectors = (index as usize * geometry.inode_size() / 512) as u64;
        DiskAddr(geometry.addr(ag, block).0 + sectors)
    }

    pub fn inode_bytes(&self, ino: Ino) -> Vec<u8> {
        self.read(self.inode_addr(ino), self.sb.geometry.inode_size())
    }

    pub fn core(&self, name: &str) -> InodeCore {
        let bytes = self.inode_bytes(self.ino(name));
        InodeCore::from_disk(DinodeDisk::of(&bytes).unwrap()).unwrap()
    }

    /// Changes the bytes of an inode and seals it again.
    pub fn edit_inode_bytes(&self, ino: Ino, edit: impl FnOnce(&mut [u8])) -> Place {
        self.edit_raw(self.inode_addr(ino), self.sb.geometry.inode_size(), |bytes| {
            edit(bytes);
            let lsn = DinodeDisk::of(bytes).unwrap().lsn.get();
            inode::seal(bytes, Lsn(lsn));
        });
        Place::inode(ino)
    }

    /// Changes the core of a file's inode and seals it again.
    pub fn edit_inode(&self, name: &str, edit: impl FnOnce(&mut DinodeDisk)) -> Place {
        self.edit_inode_bytes(self.ino(name), |bytes| edit(DinodeDisk::of_mut(bytes).unwrap()))
    }

    /// Changes the data fork of a file's inode.
    pub fn edit_fork(&self, name: &str, edit: impl FnOnce(&mut [u8])) -> Place {
        self.edit_inode_bytes(self.ino(name), |bytes| edit(inode::data_fork_mut(bytes).unwrap()))
    }

    /// Changes an extent in the inode of a file.
    pub fn edit_extent(&self, name: &str, index: usize, edit: impl FnOnce(&mut Extent)) -> Place {
        self.edit_fork(name, |fork| {
            let record = &mut fork[index * Extent::SIZE..][..Extent::SIZE];
            let mut extent = Extent::decode(record).unwrap();
            edit(&mut extent);
            record.copy_from_slice(&extent.encode());
        })
    }

    /// Extents of a fork, in order.
    pub fn extents(&self, name: &str, fork: Fork) -> Vec<Extent> {
        let bytes = self.inode_bytes(self.ino(name));
        let core = self.core(name);
        let fork_bytes = match fork {
            Fork::Data => inode::data_fork(&bytes).unwrap(),
            Fork::Attr => inode::attr_fork(&bytes).unwrap(),
        };
        let decode = |record: &[u8]| Extent::decode(record).unwrap();
        if core.fork_format(fork) == ForkFormat::Extents {
            let records = fork_bytes.chunks_exact(Extent::SIZE);
            return records.take(core.fork_extents(fork) as usize).map(decode).collect();
        }
        let mut extents = Vec::new();
        for block in self.bmbt_of(fork_bytes).iter().filter(|block| block.level == 0) {
            let mut bytes = self.read(block.addr, self.sb.geometry.block_size());
            let records = 0..block.count;
            extents.extend(records.map(|i| decode(record(BtreeKind::Bmbt, &mut bytes, i))));
        }
        extents
    }

    /// Where file block `block` of a fork lies.
    pub fn addr_of(&self, name: &str, fork: Fork, block: FileBlock) -> DiskAddr {
        let extents = self.extents(name, fork);
        let extent = extents.iter().find(|e| (e.file..e.file_end()).contains(&block));
        let extent = extent.unwrap_or_else(|| panic!("{name}: block {block} is a hole"));
        let start = FsBlock(extent.start.0 + block.0 - extent.file.0);
        self.sb.geometry.addr_of(start).unwrap()
    }

    /// Where a directory block lies.
    pub fn dir_addr(&self, name: &str, space: dir::Space, block: u32) -> DiskAddr {
        let file = self.sb.geometry.dir_file_block(space, dir::DirBlock(block));
        self.addr_of(name, Fork::Data, file)
    }

    /// The place of a block of AG 0.
    pub fn at(&self, addr: DiskAddr) -> Place {
        let (ag, _) = self.sb.geometry.block_at(addr).unwrap();
        Place { ag: Some(ag), ..Place::at(addr) }
    }

    /// Changes records of a leaf or keys of a node as bytes.
    pub fn edit_tree(
        &self,
        kind: BtreeKind,
        block: TreeBlock,
        edit: impl FnOnce(&mut [u8]),
    ) -> Place {
        self.edit(kind.block_kind(), block.addr, edit);
        if kind.is_long() { Place::at(block.addr) } else { self.at(block.addr) }
    }
}

/// The bytes of record `index` of a leaf.
pub fn record(kind: BtreeKind, bytes: &mut [u8], index: usize) -> &mut [u8] {
    &mut bytes[kind.record_offset(index)..][..kind.record_size()]
}

/// Adds to a big-endian number of 32 bits.
pub fn add32(bytes: &mut [u8], at: usize, amount: u32) {
    let value = wire::be32(bytes, at).unwrap().wrapping_add(amount);
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Where `needle` begins.
pub fn position(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}
