//! Who mounts a volume: feature by feature, and all in all.
//!
//! Facts about released versions, as far as they are known; where they are not, that is said.
//! Never here: the journal. A volume whose journal is dirty needs whoever can replay it.

use std::cmp::Ordering;
use untorn_format::Superblock;
use untorn_format::features::{Access, FEATURES2_BITS, Feature, FeatureWord, VERSION_BITS};

/// The first version that can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// This one and all later ones.
    Version(&'static str),
    /// One that is later than this.
    After(&'static str),
    /// It is not known whether any can.
    Unknown,
}

impl First {
    /// The later of two.
    fn max(self, other: Self) -> Self {
        match self.rank().partial_cmp(&other.rank()) {
            Some(Ordering::Less) => other,
            _ => self,
        }
    }
    /// Numbers in whose order versions come.
    fn rank(self) -> (Vec<u32>, bool) {
        let numbers = |text: &str| text.split('.').filter_map(|part| part.parse().ok()).collect();
        match self {
            Self::Version(text) => (numbers(text), false),
            Self::After(text) => (numbers(text), true),
            Self::Unknown => (vec![u32::MAX], true),
        }
    }
}

/// Something that a volume has, and who can cope with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trait {
    /// Its name.
    pub name: String,
    /// First Linux that mounts it for writing.
    pub linux: First,
    /// First Linux that mounts it for reading.
    pub linux_read_only: First,
    /// First GRUB that reads it.
    pub grub: First,
    /// First xfsprogs whose xfs_repair knows it.
    pub xfsprogs: First,
}

/// What untorn does with a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// Reads and writes it.
    Writes,
    /// Reads it.
    Reads,
    /// Refuses it.
    Refuses,
}

/// Who mounts a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// All in all.
    pub whole: Trait,
    /// What untorn does.
    pub untorn: Here,
    /// What the verdict follows from.
    pub traits: Vec<Trait>,
    /// What versions do not say.
    pub notes: Vec<&'static str>,
}

/// Who mounts the volume of `superblock`.
///
/// ```
/// use untorn::compat::{First, judge};
/// use untorn::{mkfs, probe};
/// use untorn_device::MemoryDevice;
///
/// let device = MemoryDevice::new(64 << 20);
/// mkfs::make(&device, &mkfs::Options::default())?;
/// assert_eq!(judge(&probe(&device)?).whole.linux, First::Version("5.10"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge(superblock: &Superblock) -> Verdict {
    let mut traits = vec![version(superblock)];
    traits.extend(superblock.features.named().map(of_feature));
    let words = [FeatureWord::RoCompat, FeatureWord::Incompat, FeatureWord::LogIncompat];
    traits.extend(
        words
            .into_iter()
            .flat_map(|word| superblock.features.unknown(word).map(move |bit| unknown(word, bit))),
    );
    traits.extend(block_size(superblock));
    traits.extend(realtime(superblock));
    let whole = traits.iter().fold(traits[0].clone(), |whole, one| Trait {
        name: "all in all".to_owned(),
        linux: whole.linux.max(one.linux),
        linux_read_only: whole.linux_read_only.max(one.linux_read_only),
        grub: whole.grub.max(one.grub),
        xfsprogs: whole.xfsprogs.max(one.xfsprogs),
    });
    Verdict { whole, untorn: here(superblock), traits, notes: notes(superblock) }
}

fn version(superblock: &Superblock) -> Trait {
    let (name, linux, grub, xfsprogs) = match superblock.version {
        5 => ("version 5", "3.15", First::Version("2.02"), "3.2.0"),
        _ => ("version 4", "2.6.12", First::Unknown, "2.6.0"),
    };
    let linux = First::Version(linux);
    Trait {
        name: name.to_owned(),
        linux,
        linux_read_only: linux,
        grub,
        xfsprogs: First::Version(xfsprogs),
    }
}

fn of_feature(feature: &Feature) -> Trait {
    let linux = First::Version(feature.since);
    let any = First::Version("3.15");
    let (grub, xfsprogs) = tools(feature);
    Trait {
        name: feature.name.to_owned(),
        linux,
        linux_read_only: if feature.word == FeatureWord::Incompat { linux } else { any },
        grub,
        xfsprogs,
    }
}

/// First GRUB and first xfsprogs that know a feature. GRUB looks at incompatible ones alone.
fn tools(feature: &Feature) -> (First, First) {
    use First::{After, Unknown, Version};
    let any = Version("2.02");
    match feature.name {
        "ftype" => (any, Version("3.2.0")),
        "finobt" => (any, Version("3.2.1")),
        "rmapbt" => (any, Version("4.8.0")),
        "reflink" => (any, Version("4.9.0")),
        "sparse" => (Version("2.04"), Version("4.2.0")),
        "meta_uuid" => (any, Version("4.3.0")),
        "inobtcount" => (any, Version("5.10.0")),
        "bigtime" => (Version("2.12"), Version("5.10.0")),
        "needsrepair" => (Version("2.12"), Version("5.11.0")),
        "nrext64" => (Version("2.12"), Version("5.19.0")),
        "exchange" | "parent" => (After("2.12"), Version("6.10.0")),
        "metadir" => (After("2.12"), Version("6.13.0")),
        "zoned" | "zone_gaps" => (Unknown, Version("6.15.0")),
        "xattrs" => (any, Version("5.19.0")),
        _ => (Unknown, Unknown),
    }
}

