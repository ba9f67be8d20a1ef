//! Inodes: the core of each, against the inode btrees, its kind and its forks.

pub(crate) mod fork;
mod rules;
pub(crate) mod states;
mod symlink;

use crate::attr;
use crate::code::Code;
use crate::group::{Group, chunks};
use crate::owners::Claims;
use crate::reader::Ahead;
use crate::scan::{Scan, Step};
use fork::Mapped;
use states::States;
use untorn_format::inode::{self, FileKind, InodeCore, InodeIdentity};
use untorn_format::records::InobtRec;
use untorn_format::units::*;
use untorn_format::{Extent, Fault, Fork, Place};

/// An inode in use that can be read.
pub(crate) struct Node<'b> {
    /// Its number.
    pub(crate) ino: Ino,
    /// Its core.
    pub(crate) core: InodeCore,
    /// All its bytes.
    pub(crate) bytes: &'b [u8],
    /// Where it lies.
    pub(crate) addr: DiskAddr,
}

impl Node<'_> {
    /// Where to say that something of this inode is wrong.
    pub(crate) fn place(&self) -> Place {
        Place { addr: Some(self.addr), ..Place::inode(self.ino) }
    }

    /// The bytes of a fork and where in the inode they begin.
    pub(crate) fn fork(&self, fork: Fork) -> (&[u8], usize) {
        let core = &self.core;
        let range = inode::fork_range(core.version, core.fork_offset, self.bytes.len(), fork);
        (self.bytes.get(range.clone()).unwrap_or_default(), range.start)
    }
}

/// What the inodes of the volume are checked into.
pub(crate) struct Ledger<'l> {
    /// Who owns which blocks.
    pub(crate) claims: &'l mut Claims,
    /// What is remembered of each inode.
    pub(crate) states: &'l mut States,
    /// Directories that are in use and named, in order.
    pub(crate) directories: &'l mut Vec<Directory>,
}

/// A directory to be read when all inodes are known.
pub(crate) struct Directory {
    /// Its number.
    pub(crate) ino: Ino,
    /// Its extents, where it has any.
    pub(crate) extents: Vec<Extent>,
}

/// Checks every inode of an AG.
pub(crate) fn check_group(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    group: &Group,
    ledger: &mut Ledger<'_>,
) -> Step {
    group.chunks.iter().try_for_each(|chunk| check_chunk(scan, ag, chunk, ledger))
}

fn check_chunk(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    chunk: &InobtRec,
    ledger: &mut Ledger<'_>,
) -> Step {
    let geometry = scan.geometry();
    let per_block = geometry.inodes_per_block();
    for (start, blocks, _) in chunks::runs(per_block, chunk) {
        let length = u64::from(blocks) << geometry.block_log;
        scan.ahead(Ahead::Chunk, geometry.addr(ag, start), length)?;
    }
    for index in (0..64).filter(|index| chunk.allocated() >> index & 1 == 1) {
        let ino = geometry.ino(ag, AgIno(chunk.start.0.saturating_add(index)));
        let bytes = read(scan, ino)?;
        if chunk.free >> index & 1 == 1 {
            check_free(scan, ino, &bytes)?;
        } else {
            check_used(scan, ino, &bytes, ledger)?;
        }
    }
    Ok(())
}

/// The address of an inode's first 512 bytes; its bytes need not begin there.
pub(crate) fn addr_of(scan: &Scan<'_>, ino: Ino) -> (DiskAddr, u64) {
    let geometry = scan.geometry();
    let (ag, in_ag) = geometry.split_ino(ino).unwrap_or_default();
    let (block, index) = geometry.inode_block(in_ag);
    let addr = geometry.addr(ag, block);
    let offset = u64::from(index) << geometry.inode_log;
    (DiskAddr(addr.0 + offset / u64::from(BASIC_BLOCK)), offset % u64::from(BASIC_BLOCK))
}

/// The bytes of an inode of the volume, unverified.
pub(crate) fn read(scan: &mut Scan<'_>, ino: Ino) -> Step<Vec<u8>> {
    let (addr, offset) = addr_of(scan, ino);
    let (start, length) = (scan.geometry().byte_of(addr) + offset, scan.geometry().inode_size());
    Ok(scan.reader.read(start, length)?)
}

/// Verifies an inode. Faults are findings; one whose only fault is its LSN is used all the same.
fn verified(scan: &mut Scan<'_>, ino: Ino, bytes: &[u8]) -> Step<Option<InodeCore>> {
    let place = Place { addr: Some(addr_of(scan, ino).0), ..Place::inode(ino) };
    let mut result = decode(scan, ino, bytes, scan.newest);
    if let Err(fault @ Fault::Ahead { .. }) = &result {
        scan.fault(fault, place)?;
        result = decode(scan, ino, bytes, None);
    }
    match result {
        Ok(core) => Ok(Some(core)),
        Err(fault) => scan.fault(&fault, place).map(|()| None),
    }
}

