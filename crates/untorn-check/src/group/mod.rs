//! Allocation groups: their headers, and the inode chunks that their btrees name.

pub(crate) mod chunks;

use crate::code::Code;
use crate::owners::{Claims, check_count};
use crate::reader::Ahead;
use crate::scan::{Scan, Step, Target, ag_place};
use crate::superblock;
use chunks::Chunks;
use untorn_format::ag::{Agf, Agi};
use untorn_format::records::InobtRec;
use untorn_format::units::*;
use untorn_format::{BlockKind, Place};

/// What is kept of an AG while the rest is checked.
pub(crate) struct Group {
    /// Its space, where the AGF could be read.
    pub(crate) agf: Option<Agf>,
    /// First inode of each chain of unlinked inodes, where the AGI could be read.
    pub(crate) unlinked: Vec<Option<AgIno>>,
    /// Inode chunks, first to last.
    pub(crate) chunks: Vec<InobtRec>,
    /// Whether those are all.
    pub(crate) intact: bool,
}

/// Reads the headers and the inode btrees of an AG, and claims the blocks of its chunks.
pub(crate) fn read(scan: &mut Scan<'_>, ag: AgNumber, claims: &mut Claims) -> Step<Group> {
    ahead(scan, ag)?;
    if ag.0 != 0 {
        superblock::check_copy(scan, ag)?;
    }
    let agf = read_agf(scan, ag)?;
    let Some(agi) = read_agi(scan, ag)? else {
        scan.blind.owners = true;
        scan.blind.names = true;
        return Ok(Group { agf, unlinked: Vec::new(), chunks: Vec::new(), intact: false });
    };
    let Chunks { found, intact } = chunks::read(scan, &agi, claims)?;
    if intact {
        check_counts(scan, &agi, &found)?;
    } else {
        scan.blind.owners = true;
        scan.blind.names = true;
    }
    Ok(Group { agf, unlinked: agi.unlinked.to_vec(), chunks: found, intact })
}

/// Reads the first blocks of an AG ahead: headers and the roots that mkfs places behind them.
pub(crate) fn ahead(scan: &mut Scan<'_>, ag: AgNumber) -> Step {
    let geometry = scan.geometry();
    let least = 4 * geometry.sector_size() as u64;
    let most = u64::from(geometry.blocks_of(ag)) << geometry.block_log;
    let length = (16 * geometry.block_size() as u64).min(64 << 10).max(least).min(most);
    scan.ahead(Ahead::Group, geometry.addr(ag, AgBlock(0)), length)
}

fn header(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    kind: BlockKind,
) -> Step<(Option<Vec<u8>>, DiskAddr, Place)> {
    let index = if kind == BlockKind::Agf { 1 } else { 2 };
    let addr = scan.geometry().header_addr(ag, index);
    let place = Place { ag: Some(ag), ..Place::at(addr) };
    let target = Target { addr, length: scan.geometry().sector_size(), owner: None };
    Ok((scan.block(kind, target, place)?, addr, place))
}

fn read_agf(scan: &mut Scan<'_>, ag: AgNumber) -> Step<Option<Agf>> {
    let (bytes, addr, place) = header(scan, ag, BlockKind::Agf)?;
    let Some(bytes) = bytes else { return Ok(None) };
    // Verified just now, except for an LSN that was told already.
    let agf = Agf::decode(&bytes, &scan.sb.identity(addr, None)).ok();
    let features = scan.sb.features;
    if let Some(agf) = &agf {
        let trees = [
            ("agf_rmap_root", agf.rmapbt.is_some(), features.has_rmapbt()),
            ("agf_refcount_root", agf.refcountbt.is_some(), features.has_reflink()),
        ];
        for (field, has, expected) in trees {
            tree_exists(scan, place, (field, has, expected))?;
        }
    }
    Ok(agf)
}

fn tree_exists(
    scan: &mut Scan<'_>,
    place: Place,
    (field, has, expected): (&str, bool, bool),
) -> Step {
    let told = match expected {
        true => format_args!("{field}: the volume has such btrees, the AG has none"),
        false => format_args!("{field}: the volume has no such btrees"),
    };
    scan.demand(has == expected, Code::BadField, place, told)
}

fn read_agi(scan: &mut Scan<'_>, ag: AgNumber) -> Step<Option<Agi>> {
    let (bytes, addr, place) = header(scan, ag, BlockKind::Agi)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let agi = Agi::decode(&bytes, &scan.sb.identity(addr, None)).ok();
    if let Some(agi) = &agi {
        let expected = scan.sb.features.has_finobt();
        tree_exists(scan, place, ("agi_free_root", agi.finobt.is_some(), expected))?;
    }
    Ok(agi)
}

fn check_counts(scan: &mut Scan<'_>, agi: &Agi, chunks: &[InobtRec]) -> Step {
    let (inodes, free) = count(chunks);
    let checks = [
        (Code::AgiCount, "agi_count", agi.count, inodes),
        (Code::AgiFreeCount, "agi_freecount", agi.free_count, free),
    ];
    for (code, field, said, is) in checks {
        check_count(scan, agi.ag, code, (field, said.into(), is))?;
    }
    let newest = agi.newest_chunk.filter(|ino| !exists(scan, agi.ag, *ino));
    match newest {
        Some(ino) => {
            let told = format!("agi_newino is {ino}");
            scan.find(Code::BadField, ag_place(agi.ag), told)
        }
        None => Ok(()),
    }
}

fn exists(scan: &Scan<'_>, ag: AgNumber, ino: AgIno) -> bool {
    let (block, _) = scan.geometry().inode_block(ino);
    block.0 < scan.geometry().blocks_of(ag)
}

/// Inodes and free inodes of chunks.
pub(crate) fn count(chunks: &[InobtRec]) -> (u64, u64) {
    let inodes = chunks.iter().map(|rec| u64::from(rec.count)).sum();
    (inodes, chunks.iter().map(|rec| u64::from(rec.free_count)).sum())
}
