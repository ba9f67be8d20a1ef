//! Every check of an inode that later code builds on.

use super::fork::{ForkFormat, fork_range};
use super::*;
use crate::btree;
use crate::records::Extent;

fn demand(holds: bool, field: &'static str, value: impl Into<u64>) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Field { what: WHAT, field, value: value.into() }) }
}

/// Checks an inode and reads it.
pub(super) fn verify(bytes: &[u8], identity: &InodeIdentity<'_>) -> Result<InodeCore, Fault> {
    let need = identity.geometry.inode_size();
    let bytes = bytes.get(..need).ok_or(Fault::Short { what: WHAT, have: bytes.len(), need })?;
    let raw = DinodeDisk::of(bytes)?;
    header(raw, bytes, identity)?;
    let core = InodeCore::from_disk(raw)?;
    size(&core)?;
    data_form(&core, bytes)?;
    attr_form(&core, bytes)?;
    counts(&core)?;
    flags(&core, identity)?;
    Ok(core)
}

/// Magic, version, checksum, UUID, number and LSN.
fn header(raw: &DinodeDisk, bytes: &[u8], identity: &InodeIdentity<'_>) -> Result<(), Fault> {
    if raw.magic.get() != INODE_MAGIC {
        return Err(Fault::Magic { what: WHAT, found: raw.magic.get().into() });
    }
    demand((1..=3).contains(&raw.version), "di_version", raw.version)?;
    if raw.version < 3 {
        return Ok(());
    }
    checksum::check(WHAT, bytes, INODE_SEAL.crc)?;
    if raw.uuid != identity.uuid {
        return Err(Fault::Uuid { what: WHAT });
    }
    demand(raw.ino.get() == identity.ino.0, "di_ino", raw.ino.get())?;
    checksum::check_lsn(WHAT, raw.lsn.get(), identity.newest)
}

/// Kind and size of the file.
fn size(core: &InodeCore) -> Result<(), Fault> {
    demand(core.mode == 0 || core.kind().is_some(), "di_mode", core.mode)?;
    demand(core.size >> 63 == 0, "di_size", core.size)?;
    let needs_size = matches!(core.kind(), Some(FileKind::Directory | FileKind::Symlink));
    demand(core.size != 0 || !needs_size || core.nlink == 0, "di_size", core.size)
}

/// Form and extent count of the data fork against the kind of file and the room.
fn data_form(core: &InodeCore, bytes: &[u8]) -> Result<(), Fault> {
    let limit = bytes.len() - core.core_size();
    demand(usize::from(core.fork_offset) * 8 < limit, "di_forkoff", core.fork_offset)?;
    let format = core.format.to_disk();
    match (core.kind(), core.format) {
        (None, _) => Ok(()),
        (Some(kind), ForkFormat::Dev) => {
            demand(kind.is_special(), "di_format", format)?;
            demand(core.fork_offset <= 1, "di_forkoff", core.fork_offset)?;
            demand(core.extents == 0, "di_nextents", core.extents)
        }
        (Some(FileKind::Regular), ForkFormat::Local) => demand(false, "di_format", format),
        (Some(kind), _) => {
            demand(!kind.is_special(), "di_format", format)?;
            fork_form(core, bytes, Fork::Data)
        }
    }
}

/// Form and extent count of the attribute fork.
fn attr_form(core: &InodeCore, bytes: &[u8]) -> Result<(), Fault> {
    if core.has_attr_fork() {
        let format = core.attr_format.to_disk();
        demand(core.attr_format != ForkFormat::Dev, "di_aformat", format)?;
        return fork_form(core, bytes, Fork::Attr);
    }
    demand(core.attr_extents == 0, "di_anextents", core.attr_extents)?;
    let none = matches!(core.attr_format, ForkFormat::Dev | ForkFormat::Extents);
    demand(none, "di_aformat", core.attr_format.to_disk())
}

/// A fork that holds contents, extents or a root: does what it says fit?
fn fork_form(core: &InodeCore, bytes: &[u8], fork: Fork) -> Result<(), Fault> {
    let range = fork_range(core.version, core.fork_offset, bytes.len(), fork);
    let (format, count) = match fork {
        Fork::Data => ("di_format", "di_nextents"),
        Fork::Attr => ("di_aformat", "di_anextents"),
    };
    let extents = core.fork_extents(fork);
    match core.fork_format(fork) {
        ForkFormat::Local => {
            demand(extents == 0, count, extents)?;
            let fits = fork == Fork::Attr || core.size <= range.len() as u64;
            demand(fits, "di_size", core.size)
        }
        ForkFormat::Extents => {
            demand(extents <= (range.len() / Extent::SIZE) as u64, count, extents)
        }
        ForkFormat::Btree => {
            demand(extents <= max_extents(fork, core.flags2), count, extents)?;
            let room = bytes.get(range).unwrap_or_default();
            btree::root::Root::decode(room).map(drop)
        }
        other => demand(false, format, other.to_disk()),
    }
}

/// Extents against blocks.
fn counts(core: &InodeCore) -> Result<(), Fault> {
    let extents = core.extents.checked_add(core.attr_extents.into());
    demand(extents.is_some_and(|extents| extents <= core.blocks), "di_nblocks", core.blocks)
}

/// Flags against kind and features.
fn flags(core: &InodeCore, identity: &InodeIdentity<'_>) -> Result<(), Fault> {
    let features = identity.features;
    let flags2 = core.flags2;
    let allowed = |flag, allowed: bool| allowed || !flags2.has(flag);
    let reflink_legal =
        features.has_reflink() && matches!(core.kind(), None | Some(FileKind::Regular));
    demand(allowed(InodeFlags2::REFLINK, reflink_legal), "di_flags2", flags2.0)?;
    demand(allowed(InodeFlags2::BIGTIME, features.has_bigtime()), "di_flags2", flags2.0)?;
    demand(allowed(InodeFlags2::NREXT64, features.has_nrext64()), "di_flags2", flags2.0)?;
    let hint = Extent::MAX_LENGTH;
    demand(core.extent_size <= hint, "di_extsize", core.extent_size)?;
    demand(core.cow_extent_size <= hint, "di_cowextsize", core.cow_extent_size)
}

/// Checks what makes a block of a cluster a block of inodes: magic, version and unlinked chain of
/// each. A damaged inode is found when it is read, and spoils no other.
pub(crate) fn verify_cluster(bytes: &[u8], geometry: &Geometry) -> Result<(), Fault> {
    let first = geometry.inode_size();
    for inode in bytes.chunks_exact(first) {
        let raw = DinodeDisk::of(inode)?;
        if raw.magic.get() != INODE_MAGIC {
            return Err(Fault::Magic { what: "inode cluster", found: raw.magic.get().into() });
        }
        demand((1..=3).contains(&raw.version), "di_version", raw.version)?;
    }
    Ok(())
}
