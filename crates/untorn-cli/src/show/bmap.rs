//! Extents in the columns of `xfs_bmap -vp`: units of 512 bytes, both ends of a range included.

use crate::arguments::VolumePath;
use serde::Serialize;
use std::io::{self, Write};
use untorn::{ExtentKind, FileExtent};
use untorn_format::Superblock;

const UNIT: u64 = 512;

const SHARED: u32 = 0o100000;
const UNWRITTEN: u32 = 0o010000;
const OFF_UNIT_START: u32 = 0o001000;
const OFF_UNIT_END: u32 = 0o000100;
const OFF_WIDTH_START: u32 = 0o000010;
const OFF_WIDTH_END: u32 = 0o000001;

const LEGEND: [(u32, &str); 6] = [
    (SHARED, "Shared extent"),
    (UNWRITTEN, "Unwritten preallocated extent"),
    (OFF_UNIT_START, "Doesn't begin on stripe unit"),
    (OFF_UNIT_END, "Doesn't end   on stripe unit"),
    (OFF_WIDTH_START, "Doesn't begin on stripe width"),
    (OFF_WIDTH_END, "Doesn't end   on stripe width"),
];

/// Stripe unit and width of the volume in units of 512 bytes; 0 for none.
#[derive(Clone, Copy, Debug)]
pub struct Stripes {
    unit: u64,
    width: u64,
}

impl Stripes {
    /// Those of the volume.
    pub fn of(superblock: &Superblock) -> Self {
        let units = superblock.geometry.sectors_per_block();
        let of = |blocks: u32| u64::from(blocks) * units;
        Self { unit: of(superblock.stripe_unit), width: of(superblock.stripe_width) }
    }
}

/// A row for programs: it says of which file.
#[derive(Serialize)]
pub struct Json<'a> {
    /// The file.
    #[serde(flatten)]
    pub path: &'a VolumePath,
    /// The extent or hole.
    #[serde(flatten)]
    pub row: &'a Row,
}

/// One extent or hole, in units of 512 bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// First unit in the file.
    pub offset: u64,
    /// Units.
    pub total: u64,
    /// First unit on the volume; nothing for a hole.
    pub block: Option<u64>,
    /// Allocation group.
    pub ag: Option<u32>,
    /// First unit in it.
    pub ag_offset: Option<u64>,
    /// The flags of `xfs_bmap`.
    pub flags: u32,
    /// Whether space is only reserved: cached bytes wait for blocks.
    pub delalloc: bool,
    /// Whether the blocks read as zeroes.
    pub unwritten: bool,
    /// Whether other files use the blocks too.
    pub shared: bool,
}

impl Row {
    /// The row of an extent.
    pub fn of(extent: &FileExtent, stripes: Stripes) -> Self {
        let (block, ag, within) = match extent.at {
            Some((byte, ag, within)) => (Some(byte / UNIT), Some(ag), Some(within / UNIT)),
            None => (None, None, None),
        };
        let total = extent.length / UNIT;
        let unwritten = extent.kind == ExtentKind::Unwritten;
        let delalloc = extent.kind == ExtentKind::Delalloc;
        let mut flags = block.map_or(0, |block| stripe_flags(block, total, stripes));
        flags |= if extent.shared { SHARED } else { 0 };
        flags |= if unwritten { UNWRITTEN } else { 0 };
        let (offset, shared) = (extent.offset / UNIT, extent.shared);
        Self { offset, total, block, ag, ag_offset: within, flags, delalloc, unwritten, shared }
    }
}

fn stripe_flags(block: u64, total: u64, stripes: Stripes) -> u32 {
    let off = |at: u64, unit: u64| at.checked_rem(unit).is_some_and(|rest| rest != 0);
    let end = block.saturating_add(total);
    let cases = [
        (off(block, stripes.unit), OFF_UNIT_START),
        (off(end, stripes.unit), OFF_UNIT_END),
        (off(block, stripes.width), OFF_WIDTH_START),
        (off(end, stripes.width), OFF_WIDTH_END),
    ];
    cases.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum()
}

fn range(start: u64, length: u64) -> String {
    format!("{start}..{}", start.saturating_add(length).saturating_sub(1))
}

/// The rows under their names. A file without blocks has none.
pub fn table(out: &mut dyn Write, path: &str, rows: &[Row]) -> io::Result<()> {
    if rows.iter().all(|row| row.block.is_none() && !row.delalloc) {
        return writeln!(out, "{path}: no extents");
    }
    let cells: Vec<[String; 5]> = rows.iter().map(cells).collect();
    let width = |column: usize, least: usize| {
        let lengths = cells.iter().filter_map(|row| row.get(column)).map(String::len);
        lengths.max().unwrap_or(0).max(least)
    };
    let (file, block, ag) = (width(0, 16), width(1, 16), width(2, 2));
    let (within, total) = (width(3, 16), width(4, 5));
    writeln!(out, "{path}:")?;
    writeln!(
        out,
        " EXT: {:<file$} {:<block$} {:>ag$} {:<within$} {:>total$} FLAGS",
        "FILE-OFFSET", "BLOCK-RANGE", "AG", "AG-OFFSET", "TOTAL"
    )?;
    for (number, (row, [a, b, c, d, e])) in rows.iter().zip(&cells).enumerate() {
        write!(out, "{number:4}: {a:<file$} {b:<block$} {c:>ag$} {d:<within$} {e:>total$}")?;
        match row.block {
            Some(_) => writeln!(out, " {:06o}", row.flags)?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn cells(row: &Row) -> [String; 5] {
    let file = format!("[{}]:", range(row.offset, row.total));
    let (block, ag, within) = match (row.block, row.ag, row.ag_offset) {
        (Some(block), Some(ag), Some(within)) => {
            let within = format!("({})", range(within, row.total));
            (range(block, row.total), ag.to_string(), within)
        }
        _ if row.delalloc => ("delalloc".to_owned(), String::new(), String::new()),
        _ => ("hole".to_owned(), String::new(), String::new()),
    };
    [file, block, ag, within, row.total.to_string()]
}

/// What the flags mean.
pub fn legend(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, " FLAG Values:")?;
    LEGEND.iter().try_for_each(|(flag, text)| writeln!(out, "    {flag:07o} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(offset: u64, kind: ExtentKind, at: Option<(u64, u32, u64)>) -> Row {
        let extent = FileExtent { offset, length: 65536, kind, at, shared: false };
        Row::of(&extent, Stripes { unit: 0, width: 0 })
    }

    #[test]
    fn reservations_are_shown_as_xfs_bmap_shows_them() {
        let rows = [
            row(0, ExtentKind::Written, Some((98304, 0, 98304))),
            row(65536, ExtentKind::Hole, None),
            row(131072, ExtentKind::Delalloc, None),
        ];
        let mut out = Vec::new();
        table(&mut out, "a", &rows).unwrap();
        let columns = " EXT: FILE-OFFSET      BLOCK-RANGE      AG AG-OFFSET        TOTAL FLAGS";
        let expected = [
            "a:",
            columns,
            "   0: [0..127]:        192..319          0 (192..319)         128 000000",
            "   1: [128..255]:      hole                                   128",
            "   2: [256..383]:      delalloc                               128",
            "",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.join("\n"));
    }

    #[test]
    fn a_file_with_nothing_but_reservations_has_extents() {
        let mut out = Vec::new();
        table(&mut out, "a", &[row(0, ExtentKind::Delalloc, None)]).unwrap();
        assert!(!String::from_utf8(out).unwrap().contains("no extents"));
    }
}
