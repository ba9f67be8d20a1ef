//! The superblocks: what must be so before anything can be checked, and the copies in each AG.
//!
//! Copies are written when the volume is made, grown or renamed: what places things must agree with
//! the first superblock; counters, quota, stripes and log features may be old. A copy that mkfs
//! made (it is marked as in progress for ever) knows no quota.
//!
//! Without the first superblock nothing else can be found: that is the one finding then.

use crate::code::Code;
use crate::copies::superblock_copies;
use crate::error::CheckError;
use crate::report::{Finding, Report};
use crate::scan::{Scan, Step};
use std::mem::offset_of;
use untorn_device::BlockDevice;
use untorn_format::superblock::{Superblock, SuperblockDisk};
use untorn_format::units::*;
use untorn_format::{Access, BlockKind, Fault, Place, checksum};

/// Volumes that compare names without regard to case.
const ASCII_CI: u16 = 0x4000;
/// Volumes that have had quota inodes.
const QUOTA_BIT: u16 = 0x0040;
/// The version alone, without its bits.
const VERSION: u16 = 0x000f;

/// Why the first superblock cannot be used.
pub(crate) enum Unread {
    /// It is damaged.
    Fault(Fault),
    /// There is none, it cannot be read, or it asks for what is not known here.
    Error(CheckError),
}