fn unknown(word: FeatureWord, bit: u8) -> Trait {
    let none = First::Unknown;
    let read_only = if word == FeatureWord::RoCompat { First::Version("3.15") } else { none };
    let grub = if word == FeatureWord::Incompat { none } else { First::Version("2.02") };
    Trait {
        name: format!("{word} bit {bit}"),
        linux: none,
        linux_read_only: read_only,
        grub,
        xfsprogs: none,
    }
}

fn block_size(superblock: &Superblock) -> Option<Trait> {
    let linux = First::Version("6.12");
    (superblock.geometry.block_size() > 4096).then(|| Trait {
        name: format!("blocks of {} bytes", superblock.geometry.block_size()),
        linux,
        linux_read_only: linux,
        grub: First::Version("2.02"),
        xfsprogs: First::Version("3.2.0"),
    })
}

fn realtime(superblock: &Superblock) -> Option<Trait> {
    let linux = First::Version("3.15");
    (superblock.realtime.blocks > 0).then(|| Trait {
        name: "realtime section".to_owned(),
        linux,
        linux_read_only: linux,
        grub: First::Unknown,
        xfsprogs: First::Version("3.2.0"),
    })
}

fn here(superblock: &Superblock) -> Here {
    let external = superblock.geometry.log_start.0 == 0;
    let can = |access| superblock.check(access).is_ok() && !external && !ignores_case(superblock);
    match (can(Access::Write), can(Access::Read)) {
        (true, _) => Here::Writes,
        (false, true) => Here::Reads,
        (false, false) => Here::Refuses,
    }
}

fn ignores_case(superblock: &Superblock) -> bool {
    let bit = VERSION_BITS.iter().find(|(_, name)| *name == "asciici").map_or(0, |(bit, _)| *bit);
    superblock.version_bits & bit != 0
}

fn notes(superblock: &Superblock) -> Vec<&'static str> {
    let old_parent = FEATURES2_BITS
        .iter()
        .any(|(bit, name)| *name == "parent (old)" && superblock.features2 & bit != 0);
    let all = [
        (superblock.version == 4, "version 4: Linux needs CONFIG_XFS_SUPPORT_V4, off since 6.18"),
        (
            superblock.geometry.block_size() > 4096,
            "large blocks: earlier Linux mounts them only where memory pages are as large",
        ),
        (ignores_case(superblock), "names ignore case: Linux needs CONFIG_XFS_SUPPORT_ASCII_CI"),
        (superblock.features.has_needsrepair(), "xfs_repair must run before anybody mounts it"),
        (superblock.geometry.log_start.0 == 0, "the log is on another device: mount with logdev="),
        (superblock.realtime.blocks > 0, "realtime section: mount with rtdev="),
        (superblock.in_progress, "mkfs did not finish: nobody mounts it"),
        (superblock.flags & 1 != 0, "the read-only flag: Linux mounts it only for reading"),
        (old_parent, "parent pointers of IRIX: not known to Linux"),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mkfs::{self, FeatureSet, Linux, Options};
    use untorn_device::MemoryDevice;

    fn verdict(options: &Options) -> Verdict {
        let device = MemoryDevice::new(300 << 20);
        mkfs::make(&device, options).unwrap();
        judge(&crate::probe(&device).unwrap())
    }

    #[test]
    fn every_preset_is_mounted_by_its_linux() {
        for linux in [(3, 15), (4, 9), (4, 19), (5, 4), (5, 10), (5, 15), (6, 1), (6, 6), (6, 18)] {
            let linux = Linux::new(linux.0, linux.1);
            let features = FeatureSet::for_linux(linux).unwrap();
            let found = verdict(&Options { features, ..Options::default() }).whole.linux;
            let First::Version(found) = found else { panic!("{linux}: {found:?}") };
            assert!(found.parse::<Linux>().unwrap() <= linux, "{linux}: {found}");
        }
    }

    #[test]
    fn the_newest_feature_decides() {
        let found = verdict(&Options { features: FeatureSet::ALL, ..Options::default() });
        assert_eq!(found.whole.linux, First::Version("6.10"));
        assert_eq!(found.whole.linux_read_only, First::Version("6.10"));
        assert_eq!(found.whole.grub, First::After("2.12"));
        assert_eq!(found.whole.xfsprogs, First::Version("6.10.0"));
        assert_eq!(found.untorn, Here::Writes);
        let plain = FeatureSet { reflink: true, ..FeatureSet::NONE };
        let found = verdict(&Options { features: plain, ..Options::default() });
        assert_eq!(found.whole.linux, First::Version("4.9"));
        assert_eq!(found.whole.linux_read_only, First::Version("3.15"));
    }

    #[test]
    fn large_blocks_and_unknown_bits_are_told() {
        let found = verdict(&Options { block_size: 16384, ..Options::default() });
        assert_eq!((found.whole.linux, found.notes.len()), (First::Version("6.12"), 1));
        let device = MemoryDevice::new(64 << 20);
        mkfs::make(&device, &Options::default()).unwrap();
        let mut superblock = crate::probe(&device).unwrap();
        superblock.features.incompat |= 1 << 30;
        let found = judge(&superblock);
        assert_eq!((found.whole.linux, found.untorn), (First::Unknown, Here::Refuses));
        assert!(found.traits.iter().any(|one| one.name == "incompat bit 30"));
    }
}
