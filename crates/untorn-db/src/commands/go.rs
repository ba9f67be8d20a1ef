//! Commands that go somewhere.

use super::{Said, number};
use crate::field::{Scope, To};
use crate::fork;
use crate::kind::{TYPES, Type};
use crate::place::{Current, Place};
use crate::session::Session;
use crate::{Result, path, refuse, scan, select};
use untorn_format::inode::DinodeDisk;
use untorn_format::{AgBlock, AgIno, AgNumber, DiskAddr, Fork, FsBlock, Ino};

pub fn sb(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    header(session, arguments, Type::Sb, 0)
}
pub fn agf(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    header(session, arguments, Type::Agf, 1)
}
pub fn agi(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    header(session, arguments, Type::Agi, 2)
}
pub fn agfl(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    header(session, arguments, Type::Agfl, 3)
}

fn header(session: &mut Session<'_>, typed: &[&str], kind: Type, index: u32) -> Result<Said> {
    let ag = match typed.first() {
        Some(typed) => number(typed)?,
        None => session.here().and_then(|p| session.volume.group(p)).map_or(0, |ag| ag.0.into()),
    };
    let geometry = &session.volume.shape.geometry;
    let ag = u32::try_from(ag).ok().filter(|&ag| ag < geometry.ag_count);
    let Some(ag) = ag else {
        return refuse(format!("bad allocation group: there are {}", geometry.ag_count));
    };
    let from = geometry.byte_of(geometry.header_addr(AgNumber(ag), index));
    session.go(kind, from, session.volume.length(kind))?;
    Ok(Said::Nothing)
}

pub fn inode(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    if let [typed, ..] = arguments {
        return to_inode(session, Ino(number(typed)?));
    }
    match session.here()?.inode {
        Some(current) => Ok(Said::Text(format!("current inode number is {}\n", current.ino))),
        None => refuse("no current inode"),
    }
}

pub(super) fn to_inode(session: &mut Session<'_>, ino: Ino) -> Result<Said> {
    let Some(from) = scan::inode_byte(&session.volume, ino) else {
        return refuse(format!("bad inode number {ino}: it lies in no AG"));
    };
    let bytes = session.volume.read(from, session.volume.shape.geometry.inode_size())?;
    let mode = DinodeDisk::of(&bytes).map_or(0, |core| core.mode.get());
    let inode = Some(Current { ino, mode });
    session.enter(Place { kind: Some(Type::Inode), from, bytes, inode });
    Ok(Said::Nothing)
}

pub fn fsblock(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    if let [typed, ..] = arguments {
        return to_block(session, FsBlock(number(typed)?), Type::Data);
    }
    let geometry = &session.volume.shape.geometry;
    match geometry.block_at(DiskAddr(session.here()?.from >> 9)) {
        Some((ag, block)) => {
            Ok(Said::Text(format!("current fsblock is {}\n", geometry.fs_block(ag, block))))
        }
        None => refuse("this place lies in no AG"),
    }
}

fn to_block(session: &mut Session<'_>, block: FsBlock, kind: Type) -> Result<Said> {
    let geometry = &session.volume.shape.geometry;
    let Some(addr) = geometry.addr_of(block) else {
        return refuse(format!("bad fsblock {block}: it lies in no AG"));
    };
    let from = geometry.byte_of(addr);
    session.go(kind, from, session.volume.length(kind))?;
    Ok(Said::Nothing)
}

pub fn daddr(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let [typed, ..] = arguments else {
        return Ok(Said::Text(format!("current daddr is {}\n", session.here()?.from >> 9)));
    };
    match number(typed)?.checked_mul(512) {
        Some(from) => session.go(Type::Data, from, 512).map(|()| Said::Nothing),
        None => refuse(format!("bad daddr {typed}")),
    }
}

pub fn dblock(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    to_file_block(session, arguments, Fork::Data)
}
pub fn ablock(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    to_file_block(session, arguments, Fork::Attr)
}

fn to_file_block(session: &mut Session<'_>, arguments: &[&str], fork: Fork) -> Result<Said> {
    let block = arguments.first().map_or(Ok(0), |typed| number(typed))?;
    file_block(session, block, fork)
}

/// The inode that was looked at last, and its bytes as they are now.
pub(super) fn current(session: &Session<'_>) -> Result<(Current, Vec<u8>)> {
    let Some(current) = session.here()?.inode else {
        return refuse("no current inode: go to one first (inode N)");
    };
    match scan::inode(&session.volume, current.ino)? {
        Some(bytes) => Ok((current, bytes)),
        None => refuse(format!("bad inode number {}", current.ino)),
    }
}

/// Goes to a block of a fork; of a directory to all blocks of a directory block.
fn file_block(session: &mut Session<'_>, block: u64, fork: Fork) -> Result<Said> {
    let (current, inode) = current(session)?;
    let kind = match fork {
        Fork::Attr => Type::Attr3,
        Fork::Data => data_type(session, current)?,
    };
    let runs = fork::runs(&session.volume, &inode, fork)?;
    let size = session.volume.shape.geometry.block_size();
    let blocks = (session.volume.length(kind) / size) as u64;
    let mut bytes = Vec::new();
    let mut first = None;
    for block in block..block.saturating_add(blocks) {
        let Some(from) = fork::byte_of(&session.volume, &runs, block) else {
            return refuse(format!("file block {block} is not mapped"));
        };
        first = first.or(Some(from));
        bytes.extend(session.volume.read(from, size)?);
    }
    session.go_to(kind, first.unwrap_or(0), bytes);
    Ok(Said::Nothing)
}

