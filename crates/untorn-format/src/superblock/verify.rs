//! Every bound of a superblock, so that what is built on it need not doubt it.

use super::{QuotaFlags, SUPERBLOCK_MAGIC, SuperblockDisk, WHAT, geometry};
use crate::fault::Fault;
use crate::units::*;

/// Fewest blocks of an AG.
pub(crate) const MIN_AG_BLOCKS: u32 = 64;
/// Fewest bytes of a full AG.
pub(crate) const MIN_AG_BYTES: u64 = 1 << 24;
/// Most bytes of an AG.
pub(crate) const MAX_AG_BYTES: u64 = 1 << 40;
/// Most blocks of a log.
pub(crate) const MAX_LOG_BLOCKS: u32 = 1 << 20;
/// Most bytes of a log.
pub(crate) const MAX_LOG_BYTES: u64 = (1 << 31) - (10 << 20);
/// dirv2 and extflg.
const V4_NEEDED: u16 = 0x3000;
/// nlink, align, logv2, extflg, dirv2 and morebits.
const V5_NEEDED: u16 = 0xb4a0;
/// lazy-count, attr2, projid32bit and crc.
const V5_NEEDED2: u32 = 0x18a;
/// ftype as version 4 says it; version 5 may say it too.
const FTYPE2: u32 = 0x200;
/// `sector`: the sector size of the log is recorded.
pub(super) const SECTOR_BIT: u16 = 0x0800;
/// `dalign`: the volume has a stripe unit.
const DALIGN_BIT: u16 = 0x0100;
/// Most bytes of a stripe width.
const MAX_STRIPE_WIDTH: u64 = i32::MAX as u64;
/// Most bytes of a log stripe unit.
const MAX_LOG_STRIPE_UNIT: u32 = 256 << 10;

pub(super) fn field(field: &'static str, value: u64) -> Fault {
    Fault::Field { what: WHAT, field, value }
}

fn demand(holds: bool, name: &'static str, value: impl Into<u64>) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(field(name, value.into())) }
}

/// Checks every field that places something, against every other.
pub(super) fn verify(raw: &SuperblockDisk) -> Result<(), Fault> {
    let magic = raw.magicnum.get();
    if magic != SUPERBLOCK_MAGIC {
        return Err(Fault::Magic { what: WHAT, found: magic.into() });
    }
    let version = raw.versionnum.get();
    demand(matches!(version & 0xf, 4 | 5), "sb_versionnum", version)?;
    version_bits(raw)?;
    sizes(raw)?;
    groups(raw)?;
    log(raw)?;
    alignments(raw)?;
    stripe(raw)?;
    realtime(raw)?;
    let geometry = geometry(raw);
    let root = raw.rootino.get();
    let exists = root == NULL_INO || geometry.split_ino(Ino(root)).is_some();
    demand(exists, "sb_rootino", root)?;
    demand(raw.imax_pct <= 100, "sb_imax_pct", raw.imax_pct)?;
    demand(raw.shared_vn == 0, "sb_shared_vn", raw.shared_vn)
}

/// Old feature bits that version 5 always has, and bits that nobody has given a meaning.
fn version_bits(raw: &SuperblockDisk) -> Result<(), Fault> {
    let (version, features2) = (raw.versionnum.get(), raw.features2.get());
    let shared = 0x0200;
    demand(version & shared == 0, "sb_versionnum", version)?;
    if version & 0xf != 5 {
        return demand(version & V4_NEEDED == V4_NEEDED, "sb_versionnum", version);
    }
    demand(version & V5_NEEDED == V5_NEEDED, "sb_versionnum", version)?;
    let legal = features2 & V5_NEEDED2 == V5_NEEDED2 && features2 & !(V5_NEEDED2 | FTYPE2) == 0;
    demand(legal, "sb_features2", features2)?;
    let old_quota = QuotaFlags::OTHER_ENFORCED | QuotaFlags::OTHER_CHECKED;
    demand(raw.qflags.get() & old_quota == 0, "sb_qflags", raw.qflags.get())
}

/// Block, sector, inode and directory block sizes and their logarithms.
fn sizes(raw: &SuperblockDisk) -> Result<(), Fault> {
    let smallest = if raw.versionnum.get() & 0xf == 5 { 10 } else { 9 };
    demand((smallest..=16).contains(&raw.blocklog), "sb_blocklog", raw.blocklog)?;
    demand(raw.blocksize.get() == 1 << raw.blocklog, "sb_blocksize", raw.blocksize.get())?;
    demand((9..=15).contains(&raw.sectlog), "sb_sectlog", raw.sectlog)?;
    demand(raw.sectlog <= raw.blocklog, "sb_sectlog", raw.sectlog)?;
    demand(raw.sectsize.get() == 1 << raw.sectlog, "sb_sectsize", raw.sectsize.get())?;
    demand((8..=11).contains(&raw.inodelog), "sb_inodelog", raw.inodelog)?;
    demand(raw.inodelog <= raw.blocklog, "sb_inodelog", raw.inodelog)?;
    demand(raw.inodesize.get() == 1 << raw.inodelog, "sb_inodesize", raw.inodesize.get())?;
    let per_block = raw.blocklog - raw.inodelog;
    demand(raw.inopblog == per_block, "sb_inopblog", raw.inopblog)?;
    demand(raw.inopblock.get() == 1 << per_block, "sb_inopblock", raw.inopblock.get())?;
    let dir_log = u32::from(raw.dirblklog) + u32::from(raw.blocklog);
    demand(dir_log <= 16, "sb_dirblklog", raw.dirblklog)
}

