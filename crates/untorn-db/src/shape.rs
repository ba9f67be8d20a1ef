//! What the volume's superblock says, without asking that it be right: enough to find everything.
//!
//! Invariants: the numbers are small enough that no computation of [`Geometry`] leaves its types.
//! Where the first superblock is no use, a copy is looked for.

use crate::{Result, refuse};
use untorn_device::BlockDevice;
use untorn_format::superblock::{SUPERBLOCK_MAGIC, SuperblockDisk};
use untorn_format::{Features, FsBlock, Geometry};

/// How much is read at a time while a copy is looked for.
const STRIDE: u64 = 1 << 20;

/// A volume's shape.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Where everything lies.
    pub geometry: Geometry,
    /// Feature bits.
    pub features: Features,
    /// Version of the format: 4 or 5.
    pub version: u8,
    /// The superblock that this was read from.
    pub superblock: SuperblockDisk,
    /// Byte of the device where it lies: zero unless the first one was no use.
    pub found_at: u64,
}

impl Shape {
    /// Reads the shape of the volume on `device`.
    pub fn read(device: &dyn BlockDevice) -> Result<Self> {
        let sector = u64::from(device.geometry().sector_size.max(512));
        if device.geometry().size < sector {
            return refuse("the device is too small for a superblock");
        }
        let mut first = vec![0; sector as usize];
        device.read_at(0, &mut first)?;
        match Self::of(&first, 0) {
            Some(shape) => Ok(shape),
            None => Self::copy(device, sector),
        }
    }
    /// The first copy that lies where its own numbers put an AG.
    fn copy(device: &dyn BlockDevice, sector: u64) -> Result<Self> {
        let size = device.geometry().size / sector * sector;
        for start in (0..size).step_by(STRIDE as usize) {
            let mut bytes = vec![0; STRIDE.min(size - start) as usize];
            device.read_at(start, &mut bytes)?;
            let candidates = bytes.chunks(512).enumerate();
            let found = candidates.filter(|(_, sector)| sector.starts_with(b"XFSB"));
            let mut shapes = found.filter_map(|(i, s)| Self::of(s, start + i as u64 * 512));
            if let Some(shape) = shapes.next() {
                return Ok(shape);
            }
        }
        refuse("no superblock of XFS and no copy: is this the whole volume, from its start?")
    }
    fn of(bytes: &[u8], found_at: u64) -> Option<Self> {
        let superblock = *SuperblockDisk::of(bytes).ok()?;
        let shape = Self {
            geometry: geometry(&superblock),
            features: features(&superblock),
            version: (superblock.versionnum.get() & 0xf) as u8,
            superblock,
            found_at,
        };
        shape.is_sound().then_some(shape)
    }
    fn is_sound(&self) -> bool {
        let (g, raw) = (&self.geometry, &self.superblock);
        let stride = u64::from(g.ag_blocks) << g.block_log.min(16);
        raw.magicnum.get() == SUPERBLOCK_MAGIC
            && (9..=16).contains(&g.block_log)
            && (9..=15).contains(&g.sector_log)
            && (8..=11).contains(&g.inode_log)
            && g.sector_log <= g.block_log
            && g.inodes_per_block_log == g.block_log.saturating_sub(g.inode_log)
            && u16::from(g.block_log) + u16::from(g.dir_block_log) <= 16
            && (1..=32).contains(&g.ag_block_log)
            && g.ag_blocks > 0
            && u64::from(g.ag_blocks) <= 1 << g.ag_block_log
            && g.ag_count > 0
            && g.data_blocks < 1 << 54
            && g.ag_block_log + g.inodes_per_block_log <= 32
            && matches!(self.version, 4 | 5)
            && self.found_at.is_multiple_of(stride)
    }
    /// Whether the superblock calls this inode a quota file.
    pub fn is_quota(&self, ino: u64) -> bool {
        let raw = &self.superblock;
        [raw.uquotino, raw.gquotino, raw.pquotino].iter().any(|quota| quota.get() == ino)
    }
}

fn geometry(raw: &SuperblockDisk) -> Geometry {
    Geometry {
        block_log: raw.blocklog,
        sector_log: raw.sectlog,
        inode_log: raw.inodelog,
        inodes_per_block_log: raw.inopblog,
        ag_block_log: raw.agblklog,
        dir_block_log: raw.dirblklog,
        ag_blocks: raw.agblocks.get(),
        ag_count: raw.agcount.get(),
        data_blocks: raw.dblocks.get(),
        log_start: FsBlock(raw.logstart.get()),
        log_blocks: raw.logblocks.get(),
    }
}

fn features(raw: &SuperblockDisk) -> Features {
    Features {
        compat: raw.features_compat.get(),
        ro_compat: raw.features_ro_compat.get(),
        incompat: raw.features_incompat.get(),
        log_incompat: raw.features_log_incompat.get(),
    }
}
