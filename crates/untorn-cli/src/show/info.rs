//! A volume's layout as JSON.

use serde::Serialize;
use untorn::journal::InspectedLog;
use untorn_format::Superblock;

/// The layout, sizes in bytes and counts in blocks.
#[derive(Debug, Serialize)]
pub struct Layout {
    image: String,
    uuid: String,
    label: String,
    block_size: u64,
    blocks: u64,
    sector_size: u64,
    inode_size: u64,
    dir_block_size: u64,
    ag_count: u32,
    ag_blocks: u32,
    inode_percent: u8,
    stripe_unit: u32,
    stripe_width: u32,
    log: Log,
    realtime_blocks: u64,
    features: Features,
    counters: Counters,
}

#[derive(Debug, Serialize)]
struct Log {
    external: bool,
    blocks: u32,
    sector_size: u64,
    stripe_unit: u32,
    /// Nothing where it was not looked at.
    clean: Option<bool>,
    head: Option<String>,
    tail: Option<String>,
}

#[derive(Debug, Serialize)]
struct Features {
    finobt: bool,
    sparse: bool,
    rmapbt: bool,
    reflink: bool,
    bigtime: bool,
    inobtcount: bool,
    nrext64: bool,
    exchange: bool,
    parent: bool,
    meta_uuid: bool,
}

/// As the superblock has them: right after a clean unmount.
#[derive(Debug, Serialize)]
struct Counters {
    inodes: u64,
    free_inodes: u64,
    free_blocks: u64,
}

impl Layout {
    /// The layout of the volume on `image`.
    pub fn of(image: &str, superblock: &Superblock, log: Option<&InspectedLog>) -> Self {
        let geometry = &superblock.geometry;
        Self {
            image: image.to_owned(),
            uuid: uuid::Uuid::from_bytes(superblock.uuid).to_string(),
            label: String::from_utf8_lossy(superblock.label()).into_owned(),
            block_size: geometry.block_size() as u64,
            blocks: geometry.data_blocks,
            sector_size: geometry.sector_size() as u64,
            inode_size: geometry.inode_size() as u64,
            dir_block_size: geometry.dir_block_size() as u64,
            ag_count: geometry.ag_count,
            ag_blocks: geometry.ag_blocks,
            inode_percent: superblock.inode_percent,
            stripe_unit: superblock.stripe_unit,
            stripe_width: superblock.stripe_width,
            log: Log::of(superblock, log),
            realtime_blocks: superblock.realtime.blocks,
            features: Features::of(superblock),
            counters: Counters {
                inodes: superblock.counters.inodes,
                free_inodes: superblock.counters.free_inodes,
                free_blocks: superblock.counters.free_blocks,
            },
        }
    }
}

impl Log {
    fn of(superblock: &Superblock, log: Option<&InspectedLog>) -> Self {
        Self {
            external: superblock.geometry.log_start.0 == 0,
            blocks: superblock.geometry.log_blocks,
            sector_size: 1u64 << superblock.log.sector_log.min(63),
            stripe_unit: superblock.log.stripe_unit,
            clean: log.map(|log| log.clean),
            head: log.map(|log| log.head.to_string()),
            tail: log.map(|log| log.tail.to_string()),
        }
    }
}

impl Features {
    fn of(superblock: &Superblock) -> Self {
        let features = superblock.features;
        Self {
            finobt: features.has_finobt(),
            sparse: features.has_sparse_inodes(),
            rmapbt: features.has_rmapbt(),
            reflink: features.has_reflink(),
            bigtime: features.has_bigtime(),
            inobtcount: features.has_inobtcount(),
            nrext64: features.has_nrext64(),
            exchange: features.has_exchrange(),
            parent: features.has_parent(),
            meta_uuid: features.has_meta_uuid(),
        }
    }
}