/// Size and number of AGs against the size of the data section.
fn groups(raw: &SuperblockDisk) -> Result<(), Fault> {
    let (ag_blocks, count) = (raw.agblocks.get(), raw.agcount.get());
    let bytes = u64::from(ag_blocks) << raw.blocklog;
    let legal = ag_blocks >= MIN_AG_BLOCKS && (MIN_AG_BYTES..=MAX_AG_BYTES).contains(&bytes);
    demand(legal, "sb_agblocks", ag_blocks)?;
    let log = 32 - (ag_blocks - 1).leading_zeros();
    demand(u32::from(raw.agblklog) == log, "sb_agblklog", raw.agblklog)?;
    demand(log + u32::from(raw.inopblog) <= 32, "sb_agblklog", raw.agblklog)?;
    demand(count > 0, "sb_agcount", count)?;
    let blocks = raw.dblocks.get();
    let before_last = u64::from(count - 1) * u64::from(ag_blocks);
    let last = blocks.checked_sub(before_last);
    let legal = u64::from(MIN_AG_BLOCKS)..=u64::from(ag_blocks);
    demand(last.is_some_and(|last| legal.contains(&last)), "sb_dblocks", blocks)?;
    demand(blocks <= (i64::MAX as u64) >> raw.blocklog, "sb_dblocks", blocks)
}

/// Size and place of the log.
fn log(raw: &SuperblockDisk) -> Result<(), Fault> {
    let (start, blocks) = (raw.logstart.get(), raw.logblocks.get());
    let bytes = u64::from(blocks) << raw.blocklog;
    let legal = blocks > 0 && blocks <= MAX_LOG_BLOCKS && bytes <= MAX_LOG_BYTES;
    demand(legal, "sb_logblocks", blocks)?;
    if start != 0 {
        let inside = geometry(raw).extent(FsBlock(start), blocks.into());
        demand(inside.is_some(), "sb_logstart", start)?;
    }
    let (sector_log, sector_size) = (raw.logsectlog, raw.logsectsize.get());
    if raw.versionnum.get() & SECTOR_BIT == 0 {
        demand(sector_log == 0, "sb_logsectlog", sector_log)?;
        demand(sector_size == 0, "sb_logsectsize", sector_size)?;
    } else {
        demand((9..=15).contains(&sector_log), "sb_logsectlog", sector_log)?;
        demand(sector_size == 1 << sector_log, "sb_logsectsize", sector_size)?;
    }
    let unit = raw.logsunit.get();
    let legal = unit <= 1 || unit <= MAX_LOG_STRIPE_UNIT && unit.is_multiple_of(1 << raw.blocklog);
    demand(legal, "sb_logsunit", unit)
}

/// Alignments of inode chunks.
fn alignments(raw: &SuperblockDisk) -> Result<(), Fault> {
    let align = raw.inoalignmt.get();
    demand(align <= raw.agblocks.get(), "sb_inoalignmt", align)?;
    let sparse = raw.spino_align.get();
    let has_sparse = raw.versionnum.get() & 0xf == 5 && raw.features_incompat.get() & 2 != 0;
    if has_sparse {
        // A chunk smaller than a block is said by zero.
        demand(align == 64u32 >> raw.inopblog, "sb_inoalignmt", align)?;
        demand(sparse <= align, "sb_spino_align", sparse)?;
    }
    Ok(())
}

/// A stripe has a unit, a width of whole units, and a bit that says so; or none of them.
fn stripe(raw: &SuperblockDisk) -> Result<(), Fault> {
    let (unit, width) = (raw.unit.get(), raw.width.get());
    let said = raw.versionnum.get() & DALIGN_BIT != 0;
    demand(said == (unit != 0), "sb_unit", unit)?;
    let legal = if unit == 0 { width == 0 } else { width != 0 && width.is_multiple_of(unit) };
    let bytes = u64::from(width) << raw.blocklog;
    demand(legal && bytes <= MAX_STRIPE_WIDTH, "sb_width", width)
}

/// The realtime section against its extents; without one its sizes are zero.
fn realtime(raw: &SuperblockDisk) -> Result<(), Fault> {
    let size = raw.rextsize.get();
    let bytes = u64::from(size) << raw.blocklog;
    demand((4096..=1 << 30).contains(&bytes), "sb_rextsize", size)?;
    let (blocks, extents) = (raw.rblocks.get(), raw.rextents.get());
    let (bitmap, log) = (raw.rbmblocks.get(), raw.rextslog);
    if blocks == 0 {
        demand(extents == 0, "sb_rextents", extents)?;
        demand(bitmap == 0, "sb_rbmblocks", bitmap)?;
        demand(log == 0, "sb_rextslog", log)?;
        return demand(raw.frextents.get() == 0, "sb_frextents", raw.frextents.get());
    }
    let whole = blocks / u64::from(size);
    demand(whole > 0 && extents == whole, "sb_rextents", extents)?;
    demand(extents.checked_ilog2() == Some(log.into()), "sb_rextslog", log)
}
