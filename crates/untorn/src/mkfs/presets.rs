//! Which features a Linux mounts, and which of them a new volume for it shall have.
//!
//! A preset has what that Linux no longer called experimental. What changes how files are named or
//! exchanged is left to who asks for it.

use std::fmt;
use std::str::FromStr;

use untorn_format::features::FEATURES;

use super::options::FeatureSet;

/// A version of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Linux {
    /// Before the point.
    pub major: u32,
    /// Behind it.
    pub minor: u32,
}

impl Linux {
    /// The first in which volumes of version 5 were not experimental.
    pub const FIRST: Self = Self::new(3, 15);
    /// The first that mounts what is made by default.
    pub const DEFAULT: Self = Self::new(5, 15);

    /// Linux `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Linux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Linux {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('.').map(str::parse);
        // What follows a second point says nothing of features.
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(format!("{text:?} is no Linux version: two numbers, as 5.15")),
        }
    }
}

/// A feature that can be chosen: its name and the first Linux whose preset has it.
const CHOSEN: [(&str, Option<Linux>); 9] = [
    ("finobt", Some(Linux::new(3, 16))),
    ("sparse", Some(Linux::new(4, 10))),
    ("rmapbt", Some(Linux::new(4, 16))),
    ("reflink", Some(Linux::new(4, 16))),
    ("bigtime", Some(Linux::new(5, 15))),
    ("inobtcount", Some(Linux::new(5, 15))),
    ("nrext64", Some(Linux::new(6, 5))),
    ("exchange", None),
    ("parent", None),
];

impl FeatureSet {
    /// The features of a volume for `linux` and everything later; `None` where it mounts no volume
    /// that can be made.
    pub fn for_linux(linux: Linux) -> Option<Self> {
        let has = |name: &str| {
            let preset = CHOSEN.iter().find(|(known, _)| *known == name);
            preset.and_then(|(_, since)| *since).is_some_and(|since| since <= linux)
        };
        (linux >= Linux::FIRST).then(|| Self {
            finobt: has("finobt"),
            rmapbt: has("rmapbt"),
            reflink: has("reflink"),
            sparse: has("sparse"),
            bigtime: has("bigtime"),
            inobtcount: has("inobtcount"),
            nrext64: has("nrext64"),
            exchange: has("exchange"),
            parent: has("parent"),
        })
    }
    /// Every feature that can be chosen: its name, the first Linux that mounts it for writing, and
    /// the first whose preset has it.
    pub fn known() -> impl Iterator<Item = (&'static str, Linux, Option<Linux>)> {
        CHOSEN.into_iter().map(|(name, preset)| (name, since(name), preset))
    }
    /// Whether the feature of this name is on.
    pub fn has(&self, name: &str) -> bool {
        match name {
            "finobt" => self.finobt,
            "rmapbt" => self.rmapbt,
            "reflink" => self.reflink,
            "sparse" => self.sparse,
            "bigtime" => self.bigtime,
            "inobtcount" => self.inobtcount,
            "nrext64" => self.nrext64,
            "exchange" => self.exchange,
            "parent" => self.parent,
            _ => false,
        }
    }
    /// A feature that is on and that `linux` does not know, with the first that does.
    pub fn needs_more_than(&self, linux: Linux) -> Option<(&'static str, Linux)> {
        let needs = Self::known().map(|(name, since, _)| (name, since));
        needs.filter(|(name, since)| self.has(name) && *since > linux).max_by_key(|need| need.1)
    }
}

/// First Linux that knows a feature.
fn since(name: &str) -> Linux {
    let feature = FEATURES.iter().find(|feature| feature.name == name);
    match feature.map(|feature| feature.since.parse()) {
        Some(Ok(since)) => since,
        _ => panic!("{name} is no feature"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_preset_has_what_its_linux_does_not_mount() {
        for (major, minors) in [(3, 15..20), (4, 0..21), (5, 0..20), (6, 0..20)] {
            for linux in minors.map(|minor| Linux::new(major, minor)) {
                let features = FeatureSet::for_linux(linux).unwrap();
                assert_eq!(features.needs_more_than(linux), None, "{linux}");
                assert!(features.finobt || !features.inobtcount, "{linux}");
            }
        }
    }

    #[test]
    fn the_default_is_the_preset_of_5_15() {
        assert_eq!(FeatureSet::for_linux(Linux::DEFAULT), Some(FeatureSet::default()));
        assert_eq!(FeatureSet::for_linux(Linux::new(3, 14)), None);
        assert!(FeatureSet::for_linux(Linux::new(6, 5)).unwrap().nrext64);
    }

    #[test]
    fn versions_are_two_numbers_and_what_follows() {
        assert_eq!("5.15".parse(), Ok(Linux::new(5, 15)));
        assert_eq!("6.1.90".parse(), Ok(Linux::new(6, 1)));
        for text in ["", "5", "5.", "five", "5.x", "-5.15"] {
            assert!(text.parse::<Linux>().is_err(), "{text}");
        }
    }
}