impl<E: Into<CheckError>> From<E> for Unread {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Reads the first superblock and refuses what cannot be checked.
pub(crate) fn read(device: &dyn BlockDevice) -> Result<Superblock, Unread> {
    let geometry = device.geometry();
    let mut bytes = vec![0; 4096.max(geometry.sector_size as usize)];
    if geometry.size < bytes.len() as u64 {
        return Err(CheckError::NotXfs.into());
    }
    device.read_at(0, &mut bytes).map_err(CheckError::from)?;
    let size = Superblock::sector_size(&bytes).map_err(Unread::Fault)?;
    if size > bytes.len() && size as u64 <= geometry.size {
        bytes.resize(size, 0);
        device.read_at(0, &mut bytes).map_err(CheckError::from)?;
    }
    let sb = Superblock::decode(&bytes).map_err(Unread::Fault)?;
    Ok(refuse(&sb).map(|()| sb)?)
}

/// All that can be told of a volume whose first superblock has `fault`. Where a superblock should
/// be is something else: then copies of it alone show that this is a volume.
pub(crate) fn unreadable(device: &dyn BlockDevice, fault: &Fault) -> Result<Report, CheckError> {
    let copies = superblock_copies(device)?;
    let told = match copies {
        Some(copies) => format!("{fault}; {copies}"),
        None if matches!(fault, Fault::Magic { .. }) => return Err(CheckError::NotXfs),
        None => format!("{fault}; no sound copy of it was found"),
    };
    let place = Place { ag: Some(AgNumber(0)), ..Place::at(DiskAddr(0)) };
    let finding = Finding { code: Code::of_fault(fault), place, message: told };
    Ok(Report { findings: vec![finding], stopped_early: true, ..Report::default() })
}

fn refuse(sb: &Superblock) -> Result<(), CheckError> {
    let unsupported = |what: &str| Err(CheckError::Unsupported(what.to_owned()));
    if let Err(reason) = sb.check(Access::Write) {
        return unsupported(&format!("{reason} is not supported"));
    }
    if sb.version_bits & ASCII_CI != 0 {
        return unsupported("its names are compared without regard to case (ascii-ci)");
    }
    if sb.in_progress {
        return unsupported("mkfs.xfs did not finish it");
    }
    Ok(())
}

/// Checks that the volume ends before its device does. Without that, nothing else can be read.
pub(crate) fn fits(scan: &mut Scan<'_>) -> Step<bool> {
    let bytes = u128::from(scan.sb.geometry.data_blocks) << scan.sb.geometry.block_log;
    let device = scan.reader.size();
    let fits = bytes <= u128::from(device);
    let told = format_args!("the volume has {bytes} bytes, the device {device}");
    scan.demand(fits, Code::DeviceTooSmall, Place::at(DiskAddr(0)), told)?;
    Ok(fits)
}

/// Checks what the first superblock says beside the places of things.
pub(crate) fn check_first(scan: &mut Scan<'_>) -> Step {
    let (addr, sector) = (DiskAddr(0), scan.geometry().sector_size());
    let place = Place { ag: Some(AgNumber(0)), ..Place::at(addr) };
    let bytes = scan.read(addr, sector)?;
    let Ok(raw) = SuperblockDisk::of(&bytes) else { return Ok(()) };
    // It once lay elsewhere; zero says that nobody ever kept it twice.
    let misplaced = raw.bad_features2.get();
    let legal = misplaced == 0 || misplaced == raw.features2.get();
    field(scan, place, legal, ("sb_bad_features2", misplaced.into()))?;
    field(scan, place, raw.flags == 0, ("sb_flags", raw.flags.into()))?;
    let quota = scan.sb.quota;
    let named = quota.user.or(quota.group).or(quota.project).is_some();
    let told = "it says that there are quota inodes and names none";
    let said = raw.versionnum.get() & QUOTA_BIT != 0;
    scan.demand(named || !said, Code::QuotaInode, place, told)?;
    unused(scan, place, &bytes)
}

fn field(scan: &mut Scan<'_>, place: Place, holds: bool, (name, value): Named) -> Step {
    scan.demand(holds, Code::BadField, place, format_args!("superblock: {name} is {value}"))
}

/// Checks that what no feature gives a meaning is zero.
fn unused(scan: &mut Scan<'_>, place: Place, bytes: &[u8]) -> Step {
    let used = match scan.sb.features.has_meta_uuid() {
        true => offset_of!(SuperblockDisk, metadirino),
        false => offset_of!(SuperblockDisk, meta_uuid),
    };
    let at = bytes.iter().skip(used).position(|&byte| byte != 0).map(|at| used + at);
    let told = format_args!("superblock: byte {} is not used and not zero", at.unwrap_or(0));
    scan.demand(at.is_none(), Code::SuperblockUnused, place, told)
}

/// Checks the superblock at the start of `ag` against the first.
pub(crate) fn check_copy(scan: &mut Scan<'_>, ag: AgNumber) -> Step {
    let geometry = scan.geometry();
    let addr = geometry.header_addr(ag, 0);
    let place = Place { ag: Some(ag), ..Place::at(addr) };
    let bytes = scan.read(addr, geometry.sector_size())?;
    let copy = match identity(scan, &bytes) {
        Ok(copy) => copy,
        Err(fault) => return scan.fault(&fault, place),
    };
    let first = scan.sb.to_disk();
    let mut agrees = true;
    for (name, said, expected) in must_agree(copy).into_iter().zip(must_agree(&first)).map(pair) {
        let told = format_args!("{name} is {said}, the first superblock says {expected}");
        scan.demand(said == expected, Code::SuperblockCopy, place, told)?;
        agrees &= said == expected;
    }
    match Superblock::decode_copy(&bytes) {
        Ok(sound) => beside(scan, place, copy, &sound)?,
        // The field that disagrees is told already.
        Err(fault) if agrees => return scan.fault(&fault, place),
        Err(_) => {}
    }
    unused(scan, place, &bytes)
}

/// What nobody writes into a copy.
fn beside(scan: &mut Scan<'_>, place: Place, raw: &SuperblockDisk, copy: &Superblock) -> Step {
    field(scan, place, raw.flags == 0, ("sb_flags", raw.flags.into()))?;
    if !copy.in_progress {
        return Ok(());
    }
    let quota = copy.quota;
    field(scan, place, quota.user.is_none(), ("sb_uquotino", raw.uquotino.get()))?;
    field(scan, place, quota.group.is_none(), ("sb_gquotino", raw.gquotino.get()))?;
    field(scan, place, quota.project.is_none(), ("sb_pquotino", raw.pquotino.get()))?;
    field(scan, place, quota.flags.0 == 0, ("sb_qflags", quota.flags.0.into()))
}

/// Checks that a copy is a superblock of this volume. Its inodes may be missing: mkfs.xfs fills
/// them in a few copies alone.
fn identity<'b>(scan: &Scan<'_>, bytes: &'b [u8]) -> Result<&'b SuperblockDisk, Fault> {
    const WHAT: &str = "superblock copy";
    let copy = SuperblockDisk::of(bytes)?;
    Superblock::sector_size(bytes)?;
    if let Some(seal) = BlockKind::Superblock.seal_at() {
        checksum::check(WHAT, bytes, seal.crc)?;
    }
    let wide = scan.sb.features.has_meta_uuid();
    let uuid = if wide { copy.meta_uuid } else { copy.uuid };
    if uuid != scan.sb.meta_uuid {
        return Err(Fault::Uuid { what: WHAT });
    }
    checksum::check_lsn(WHAT, copy.lsn.get(), scan.newest).map(|()| copy)
}

type Named = (&'static str, u64);

fn pair(((field, said), (_, expected)): (Named, Named)) -> (&'static str, u64, u64) {
    (field, said, expected)
}

/// The fields in which every copy must agree.
fn must_agree(sb: &SuperblockDisk) -> [Named; 22] {
    [
        ("sb_blocksize", sb.blocksize.get().into()),
        ("sb_dblocks", sb.dblocks.get()),
        ("sb_rblocks", sb.rblocks.get()),
        ("sb_rextents", sb.rextents.get()),
        ("sb_logstart", sb.logstart.get()),
        ("sb_rextsize", sb.rextsize.get().into()),
        ("sb_agblocks", sb.agblocks.get().into()),
        ("sb_agcount", sb.agcount.get().into()),
        ("sb_rbmblocks", sb.rbmblocks.get().into()),
        ("sb_logblocks", sb.logblocks.get().into()),
        ("sb_versionnum", (sb.versionnum.get() & VERSION).into()),
        ("sb_sectsize", sb.sectsize.get().into()),
        ("sb_inodesize", sb.inodesize.get().into()),
        ("sb_inoalignmt", sb.inoalignmt.get().into()),
        ("sb_dirblklog", sb.dirblklog.into()),
        ("sb_logsectlog", sb.logsectlog.into()),
        ("sb_logsectsize", sb.logsectsize.get().into()),
        ("sb_logsunit", sb.logsunit.get().into()),
        ("sb_features_compat", sb.features_compat.get().into()),
        ("sb_features_ro_compat", sb.features_ro_compat.get().into()),
        ("sb_features_incompat", sb.features_incompat.get().into()),
        ("sb_spino_align", sb.spino_align.get().into()),
    ]
}
