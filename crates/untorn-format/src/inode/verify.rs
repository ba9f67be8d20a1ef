//! Every check of an inode that later code builds on.

use super::fork::{ForkFormat, fork_range};
use super::*;
use crate::btree;
use crate::kind::Identity;
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
    padding(raw, &core)?;
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
    // Volumes with checksums have inodes of this version alone.
    demand(raw.version == 3, "di_version", raw.version)?;
    checksum::check(WHAT, bytes, INODE_SEAL.crc)?;
    if raw.uuid != identity.uuid {
        return Err(Fault::Uuid { what: WHAT });
    }
    demand(raw.ino.get() == identity.ino.0, "di_ino", raw.ino.get())?;
    checksum::check_lsn(WHAT, raw.lsn.get(), identity.newest)
}

/// Fields that are zero but for features that are refused.
fn padding(raw: &DinodeDisk, core: &InodeCore) -> Result<(), Fault> {
    if core.version >= 2 && !core.flags2.has(InodeFlags2::METADATA) {
        demand(raw.metatype.get() == 0, "di_metatype", raw.metatype.get())?;
    }
    match (core.version, core.flags2.has(InodeFlags2::NREXT64)) {
        (3, true) => demand(raw.anextents.get() == 0, "di_nrext64_pad", raw.anextents.get()),
        (3, false) => demand(raw.big_nextents.get() == 0, "di_v3_pad", raw.big_nextents.get()),
        _ => Ok(()),
    }
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
            size_form(core, bytes)?;
            fork_form(core, bytes, Fork::Data)
        }
    }
}

/// Whether contents of this size may have this form.
fn size_form(core: &InodeCore, bytes: &[u8]) -> Result<(), Fault> {
    let room = fork_range(core.version, core.fork_offset, bytes.len(), Fork::Data).len();
    let fits = core.size <= room as u64;
    let legal = match (core.kind(), core.format) {
        // A directory being emptied has no size.
        (Some(FileKind::Directory), form) if fits && core.size != 0 => form == ForkFormat::Local,
        // Attributes may have pushed a short target out; it does not come back.
        (Some(FileKind::Symlink), form) if fits => {
            matches!(form, ForkFormat::Local | ForkFormat::Extents)
        }
        (_, form) => fits || form != ForkFormat::Local,
    };
    demand(legal, "di_format", core.format.to_disk())
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
        ForkFormat::Local => demand(extents == 0, count, extents),
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
    let legal = extents.is_some_and(|extents| match extents {
        0 => core.blocks == 0,
        _ => core.mode == 0 || extents <= core.blocks,
    });
    demand(legal, "di_nblocks", core.blocks)
}

/// Flags against kind and features.
fn flags(core: &InodeCore, identity: &InodeIdentity<'_>) -> Result<(), Fault> {
    let (features, flags2) = (identity.features, core.flags2);
    let is_file = core.kind() == Some(FileKind::Regular);
    let rules = [
        (InodeFlags2::REFLINK, features.has_reflink() && is_file),
        (InodeFlags2::COWEXTSIZE, features.has_reflink()),
        (InodeFlags2::BIGTIME, features.has_bigtime()),
        (InodeFlags2::NREXT64, features.has_nrext64()),
        (InodeFlags2::METADATA, features.has_metadir()),
    ];
    for (flag, allowed) in rules {
        demand(allowed || !flags2.has(flag), "di_flags2", flags2.0)?;
    }
    let most = Extent::MAX_LENGTH.min(identity.geometry.ag_blocks / 2);
    let realtime = core.flags.has(InodeFlags::REALTIME);
    let legal = realtime || core.extent_size <= most;
    demand(legal && extent_hint_is_legal(core), "di_extsize", core.extent_size)?;
    let legal = realtime || core.cow_extent_size <= most;
    demand(legal && cow_hint_is_legal(core), "di_cowextsize", core.cow_extent_size)
}

/// Whether the extent size hint agrees with its flags. Free inodes keep a hint without flags.
fn extent_hint_is_legal(core: &InodeCore) -> bool {
    let own = core.flags.has(InodeFlags::EXTSIZE);
    let inherited = core.flags.has(InodeFlags::EXTSZINHERIT);
    match core.kind() {
        Some(FileKind::Regular) => !inherited && own == (core.extent_size != 0),
        Some(FileKind::Directory) => !own && inherited == (core.extent_size != 0),
        Some(_) => !own && !inherited && core.extent_size == 0,
        None => !own && !inherited,
    }
}

/// Whether the copy-on-write extent size hint agrees with its flag.
fn cow_hint_is_legal(core: &InodeCore) -> bool {
    let flagged = core.flags2.has(InodeFlags2::COWEXTSIZE);
    match core.kind() {
        Some(FileKind::Regular | FileKind::Directory) => flagged == (core.cow_extent_size != 0),
        Some(_) => !flagged && core.cow_extent_size == 0,
        None => !flagged,
    }
}

/// Checks what makes a buffer a cluster of inodes: magic, version and unlinked chain of each. A
/// damaged inode is found when it is read, and spoils no other.
pub(crate) fn verify_cluster(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let (what, need) = ("inode cluster", identity.geometry.inode_size());
    if bytes.len() < need {
        return Err(Fault::Short { what, have: bytes.len(), need });
    }
    let blocks = identity.ag().map_or(0, |ag| identity.geometry.blocks_of(ag));
    let inodes = u64::from(blocks) << identity.geometry.inodes_per_block_log;
    for inode in bytes.chunks_exact(need) {
        let raw = DinodeDisk::of(inode)?;
        if raw.magic.get() != INODE_MAGIC {
            return Err(Fault::Magic { what, found: raw.magic.get().into() });
        }
        demand(raw.version == 3, "di_version", raw.version)?;
        let next = raw.next_unlinked.get();
        let legal = next == NULL_AG_INO || u64::from(next) < inodes;
        demand(legal, "di_next_unlinked", next)?;
    }
    Ok(())
}