/// What the data of an inode is read as.
fn data_type(session: &Session<'_>, current: Current) -> Result<Type> {
    let superblock = &session.volume.shape.superblock;
    Ok(match current.mode & 0o170_000 {
        0o040_000 => Type::Dir3,
        0o120_000 => Type::Symlink,
        0o100_000 if superblock.rbmino.get() == current.ino.0 => Type::Rtbitmap,
        0o100_000 if superblock.rsumino.get() == current.ino.0 => Type::Rtsummary,
        0o100_000 if session.volume.shape.is_quota(current.ino.0) => Type::Dqblk,
        0o100_000 => Type::Data,
        _ => return refuse("the inode is of a kind without data"),
    })
}

pub fn dquot(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let superblock = &session.volume.shape.superblock;
    let (ino, typed) = match arguments {
        ["-g", id] => (superblock.gquotino.get(), id),
        ["-p", id] => (superblock.pquotino.get(), id),
        ["-u", id] | [id] => (superblock.uquotino.get(), id),
        _ => return refuse("usage: dquot [-g|-p|-u] id"),
    };
    if matches!(ino, 0 | u64::MAX) {
        return refuse("the volume keeps no such quota");
    }
    let (id, size) = (number(typed)?, 136);
    let per_block = session.volume.shape.geometry.block_size() as u64 / size;
    to_inode(session, Ino(ino))?;
    file_block(session, id / per_block, Fork::Data)?;
    let from = session.here()?.from + id % per_block * size;
    session.go(Type::Dqblk, from, size as usize)?;
    Ok(Said::Nothing)
}

pub fn read_as(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let [name, ..] = arguments else {
        let current = session.here()?.kind.map_or("none", Type::name);
        let names: Vec<_> = TYPES.iter().map(|(_, name)| *name).collect();
        let names = names.join(", ");
        return Ok(Said::Text(format!("current type is \"{current}\"\n\n types: {names}\n")));
    };
    let Some(kind) = Type::named(name) else { return refuse(format!("no such type {name}")) };
    let (from, length) = (session.here()?.from, session.here()?.bytes.len());
    let length = if kind == Type::Inode { session.volume.length(kind) } else { length };
    session.go(kind, from, length)?;
    Ok(Said::Nothing)
}

pub fn addr(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let [typed, ..] = arguments else {
        return session.here().map(describe).map(Said::Text);
    };
    let place = session.here()?;
    let Some(fields) = place.kind.and_then(Type::fields) else {
        return refuse("bytes have no fields: say what they are (type ...)");
    };
    let shape = &session.volume.shape;
    let scope = Scope { bytes: place.structure(), base: 0, note: 0, shape };
    let found = select::follow(fields, &scope, &path::parse(typed)?)?;
    match found.to {
        Some(_) if found.is_null => refuse(format!("field {typed} is null")),
        Some(to) => follow(session, to, found.number),
        None => refuse(format!("field {typed} points at nothing")),
    }
}

fn follow(session: &mut Session<'_>, to: To, number: u64) -> Result<Said> {
    let ag = session.volume.group(session.here()?);
    let geometry = &session.volume.shape.geometry;
    let low = u32::try_from(number).unwrap_or(u32::MAX);
    match to {
        To::AgBlock(kind) => {
            let block = geometry.fs_block(ag?, AgBlock(low));
            to_block(session, block, kind)
        }
        To::AgIno => {
            let ino = geometry.ino(ag?, AgIno(low));
            to_inode(session, ino)
        }
        To::FsBlock(kind) => to_block(session, FsBlock(number), kind),
        To::Ino => to_inode(session, Ino(number)),
        To::DataBlock => file_block(session, number, Fork::Data),
        To::AttrBlock => file_block(session, number, Fork::Attr),
        To::Data => {
            let kind = match session.here()?.inode {
                Some(current) => data_type(session, current)?,
                None => Type::Data,
            };
            to_block(session, FsBlock(number), kind)
        }
        To::DiskAddr(kind) => match number.checked_mul(512) {
            Some(from) => {
                session.go(kind, from, session.volume.length(kind)).map(|()| Said::Nothing)
            }
            None => refuse(format!("bad daddr {number}")),
        },
    }
}

pub fn back(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    step(session, session.behind + 1)
}
pub fn forward(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    match session.behind.checked_sub(1) {
        Some(behind) => step(session, behind),
        None => refuse("no place after this one"),
    }
}

fn step(session: &mut Session<'_>, behind: usize) -> Result<Said> {
    let index = session.ring.len().checked_sub(behind + 1);
    match index.and_then(|index| session.ring.get(index)).cloned() {
        Some(place) => {
            (session.place, session.behind) = (Some(place), behind);
            Ok(Said::Nothing)
        }
        None => refuse("no place before this one"),
    }
}

pub fn push(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let here = session.here()?.clone();
    session.stack.push(here);
    match arguments.split_first() {
        Some((name, rest)) => super::run(session, name, rest),
        None => Ok(Said::Nothing),
    }
}

pub fn pop(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    match session.stack.pop() {
        Some(place) => {
            session.enter(place);
            Ok(Said::Nothing)
        }
        None => refuse("nothing was pushed"),
    }
}

pub fn stack(session: &mut Session<'_>, _: &[&str]) -> Result<Said> {
    let places = session.place.iter().chain(session.stack.iter().rev());
    let line = |(nth, place): (usize, &Place)| format!("{}: {}", nth + 1, describe(place));
    Ok(Said::Text(places.enumerate().map(line).collect()))
}

fn describe(place: &Place) -> String {
    let kind = place.kind.map_or("none", Type::name);
    let inode = place.inode.map_or("none".to_owned(), |current| current.ino.to_string());
    let (from, length) = (place.from, place.bytes.len());
    format!(
        "byte offset {from}, length {length}, daddr {}, inode {inode}, type {kind}\n",
        from >> 9
    )
}
