//! The superblocks: what must be so before anything can be checked, and the copies in each AG.
//!
//! Copies are written when the volume is made, grown or renamed: what places things must agree with
//! the first superblock; counters, quota and log features may be old.

use crate::code::Code;
use crate::error::CheckError;
use crate::scan::{Scan, Step};
use untorn_device::BlockDevice;
use untorn_format::superblock::{Superblock, SuperblockDisk};
use untorn_format::units::*;
use untorn_format::{Access, BlockKind, Fault, Place, checksum};

/// Volumes that compare names without regard to case.
const ASCII_CI: u16 = 0x4000;

/// Reads the first superblock and refuses what cannot be checked.
pub(crate) fn read(device: &dyn BlockDevice) -> Result<Superblock, CheckError> {
    let geometry = device.geometry();
    let mut bytes = vec![0; 4096.max(geometry.sector_size as usize)];
    if geometry.size < bytes.len() as u64 {
        return Err(CheckError::NotXfs);
    }
    device.read_at(0, &mut bytes)?;
    let size = match Superblock::sector_size(&bytes) {
        Ok(size) => size,
        Err(Fault::Magic { .. }) => return Err(CheckError::NotXfs),
        Err(fault) => return Err(damaged(fault)),
    };
    if size > bytes.len() && size as u64 <= geometry.size {
        bytes.resize(size, 0);
        device.read_at(0, &mut bytes)?;
    }
    let sb = Superblock::decode(&bytes).map_err(damaged)?;
    refuse(&sb).map(|()| sb)
}

fn damaged(fault: Fault) -> CheckError {
    CheckError::Superblock(fault.at(Place::at(DiskAddr(0))))
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
    for (field, said, expected) in must_agree(copy).into_iter().zip(must_agree(&first)).map(pair) {
        let told = format_args!("{field} is {said}, the first superblock says {expected}");
        scan.demand(said == expected, Code::SuperblockCopy, place, told)?;
    }
    Ok(())
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
fn must_agree(sb: &SuperblockDisk) -> [Named; 21] {
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
