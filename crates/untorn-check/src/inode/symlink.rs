//! Targets of symlinks, inline and in blocks of their own.

use super::Node;
use crate::code::Code;
use crate::scan::{Scan, Step, Target};
use untorn_format::inode::ForkFormat;
use untorn_format::units::*;
use untorn_format::{BlockKind, Extent, Fork, Place, symlink};

/// Checks the target of a symlink whose extents are `extents`.
pub(super) fn check(scan: &mut Scan<'_>, node: &Node<'_>, extents: &[Extent]) -> Step {
    let size = usize::try_from(node.core.size).unwrap_or(usize::MAX);
    let target = match node.core.format {
        ForkFormat::Local => node.fork(Fork::Data).0.get(..size).map(<[u8]>::to_vec),
        _ => remote(scan, node, extents)?,
    };
    let Some(target) = target else { return Ok(()) };
    if target.len() != size {
        let told = format!("symlink: size is {size}, the target has {} bytes", target.len());
        return scan.find(Code::SymlinkTarget, node.place(), told);
    }
    match symlink::verify_target(&target) {
        Ok(()) => Ok(()),
        Err(fault) => scan.find(Code::SymlinkTarget, node.place(), fault),
    }
}

/// The target in the blocks of a symlink; `None` where they cannot be read.
fn remote(scan: &mut Scan<'_>, node: &Node<'_>, extents: &[Extent]) -> Step<Option<Vec<u8>>> {
    let mut target = Vec::new();
    let mut end = FileBlock(0);
    for extent in extents {
        if extent.file != end {
            let told = format!("symlink: nothing is mapped at file block {end}");
            scan.find(Code::SymlinkTarget, node.place(), told)?;
            return Ok(None);
        }
        end = extent.file_end();
        let Some(part) = part(scan, node, *extent, target.len())? else { return Ok(None) };
        target.extend(part);
    }
    Ok(Some(target))
}

/// The part of a target that one extent holds and that begins at byte `offset`.
fn part(
    scan: &mut Scan<'_>,
    node: &Node<'_>,
    extent: Extent,
    offset: usize,
) -> Step<Option<Vec<u8>>> {
    let geometry = scan.geometry();
    let Some(addr) = geometry.addr_of(extent.start) else { return Ok(None) };
    let place = Place { addr: Some(addr), ..node.place() };
    let longest = geometry.blocks_for(symlink::MAX_TARGET as u64 + 1).max(1) + 2;
    if u64::from(extent.length) > longest {
        let told = format!("symlink: an extent of {} blocks", extent.length);
        return scan.find(Code::SymlinkTarget, place, told).map(|()| None);
    }
    let length = extent.length as usize * geometry.block_size();
    let target = Target { addr, length, owner: Some(node.ino.0) };
    let Some(bytes) = scan.block(BlockKind::Symlink, target, place)? else { return Ok(None) };
    let Ok(part) = symlink::parse(&bytes) else { return Ok(None) };
    if part.offset != offset {
        let told =
            format!("symlink: part says it begins at byte {}, it does at {offset}", part.offset);
        return scan.find(Code::SymlinkTarget, place, told).map(|()| None);
    }
    Ok(Some(part.bytes.to_vec()))
}
