//! Quota inodes and flags of the superblock.

use super::SuperblockDisk;
use crate::units::{Ino, NULL_INO};

/// `sb_qflags`: which quotas are accounted, enforced and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaFlags(pub u16);

impl QuotaFlags {
    /// User quota is accounted.
    pub const USER: u16 = 0x0001;
    /// User quota is enforced.
    pub const USER_ENFORCED: u16 = 0x0002;
    /// User quota has been counted.
    pub const USER_CHECKED: u16 = 0x0004;
    /// Project quota is accounted.
    pub const PROJECT: u16 = 0x0008;
    /// Group or project quota is enforced (version 4).
    pub const OTHER_ENFORCED: u16 = 0x0010;
    /// Group or project quota has been counted (version 4).
    pub const OTHER_CHECKED: u16 = 0x0020;
    /// Group quota is accounted.
    pub const GROUP: u16 = 0x0040;
    /// Group quota is enforced.
    pub const GROUP_ENFORCED: u16 = 0x0080;
    /// Group quota has been counted.
    pub const GROUP_CHECKED: u16 = 0x0100;
    /// Project quota is enforced.
    pub const PROJECT_ENFORCED: u16 = 0x0200;
    /// Project quota has been counted.
    pub const PROJECT_CHECKED: u16 = 0x0400;

    /// Whether any quota is accounted.
    pub fn is_accounted(self) -> bool {
        self.0 & (Self::USER | Self::GROUP | Self::PROJECT) != 0
    }
    /// These flags with every "counted" flag cleared, so that the kernel counts again at its next
    /// mount.
    pub fn uncounted(self) -> Self {
        let counted =
            Self::USER_CHECKED | Self::OTHER_CHECKED | Self::GROUP_CHECKED | Self::PROJECT_CHECKED;
        Self(self.0 & !counted)
    }
}

/// Quota inodes and flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// User quota inode.
    pub user: Option<Ino>,
    /// Group quota inode.
    pub group: Option<Ino>,
    /// Project quota inode.
    pub project: Option<Ino>,
    /// What is accounted, enforced and counted.
    pub flags: QuotaFlags,
}

impl Quota {
    pub(super) fn from_disk(raw: &SuperblockDisk) -> Self {
        let some = |ino: u64| (ino != 0 && ino != NULL_INO).then_some(Ino(ino));
        let v5 = raw.versionnum.get() & 0xf == 5;
        Self {
            user: some(raw.uquotino.get()),
            group: some(raw.gquotino.get()),
            project: if v5 { some(raw.pquotino.get()) } else { None },
            flags: QuotaFlags(raw.qflags.get()),
        }
    }
    pub(super) fn store(&self, raw: &mut SuperblockDisk, version: u8) {
        let disk = |ino: Option<Ino>| ino.map_or(0, |ino| ino.0);
        raw.uquotino.set(disk(self.user));
        raw.gquotino.set(disk(self.group));
        if version == 5 {
            raw.pquotino.set(disk(self.project));
        }
        raw.qflags.set(self.flags.0);
    }
}
