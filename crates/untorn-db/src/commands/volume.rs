//! Commands about the volume as a whole.

use super::Said;
use crate::Result;
use crate::session::Session;
use crate::shape::Shape;
use crate::value;

pub fn label(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    let name = &session.volume.shape.superblock.fname;
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    let shown = value::text(name.get(..end).unwrap_or_default());
    Ok(Said::Text(format!("label = {}\n", shown.text)))
}

pub fn uuid(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    let uuid = uuid::Uuid::from_bytes(session.volume.shape.superblock.uuid);
    Ok(Said::Text(format!("UUID = {}\n", uuid.hyphenated())))
}

/// Names of bits of `versionnum`, `features2`, and the words of version 5.
const OLD: &[(u32, &str)] = &[
    (0x20, "NLINK"),
    (0x2000, "DIRV2"),
    (0x10, "ATTR"),
    (0x40, "QUOTA"),
    (0x80, "ALIGN"),
    (0x100, "DALIGN"),
    (0x200, "SHARED"),
    (0x400, "LOGV2"),
    (0x1000, "EXTFLG"),
    (0x800, "SECTOR"),
    (0x4000, "ASCII_CI"),
    (0x8000, "MOREBITS"),
];
const MORE: &[(u32, &str)] = &[
    (0x8, "ATTR2"),
    (0x2, "LAZYSBCOUNT"),
    (0x80, "PROJID32BIT"),
    (0x100, "CRC"),
    (0x200, "FTYPE"),
];
const INCOMPAT_1: &[(u32, &str)] = &[(1, "FTYPE")];
const RO_COMPAT_1: &[(u32, &str)] = &[(1, "FINOBT")];
const INCOMPAT_2: &[(u32, &str)] = &[(2, "SPARSE_INODES"), (4, "META_UUID")];
const RO_COMPAT_2: &[(u32, &str)] = &[(2, "RMAPBT"), (4, "REFLINK"), (8, "INOBTCNT")];
const INCOMPAT_3: &[(u32, &str)] = &[
    (8, "BIGTIME"),
    (0x10, "NEEDSREPAIR"),
    (0x20, "NREXT64"),
    (0x40, "EXCHANGE"),
    (0x80, "PARENT"),
    (0x100, "METADIR"),
    (0x200, "ZONED"),
    (0x400, "ZONE_GAPS"),
];

pub fn version(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    let shape = &session.volume.shape;
    let (number, more) = (shape.superblock.versionnum.get(), shape.superblock.features2.get());
    let features = &shape.features;
    let words = [
        (OLD, number.into()),
        (MORE, more),
        (INCOMPAT_1, features.incompat),
        (RO_COMPAT_1, features.ro_compat),
        (INCOMPAT_2, features.incompat),
        (RO_COMPAT_2, features.ro_compat),
        (INCOMPAT_3, features.incompat),
    ];
    let set = words.iter().flat_map(|(names, word)| {
        names.iter().filter(move |(bit, _)| word & bit != 0).map(|(_, name)| *name)
    });
    let names: Vec<_> = set.collect();
    let (version, names) = (shape.version, names.join(","));
    Ok(Said::Text(format!("versionnum [{number:#x}+{more:#x}] = V{version},{names}\n")))
}

pub fn info(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    Ok(Said::Text(layout(&session.name, &session.volume.shape)))
}

/// The layout, in the columns of xfs_info.
fn layout(name: &str, shape: &Shape) -> String {
    let (raw, geometry, features) = (&shape.superblock, &shape.geometry, &shape.features);
    let on = |flag: bool| u8::from(flag);
    let (blank, block) = ("", geometry.block_size());
    let (old, more) = (raw.versionnum.get(), raw.features2.get());
    let (bit, two) = (
        |bit: u32| on(more & bit != 0),
        |mask: u16, yes, no| if old & mask != 0 { yes } else { no },
    );
    let log = if raw.logstart.get() == 0 { "external" } else { "internal log" };
    let log_sector = if raw.logsectsize.get() == 0 { 512 } else { raw.logsectsize.get() };
    let log_unit = if raw.logsunit.get() > 1 { raw.logsunit.get() as usize / block } else { 0 };
    let lines = [
        format!(
            "meta-data={name:<22} isize={:<6} agcount={}, agsize={} blks",
            geometry.inode_size(),
            geometry.ag_count,
            geometry.ag_blocks
        ),
        format!(
            "         ={blank:<22} sectsz={:<5} attr={}, projid32bit={}",
            geometry.sector_size(),
            if more & 8 != 0 { 2 } else { 1 },
            bit(0x80)
        ),
        format!(
            "         ={blank:<22} crc={:<8} finobt={}, sparse={}, rmapbt={}",
            on(shape.version == 5),
            on(features.has_finobt()),
            on(features.has_sparse_inodes()),
            on(features.has_rmapbt())
        ),
        format!(
            "         ={blank:<22} reflink={:<4} bigtime={} inobtcount={} nrext64={}",
            on(features.has_reflink()),
            on(features.has_bigtime()),
            on(features.has_inobtcount()),
            on(features.has_nrext64())
        ),
        format!(
            "data     ={blank:<22} bsize={block:<6} blocks={}, imaxpct={}",
            geometry.data_blocks, raw.imax_pct
        ),
        format!(
            "         ={blank:<22} sunit={:<6} swidth={} blks",
            raw.unit.get(),
            raw.width.get()
        ),
        format!(
            "naming   =version {:<14} bsize={:<6} ascii-ci={}, ftype={}",
            two(0x2000, 2, 1),
            geometry.dir_block_size(),
            two(0x4000, 1, 0),
            on(features.has_ftype())
        ),
        format!(
            "log      ={log:<22} bsize={block:<6} blocks={}, version={}",
            geometry.log_blocks,
            two(0x400, 2, 1)
        ),
        format!(
            "         ={blank:<22} sectsz={log_sector:<5} sunit={log_unit} blks, lazy-count={}",
            bit(2)
        ),
        format!(
            "realtime ={:<22} extsz={:<6} blocks={}, rtextents={}",
            if raw.rblocks.get() > 0 { "internal" } else { "none" },
            raw.rextsize.get() as usize * block,
            raw.rblocks.get(),
            raw.rextents.get()
        ),
    ];
    lines.join("\n") + "\n"
}
