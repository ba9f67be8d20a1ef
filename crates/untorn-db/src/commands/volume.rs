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

/// A line of the layout: what it is about, its first field, the others.
type Line = (&'static str, String, String, String);

/// The layout, in the columns of xfs_info.
fn layout(name: &str, shape: &Shape) -> String {
    let lines = [volume_lines(name, shape), section_lines(shape)].concat();
    let line = |(section, subject, first, rest): &Line| {
        format!("{section:<9}={subject:<22} {first:<12} {rest}\n")
    };
    lines.iter().map(line).collect()
}

fn on(flag: bool) -> u8 {
    u8::from(flag)
}

/// What the volume is.
fn volume_lines(name: &str, shape: &Shape) -> Vec<Line> {
    let (g, features, more) = (&shape.geometry, &shape.features, shape.superblock.features2.get());
    let (finobt, sparse) = (on(features.has_finobt()), on(features.has_sparse_inodes()));
    let (bigtime, counts) = (on(features.has_bigtime()), on(features.has_inobtcount()));
    let (rmapbt, nrext64) = (on(features.has_rmapbt()), on(features.has_nrext64()));
    let attr = if more & 8 != 0 { 2 } else { 1 };
    let projects = on(more & 0x80 != 0);
    let lines = [
        ("isize", g.inode_size(), format!("agcount={}, agsize={} blks", g.ag_count, g.ag_blocks)),
        ("sectsz", g.sector_size(), format!("attr={attr}, projid32bit={projects}")),
        (
            "crc",
            on(shape.version == 5).into(),
            format!("finobt={finobt}, sparse={sparse}, rmapbt={rmapbt}"),
        ),
        (
            "reflink",
            on(features.has_reflink()).into(),
            format!("bigtime={bigtime} inobtcount={counts} nrext64={nrext64}"),
        ),
    ];
    let line = |(nth, (word, value, rest)): (usize, (&str, usize, String))| {
        let (section, subject) = if nth == 0 { ("meta-data", name) } else { ("", "") };
        (section, subject.to_owned(), format!("{word}={value}"), rest)
    };
    lines.into_iter().enumerate().map(line).collect()
}

/// Data, names, log and realtime section.
fn section_lines(shape: &Shape) -> Vec<Line> {
    let (raw, g) = (&shape.superblock, &shape.geometry);
    let (old, size) = (raw.versionnum.get(), g.block_size());
    let has = |mask: u16| old & mask != 0;
    let line =
        |section, subject: String, first: String, rest: String| (section, subject, first, rest);
    let log = if raw.logstart.get() == 0 { "external" } else { "internal log" };
    let sector = raw.logsectsize.get().max(512);
    let unit = if raw.logsunit.get() > 1 { raw.logsunit.get() as usize / size } else { 0 };
    let realtime = if raw.rblocks.get() > 0 { "internal" } else { "none" };
    let stripe = format!("swidth={} blks", raw.width.get());
    let names = format!("ascii-ci={}, ftype={}", on(has(0x4000)), on(shape.features.has_ftype()));
    let blocks = format!("blocks={}, imaxpct={}", g.data_blocks, raw.imax_pct);
    let log_blocks = format!("blocks={}, version={}", g.log_blocks, 1 + on(has(0x400)));
    let lazy = on(raw.features2.get() & 2 != 0);
    let extents = format!("blocks={}, rtextents={}", raw.rblocks.get(), raw.rextents.get());
    let extent = u64::from(raw.rextsize.get()) * size as u64;
    vec![
        line("data", String::new(), format!("bsize={size}"), blocks),
        line("", String::new(), format!("sunit={}", raw.unit.get()), stripe),
        line(
            "naming",
            format!("version {}", 1 + on(has(0x2000))),
            format!("bsize={}", g.dir_block_size()),
            names,
        ),
        line("log", log.to_owned(), format!("bsize={size}"), log_blocks),
        line(
            "",
            String::new(),
            format!("sectsz={sector}"),
            format!("sunit={unit} blks, lazy-count={lazy}"),
        ),
        line("realtime", realtime.to_owned(), format!("extsz={extent}"), extents),
    ]
}
