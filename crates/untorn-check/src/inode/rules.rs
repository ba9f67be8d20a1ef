//! Rules for the core of an inode in use, past what the format layer checks of any inode.

use super::Node;
use crate::code::Code;
use crate::scan::{Scan, Step};
use untorn_format::inode::{DinodeDisk, FileKind, ForkFormat, InodeFlags, InodeFlags2};

/// Nanoseconds of a second.
const NANOS: u32 = 1_000_000_000;

/// Checks the core of an inode in use.
pub(super) fn check(scan: &mut Scan<'_>, node: &Node<'_>) -> Step {
    hints(scan, node)?;
    flags(scan, node)?;
    chain(scan, node)?;
    times(scan, node)?;
    size(scan, node)
}

fn field(scan: &mut Scan<'_>, node: &Node<'_>, holds: bool, (name, value): (&str, u64)) -> Step {
    scan.demand(holds, Code::BadField, node.place(), format_args!("inode: {name} is {value:#x}"))
}

/// Extent size hints are there exactly where a flag says so, on files that can have them.
fn hints(scan: &mut Scan<'_>, node: &Node<'_>) -> Step {
    let core = &node.core;
    let kind = core.kind();
    let own = core.flags.has(InodeFlags::EXTSIZE);
    let inherited = core.flags.has(InodeFlags::EXTSZINHERIT);
    let legal = (!own || kind == Some(FileKind::Regular))
        && (!inherited || kind == Some(FileKind::Directory))
        && (own || inherited) == (core.extent_size != 0);
    field(scan, node, legal, ("di_extsize", core.extent_size.into()))?;
    let cow = core.flags2.has(InodeFlags2::COWEXTSIZE);
    let can = matches!(kind, Some(FileKind::Regular | FileKind::Directory));
    let legal =
        (!cow || can && scan.sb.features.has_reflink()) && cow == (core.cow_extent_size != 0);
    field(scan, node, legal, ("di_cowextsize", core.cow_extent_size.into()))
}

fn flags(scan: &mut Scan<'_>, node: &Node<'_>) -> Step {
    let core = &node.core;
    // Volumes with a realtime section are not checked at all.
    let realtime = core.flags.has(InodeFlags::REALTIME);
    field(scan, node, !realtime, ("di_flags", core.flags.0.into()))?;
    let bitmap = core.flags.has(InodeFlags::NEWRTBM);
    let legal = !bitmap || node.ino == scan.sb.realtime.bitmap_ino;
    field(scan, node, legal, ("di_flags", core.flags.0.into()))?;
    let metadata = core.flags2.has(InodeFlags2::METADATA);
    let known = core.flags2.0 & !KNOWN_FLAGS_2 == 0;
    let dax = core.flags2.has(InodeFlags2::DAX);
    let can = matches!(core.kind(), Some(FileKind::Regular | FileKind::Directory));
    let legal = known && !metadata && (!dax || can);
    field(scan, node, legal, ("di_flags2", core.flags2.0))?;
    let inherited = DIRECTORY_FLAGS.iter().any(|flag| core.flags.has(*flag));
    let legal = !inherited || core.kind() == Some(FileKind::Directory);
    field(scan, node, legal && core.flags.0 & !KNOWN_FLAGS == 0, ("di_flags", core.flags.0.into()))
}

/// Flags that only directories have, which hand them down.
const DIRECTORY_FLAGS: [InodeFlags; 3] =
    [InodeFlags::RTINHERIT, InodeFlags::PROJINHERIT, InodeFlags::NOSYMLINKS];
/// Bits that Linux has given a meaning.
const KNOWN_FLAGS: u16 = 0x7fff;
const KNOWN_FLAGS_2: u64 = 0x3f;

/// Only an inode without links is on a chain, and so may name the next one.
fn chain(scan: &mut Scan<'_>, node: &Node<'_>) -> Step {
    let next = node.core.next_unlinked.filter(|_| node.core.nlink > 0);
    let told = format_args!("it has links and names {next:?} as the next without");
    scan.demand(next.is_none(), Code::UnlinkedChain, node.place(), told)
}

/// Times of the legacy form have less than a second of nanoseconds.
fn times(scan: &mut Scan<'_>, node: &Node<'_>) -> Step {
    if node.core.flags2.has(InodeFlags2::BIGTIME) {
        return Ok(());
    }
    let Ok(raw) = DinodeDisk::of(node.bytes) else { return Ok(()) };
    let times = [
        ("di_atime", raw.atime),
        ("di_mtime", raw.mtime),
        ("di_ctime", raw.ctime),
        ("di_crtime", raw.crtime),
    ];
    times.into_iter().try_for_each(|(name, time)| {
        let nanos = (time.get() & 0xffff_ffff) as u32;
        field(scan, node, nanos < NANOS, (name, time.get()))
    })
}

/// Special files have no contents; the contents of symlinks and directories have bounds.
fn size(scan: &mut Scan<'_>, node: &Node<'_>) -> Step {
    let core = &node.core;
    let legal = match core.kind() {
        Some(kind) if kind.is_special() => core.size == 0,
        Some(FileKind::Symlink) => core.size < 1024,
        Some(FileKind::Directory) => core.size <= 32 << 30,
        _ => true,
    };
    field(scan, node, legal, ("di_size", core.size))?;
    // A fork that holds contents beyond them: short forms fill exactly the size that is said.
    let inline = core.format == ForkFormat::Local;
    let legal = !inline || core.extents == 0;
    field(scan, node, legal, ("di_nextents", core.extents))
}
