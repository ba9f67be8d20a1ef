//! Damages, one at a time: what is done to a volume that Linux made, the finding that must follow,
//! and what xfs_repair says.

pub mod attributes;
pub mod directories;
pub mod headers;
pub mod image;
pub mod inodes;
pub mod owners;
pub mod patient;
pub mod trees;

use image::Image;
use patient::Patient;
use untorn_check::{Code, Options, Report, check};
use untorn_format::Place;

/// What xfs_repair -n makes of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It complains.
    Complains,
    /// It does not look, or does not mind: why.
    Silent(&'static str),
}

/// One way to hurt a volume.
pub struct Damage {
    pub name: &'static str,
    /// The finding that must follow.
    pub code: Code,
    pub repair: Repair,
    /// Does it, and says where the finding must be.
    pub hurt: fn(&Patient) -> Place,
}

/// A damage that xfs_repair sees too.
pub const fn damage(name: &'static str, code: Code, hurt: fn(&Patient) -> Place) -> Damage {
    Damage { name, code, repair: Repair::Complains, hurt }
}

/// A damage that xfs_repair lets pass, and why.
pub const fn subtle(
    why: &'static str,
    name: &'static str,
    code: Code,
    hurt: fn(&Patient) -> Place,
) -> Damage {
    Damage { name, code, repair: Repair::Silent(why), hurt }
}

/// Why xfs_repair 6.1 lets a damage pass.
pub mod why {
    pub const COPY: &str = "of a copy of the superblock it compares the layout alone";
    pub const FLAGS: &str = "it does not look at the namespace of attributes inside an inode";
    pub const FREE: &str = "it does not look at the fields of free inodes";
    pub const LIST: &str = "of the free list it reads the block numbers alone";
    pub const LSN: &str = "it compares LSNs of blocks with the log, not those of inodes";
    pub const REBUILT: &str = "it rebuilds the trees of an AG from their leaves: keys and \
                               neighbours do not count";
    pub const SIZE: &str = "it counts data blocks of a directory, whatever its size says";
    pub const VALUES: &str = "with -n it keeps attribute blocks as they are, if it can read them";
}

/// All damages.
pub fn all() -> impl Iterator<Item = &'static Damage> {
    let tables: [&'static [Damage]; 6] = [
        headers::TABLE,
        trees::TABLE,
        owners::TABLE,
        inodes::TABLE,
        directories::TABLE,
        attributes::TABLE,
    ];
    tables.into_iter().flatten()
}

/// Hurts a copy of the volume; what the checker does not say, if it does not say it.
pub fn miss(damage: &Damage, image: &Image) -> (Patient, Option<String>) {
    let patient = Patient::new(&image.device, &image.names);
    let place = (damage.hurt)(&patient);
    let report = match check(&patient.device, &Options::default()) {
        Ok(report) => report,
        Err(error) => return (patient, Some(format!("{}: refused: {error}", damage.name))),
    };
    if is_told(&report, damage.code, place) {
        return (patient, None);
    }
    let told = format!("{}: no {} at {place} in\n{report}", damage.name, damage.code);
    (patient, Some(told))
}

fn is_told(report: &Report, code: Code, place: Place) -> bool {
    let agrees = |found: Place| {
        (place.ag.is_none() || place.ag == found.ag)
            && (place.addr.is_none() || place.addr == found.addr)
            && (place.ino.is_none() || place.ino == found.ino)
            && (place.offset.is_none() || place.offset == found.offset)
    };
    report.findings.iter().any(|finding| finding.code == code && agrees(finding.place))
}
