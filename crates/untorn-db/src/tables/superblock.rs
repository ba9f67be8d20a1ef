//! The superblock.

use crate::field::{Field, Form, To, dec, field, hex, nul};
use crate::kind::Type;
use std::mem::offset_of;
use untorn_format::superblock::SuperblockDisk;

macro_rules! at {
    ($field:ident) => {
        offset_of!(SuperblockDisk, $field)
    };
}

/// The superblock.
pub const SB: &[Field] = &[
    hex("magicnum", at!(magicnum), 32),
    dec("blocksize", at!(blocksize), 32),
    nul("dblocks", at!(dblocks), 64),
    nul("rblocks", at!(rblocks), 64),
    dec("rextents", at!(rextents), 64),
    field("uuid", Form::Uuid, at!(uuid) * 8),
    nul("logstart", at!(logstart), 64).to(To::FsBlock(Type::Log)),
    nul("rootino", at!(rootino), 64).to(To::Ino),
    nul("rbmino", at!(rbmino), 64).to(To::Ino),
    nul("rsumino", at!(rsumino), 64).to(To::Ino),
    dec("rextsize", at!(rextsize), 32),
    dec("agblocks", at!(agblocks), 32),
    dec("agcount", at!(agcount), 32),
    dec("rbmblocks", at!(rbmblocks), 32),
    dec("logblocks", at!(logblocks), 32),
    hex("versionnum", at!(versionnum), 16),
    dec("sectsize", at!(sectsize), 16),
    dec("inodesize", at!(inodesize), 16),
    dec("inopblock", at!(inopblock), 16),
    field("fname", Form::Text, at!(fname) * 8).of(|_| 12),
    dec("blocklog", at!(blocklog), 8),
    dec("sectlog", at!(sectlog), 8),
    dec("inodelog", at!(inodelog), 8),
    dec("inopblog", at!(inopblog), 8),
    dec("agblklog", at!(agblklog), 8),
    dec("rextslog", at!(rextslog), 8),
    dec("inprogress", at!(inprogress), 8),
    dec("imax_pct", at!(imax_pct), 8),
    dec("icount", at!(icount), 64),
    dec("ifree", at!(ifree), 64),
    dec("fdblocks", at!(fdblocks), 64),
    dec("frextents", at!(frextents), 64),
    nul("uquotino", at!(uquotino), 64).to(To::Ino),
    nul("gquotino", at!(gquotino), 64).to(To::Ino),
    hex("qflags", at!(qflags), 16),
    hex("flags", at!(flags), 8),
    dec("shared_vn", at!(shared_vn), 8),
    dec("inoalignmt", at!(inoalignmt), 32),
    dec("unit", at!(unit), 32),
    dec("width", at!(width), 32),
    dec("dirblklog", at!(dirblklog), 8),
    dec("logsectlog", at!(logsectlog), 8),
    dec("logsectsize", at!(logsectsize), 16),
    dec("logsunit", at!(logsunit), 32),
    hex("features2", at!(features2), 32),
    hex("bad_features2", at!(bad_features2), 32),
    hex("features_compat", at!(features_compat), 32),
    hex("features_ro_compat", at!(features_ro_compat), 32),
    hex("features_incompat", at!(features_incompat), 32),
    hex("features_log_incompat", at!(features_log_incompat), 32),
    field("crc", Form::Crc, at!(crc) * 8),
    dec("spino_align", at!(spino_align), 32),
    nul("pquotino", at!(pquotino), 64).to(To::Ino),
    hex("lsn", at!(lsn), 64),
    field("meta_uuid", Form::Uuid, at!(meta_uuid) * 8),
    nul("metadirino", at!(metadirino), 64).to(To::Ino).when(|s| s.shape.features.has_metadir()),
    dec("rgcount", at!(rgcount), 32).when(|s| s.shape.features.has_metadir()),
    dec("rgextents", at!(rgextents), 32).when(|s| s.shape.features.has_metadir()),
    dec("rgblklog", at!(rgblklog), 8).when(|s| s.shape.features.has_metadir()),
];
