//! The volume that the tests change, and what they share.

use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::da::{Birth, Part};
use untorn_format::log::CHUNK;
use untorn_format::superblock::{Counters, LogShape, Quota, Realtime};
use untorn_format::{
    BlockKind, DiskAddr, Features, FsBlock, Geometry, Ino, Lsn, Superblock, kind, symlink,
};
use untorn_store::BlockRef;
use untorn_store::journal::{Journal, LogArea};
use untorn_store::replay::{RecoverError, Replayed, recover};
use untorn_torture::dice::Dice;
use untorn_torture::disk::SimDisk;

pub const BLOCK: usize = 4096;
pub const UUID: [u8; 16] = [0x5a; 16];
pub const LOG_START: u64 = 64;

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub sector: u32,
    pub stripe: u32,
    pub log_blocks: u32,
    /// Blocks of the volume that checkpoints change.
    pub blocks: u64,
    /// Most blocks that one checkpoint changes.
    pub most: u64,
    pub checkpoints: u64,
}

impl Shape {
    pub fn superblock(&self) -> Superblock {
        // An AG has 16 MiB at least.
        let data_blocks = (LOG_START + u64::from(self.log_blocks) + self.blocks).max(4096);
        Superblock {
            version: 5,
            // nlink, align, logv2, extflg, dirv2, morebits; the sector size of the log.
            version_bits: 0xbca0,
            features2: 0x18a,
            features: Features::default(),
            geometry: Geometry {
                block_log: 12,
                sector_log: self.sector.trailing_zeros() as u8,
                inode_log: 9,
                inodes_per_block_log: 3,
                ag_block_log: (data_blocks - 1).ilog2() as u8 + 1,
                dir_block_log: 0,
                ag_blocks: data_blocks as u32,
                ag_count: 1,
                data_blocks,
                log_start: FsBlock(LOG_START),
                log_blocks: self.log_blocks,
            },
            uuid: UUID,
            meta_uuid: UUID,
            label: [0; 12],
            root_ino: Ino(128),
            realtime: Realtime { extent_size: 1, ..Realtime::default() },
            log: LogShape {
                sector_log: self.sector.trailing_zeros() as u8,
                stripe_unit: self.stripe.max(1),
            },
            in_progress: false,
            inode_percent: 25,
            counters: Counters::default(),
            quota: Quota::default(),
            flags: 0,
            inode_align: 0,
            sparse_align: 0,
            stripe_unit: 0,
            stripe_width: 0,
            lsn: Lsn(0),
            metadir_ino: Ino(0),
        }
    }
    pub fn addr(&self, block: u64) -> DiskAddr {
        DiskAddr((LOG_START + u64::from(self.log_blocks) + block) * (BLOCK / 512) as u64)
    }
    pub fn device(&self) -> MemoryDevice {
        let sb = self.superblock();
        MemoryDevice::with_sector_size(sb.geometry.data_blocks * BLOCK as u64, self.sector)
    }
    /// The buffer of a block.
    pub fn buffer(&self, block: u64) -> BlockRef {
        let addr = self.addr(block);
        BlockRef { addr, length: BLOCK as u32, kind: BlockKind::Symlink, owner: None }
    }
    /// A new volume, all of it durable.
    pub fn format(&self) -> (Arc<SimDisk>, Contents) {
        let disk = SimDisk::new(self.device());
        let area = LogArea::of(&self.superblock()).unwrap();
        Journal::format(disk.clone(), area).unwrap();
        let mut sector = vec![0; self.sector as usize];
        self.superblock().encode(&mut sector);
        kind::seal(BlockKind::Superblock, &mut sector, Lsn(0));
        disk.write_at(0, &sector).unwrap();
        let contents: Contents = (0..self.blocks)
            .map(|index| {
                let mut block = vec![0; BLOCK];
                let birth = Birth { uuid: UUID, addr: self.addr(index), owner: Ino(200 + index) };
                symlink::encode(&mut block, &birth, Part { offset: 0, bytes: b"target" });
                block
            })
            .collect();
        for (index, block) in contents.iter().enumerate() {
            write_home(&*disk, self.addr(index as u64), block.clone(), Lsn(0));
        }
        disk.flush().unwrap();
        disk.settle();
        (disk, contents)
    }
    /// The blocks on `device`; each must be right.
    pub fn read(&self, device: &dyn BlockDevice) -> Contents {
        let sb = self.superblock();
        (0..self.blocks)
            .map(|block| {
                let mut bytes = vec![0; BLOCK];
                let addr = self.addr(block);
                device.read_at(addr.0 * 512, &mut bytes).unwrap();
                kind::verify(BlockKind::Symlink, &bytes, &sb.identity(addr, None)).unwrap();
                bytes
            })
            .collect()
    }
}

/// The whole content of the blocks, as far as checkpoints change it.
pub type Contents = Vec<Vec<u8>>;

/// Whether two contents agree but for checksums and LSNs.
pub fn same(one: &Contents, other: &Contents) -> bool {
    one.iter().zip(other).all(|(one, other)| one[CHUNK..] == other[CHUNK..])
}

pub fn write_home(device: &dyn BlockDevice, addr: DiskAddr, mut image: Vec<u8>, lsn: Lsn) {
    kind::seal(BlockKind::Symlink, &mut image, lsn);
    device.write_at(addr.0 * 512, &image).unwrap();
}

pub fn recovered(device: Arc<dyn BlockDevice>, shape: &Shape) -> Replayed {
    recover(device, &shape.superblock()).unwrap_or_else(|error: RecoverError| panic!("{error}"))
}

/// How many times as much is tried (`UNTORN_CASES`).
pub fn factor() -> u64 {
    std::env::var("UNTORN_CASES").ok().and_then(|word| word.parse().ok()).unwrap_or(1)
}

/// Writes something new into `count` blocks at most; which chunks of which blocks.
pub fn change(contents: &mut Contents, count: u64, dice: &mut Dice) -> BTreeMap<u64, Vec<usize>> {
    let mut changed = BTreeMap::new();
    for _ in 0..count {
        let block = dice.below(contents.len() as u64);
        let most = if dice.chance(1, 3) { 31 } else { 3 };
        let chunks = 1 + dice.below(most);
        let chunks: Vec<usize> = (0..chunks).map(|_| 1 + dice.below(31) as usize).collect();
        for &chunk in &chunks {
            let bytes = &mut contents[block as usize][chunk * CHUNK..][..CHUNK];
            let word = dice.roll().to_le_bytes();
            bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&word));
        }
        changed.entry(block).or_insert_with(Vec::new).extend(chunks);
    }
    changed
}

pub const SMALL: Shape =
    Shape { sector: 512, stripe: 0, log_blocks: 128, blocks: 40, most: 40, checkpoints: 40 };