/// Reads an inode's core and checks it as a structure. Only version 3 belongs on these volumes.
pub(crate) fn decode(
    scan: &Scan<'_>,
    ino: Ino,
    bytes: &[u8],
    newest: Option<Lsn>,
) -> Result<InodeCore, Fault> {
    let (sb, geometry) = (scan.sb, scan.geometry());
    let identity =
        InodeIdentity { geometry, features: sb.features, uuid: sb.meta_uuid, ino, newest };
    let core = InodeCore::decode(bytes, &identity)?;
    match core.version {
        3 => Ok(core),
        version => Err(Fault::Field { what: "inode", field: "di_version", value: version.into() }),
    }
}

fn check_free(scan: &mut Scan<'_>, ino: Ino, bytes: &[u8]) -> Step {
    let Some(core) = verified(scan, ino, bytes)? else { return Ok(()) };
    let place = Place { addr: Some(addr_of(scan, ino).0), ..Place::inode(ino) };
    let told = format_args!("the inode btrees say that it is free, its mode is {:#o}", core.mode);
    scan.demand(core.mode == 0, Code::InodeInUse, place, told)?;
    let told = format_args!("it is free and counts {} blocks", core.blocks);
    scan.demand(core.mode != 0 || core.blocks == 0, Code::InodeBlocks, place, told)
}

fn check_used(scan: &mut Scan<'_>, ino: Ino, bytes: &[u8], ledger: &mut Ledger<'_>) -> Step {
    scan.stats.inodes += 1;
    let Some(core) = verified(scan, ino, bytes)? else {
        scan.blind.owners = true;
        scan.blind.names = true;
        return Ok(());
    };
    let addr = addr_of(scan, ino).0;
    let node = Node { ino, core, bytes, addr };
    if node.core.mode == 0 {
        let told = "the inode btrees say that it is in use, its mode is 0";
        return scan.find(Code::InodeNotInUse, node.place(), told);
    }
    if let Some(state) = ledger.states.at_mut(ino) {
        state.set(&node.core);
    }
    rules::check(scan, &node)?;
    check_forks(scan, &node, ledger)
}

fn check_forks(scan: &mut Scan<'_>, node: &Node<'_>, ledger: &mut Ledger<'_>) -> Step {
    let kind = node.core.kind();
    let mut extents: Vec<Extent> = Vec::new();
    let keep = matches!(kind, Some(FileKind::Symlink | FileKind::Directory));
    let mut show = |extent| {
        if keep {
            extents.push(extent);
        }
    };
    let data = fork::check(scan, node, Fork::Data, ledger.claims, &mut show)?;
    let attrs = check_attrs(scan, node, ledger)?;
    if data.intact && attrs.intact {
        let (said, is) = (node.core.blocks, data.blocks + attrs.blocks);
        let told = format_args!("the inode counts {said} blocks, its forks have {is}");
        scan.demand(said == is, Code::InodeBlocks, node.place(), told)?;
    }
    match kind {
        Some(FileKind::Directory) => {
            scan.stats.directories += 1;
            scan.blind.names |= !data.intact;
            if node.core.nlink > 0 && data.intact {
                ledger.directories.push(Directory { ino: node.ino, extents });
            }
            Ok(())
        }
        Some(FileKind::Symlink) if data.intact => symlink::check(scan, node, &extents),
        _ => Ok(()),
    }
}

fn check_attrs(scan: &mut Scan<'_>, node: &Node<'_>, ledger: &mut Ledger<'_>) -> Step<Mapped> {
    if !node.core.has_attr_fork() {
        return Ok(Mapped { intact: true, ..Mapped::default() });
    }
    let mut extents = Vec::new();
    let mut show = |extent| extents.push(extent);
    let mapped = fork::check(scan, node, Fork::Attr, ledger.claims, &mut show)?;
    if mapped.intact {
        attr::check(scan, node, extents, ledger.states)?;
    }
    Ok(mapped)
}

/// An inode that was checked before, read again.
pub(crate) fn again(scan: &mut Scan<'_>, ino: Ino) -> Step<Option<(InodeCore, Vec<u8>)>> {
    let bytes = read(scan, ino)?;
    Ok(decode(scan, ino, &bytes, None).ok().map(|core| (core, bytes)))
}
