//! `convert`: one address in other words. All that is given adds up to a byte of the volume.

use super::{Said, number};
use crate::session::Session;
use crate::{Result, refuse};
use untorn_format::{AgIno, DiskAddr, FsBlock, Geometry, Ino};

/// A unit of addresses.
#[derive(Clone, Copy)]
enum Unit {
    AgNumber,
    AgBlock,
    AgIno,
    BlockOffset,
    SectorOffset,
    Byte,
    DiskAddr,
    FsBlock,
    Ino,
    InodeIndex,
    InodeOffset,
}

const UNITS: &[(&str, Unit)] = &[
    ("agno", Unit::AgNumber),
    ("agnumber", Unit::AgNumber),
    ("agbno", Unit::AgBlock),
    ("agblock", Unit::AgBlock),
    ("agino", Unit::AgIno),
    ("aginode", Unit::AgIno),
    ("agboff", Unit::BlockOffset),
    ("fsboff", Unit::BlockOffset),
    ("blkoff", Unit::BlockOffset),
    ("bboff", Unit::SectorOffset),
    ("daddroff", Unit::SectorOffset),
    ("byte", Unit::Byte),
    ("fsbyte", Unit::Byte),
    ("bb", Unit::DiskAddr),
    ("daddr", Unit::DiskAddr),
    ("fsb", Unit::FsBlock),
    ("fsblock", Unit::FsBlock),
    ("fsbno", Unit::FsBlock),
    ("ino", Unit::Ino),
    ("inode", Unit::Ino),
    ("inoidx", Unit::InodeIndex),
    ("offset", Unit::InodeIndex),
    ("inooff", Unit::InodeOffset),
    ("inodeoff", Unit::InodeOffset),
];

pub fn convert(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let Some((to, pairs)) = arguments.split_last() else { return refuse("convert what?") };
    let to = unit(to)?;
    let geometry = &session.volume.shape.geometry;
    let mut byte = 0u64;
    for pair in pairs.chunks(2) {
        let [name, value] = pair else { return refuse("each type needs a number") };
        let more = bytes(geometry, unit(name)?, number(value)?);
        byte = match more.and_then(|more| byte.checked_add(more)) {
            Some(sum) => sum,
            None => return refuse(format!("bad {name} {value}: it lies outside the volume")),
        };
    }
    match express(geometry, to, byte) {
        Some(value) => Ok(Said::Text(format!("{value:#x} ({value})\n"))),
        None => refuse(format!("byte {byte} lies in no AG")),
    }
}

fn unit(name: &str) -> Result<Unit> {
    match UNITS.iter().find(|(known, _)| *known == name) {
        Some((_, unit)) => Ok(*unit),
        None => {
            let names: Vec<_> = UNITS.iter().map(|(name, _)| *name).collect();
            refuse(format!("unknown conversion type {name}: there are {}", names.join(", ")))
        }
    }
}

/// Bytes from the start of the volume; `None` outside of it.
fn bytes(geometry: &Geometry, unit: Unit, value: u64) -> Option<u64> {
    let block = geometry.block_size() as u64;
    match unit {
        Unit::AgNumber => value.checked_mul(u64::from(geometry.ag_blocks))?.checked_mul(block),
        Unit::AgBlock => value.checked_mul(block),
        Unit::AgIno => Some(inside(geometry, AgIno(u32::try_from(value).ok()?))),
        Unit::Byte | Unit::BlockOffset | Unit::SectorOffset | Unit::InodeOffset => Some(value),
        Unit::DiskAddr => value.checked_mul(512),
        Unit::FsBlock => geometry.addr_of(FsBlock(value)).map(|addr| geometry.byte_of(addr)),
        Unit::Ino => {
            let (ag, ino) = geometry.split_ino(Ino(value))?;
            let base = geometry.byte_of(geometry.header_addr(ag, 0));
            Some(base + inside(geometry, ino))
        }
        Unit::InodeIndex => value.checked_mul(geometry.inode_size() as u64),
    }
}

/// Bytes from the start of the AG.
fn inside(geometry: &Geometry, ino: AgIno) -> u64 {
    let (block, index) = geometry.inode_block(ino);
    u64::from(block.0) * geometry.block_size() as u64
        + u64::from(index) * geometry.inode_size() as u64
}

fn express(geometry: &Geometry, unit: Unit, byte: u64) -> Option<u64> {
    let (ag, block) = geometry.block_at(DiskAddr(byte >> 9))?;
    let in_block = byte % geometry.block_size() as u64;
    let index = in_block / geometry.inode_size() as u64;
    let ino = AgIno(geometry.first_ino(block).0.checked_add(u32::try_from(index).ok()?)?);
    Some(match unit {
        Unit::AgNumber => ag.0.into(),
        Unit::AgBlock => block.0.into(),
        Unit::AgIno => ino.0.into(),
        Unit::BlockOffset => in_block,
        Unit::SectorOffset => byte % 512,
        Unit::Byte => byte,
        Unit::DiskAddr => byte >> 9,
        Unit::FsBlock => geometry.fs_block(ag, block).0,
        Unit::Ino => geometry.ino(ag, ino).0,
        Unit::InodeIndex => index,
        Unit::InodeOffset => byte % geometry.inode_size() as u64,
    })
}
