//! Every suboption of mkfs.xfs, letter by letter: what its value is and what is done with it here.
//!
//! One table, read by everybody: arguments, configuration files, messages and the list that
//! `--supported` prints. What mkfs.xfs has and untorn has not is refused by name, with the reason.

use super::set::{self, Setter};
use Role::{Only, Refused, Set};
use Takes::*;

/// What the value of a suboption is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A number of bytes, with a suffix.
    Bytes,
    /// A whole number.
    Number,
    /// 0 or 1; nothing is 1.
    Switch,
    /// No value.
    Nothing,
    /// Anything.
    Text,
}

impl Takes {
    /// What the list calls it.
    pub fn name(self) -> &'static str {
        match self {
            Bytes => "bytes",
            Number => "number",
            Switch => "switch",
            Nothing => "none",
            Text => "text",
        }
    }
}

/// What is done with a suboption.
#[derive(Clone, Copy)]
pub enum Role {
    /// It is set.
    Set(Setter),
    /// It can only be as it is: its value, and why.
    Only(&'static str, &'static str),
    /// It is refused: why, and what to do instead.
    Refused(&'static str),
}

/// A suboption.
#[derive(Clone, Copy)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub takes: Takes,
    /// What is done with it.
    pub role: Role,
}

/// A letter with its suboptions.
pub struct Letter {
    /// As typed.
    pub letter: char,
    /// Its section in configuration files.
    pub section: &'static str,
    /// Its suboptions.
    pub known: &'static [Known],
}

const fn known(name: &'static str, takes: Takes, role: Role) -> Known {
    Known { name, takes, role }
}

const V5: &str = "always so on v5 volumes, and no others are made";
const REALTIME: &str = "realtime sections are not made";
const QUOTA: &str = "quota is chosen by mount options where there is no metadata directory";
const PROTO: &str = "prototypes are not read: fill the volume with --from DIRECTORY";
const CONCURRENCY: &str = "sizes do not follow the number of processors: choose -d agcount= or \
                           -l size= yourself";

/// The letters; blocks and sectors first, since sizes may be counted in them.
pub const LETTERS: &[Letter] = &[
    Letter { letter: 'b', section: "block", known: &[known("size", Bytes, Set(set::block_size))] },
    Letter {
        letter: 's',
        section: "sector",
        known: &[known("size", Bytes, Set(set::sector_size))],
    },
    Letter { letter: 'm', section: "metadata", known: METADATA },
    Letter { letter: 'd', section: "data", known: DATA },
    Letter { letter: 'i', section: "inode", known: INODE },
    Letter { letter: 'l', section: "log", known: LOG },
    Letter { letter: 'n', section: "naming", known: NAMING },
    Letter {
        letter: 'p',
        section: "proto",
        known: &[
            known("file", Text, Refused(PROTO)),
            known("atime", Switch, Refused(PROTO)),
            known("slashes_are_spaces", Switch, Refused(PROTO)),
        ],
    },
    Letter { letter: 'r', section: "realtime", known: REALTIME_OPTIONS },
];

const METADATA: &[Known] = &[
    known("crc", Switch, Only("1", "only v5 volumes, which have checksums, are made")),
    known("finobt", Switch, Set(set::finobt)),
    known("uuid", Text, Set(set::uuid)),
    known("rmapbt", Switch, Set(set::rmapbt)),
    known("reflink", Switch, Set(set::reflink)),
    known("inobtcount", Switch, Set(set::inobtcount)),
    known("bigtime", Switch, Set(set::bigtime)),
    known("metadir", Switch, Only("0", "metadata directories are not made")),
    known("autofsck", Text, Refused("set it with xfs_property on the mounted volume")),
    known("uquota", Nothing, Refused(QUOTA)),
    known("gquota", Nothing, Refused(QUOTA)),
    known("pquota", Nothing, Refused(QUOTA)),
    known("uqnoenforce", Nothing, Refused(QUOTA)),
    known("gqnoenforce", Nothing, Refused(QUOTA)),
    known("pqnoenforce", Nothing, Refused(QUOTA)),
];

const DATA: &[Known] = &[
    known("size", Bytes, Set(set::data_size)),
    known("agcount", Number, Set(set::group_count)),
    known("agsize", Bytes, Set(set::group_size)),
    known("sunit", Number, Set(set::stripe_sectors)),
    known("swidth", Number, Set(set::stripe_width_sectors)),
    known("su", Bytes, Set(set::stripe_bytes)),
    known("sw", Number, Set(set::stripe_units)),
    known("noalign", Nothing, Set(set::no_stripe)),
    known("sectsize", Bytes, Set(set::sector_size)),
    known("file", Switch, Only("1", "what the image is, is seen")),
    known("name", Text, Refused("name the image as the last argument")),
    known("rtinherit", Switch, Set(set::realtime_inherit)),
    known("projinherit", Number, Set(set::project_inherit)),
    known("extszinherit", Number, Set(set::extent_size_inherit)),
    known("cowextsize", Number, Set(set::cow_extent_size)),
    known("daxinherit", Switch, Set(set::dax_inherit)),
    known("concurrency", Number, Only("0", CONCURRENCY)),
];

const INODE: &[Known] = &[
    known("size", Bytes, Set(set::inode_size)),
    known("perblock", Number, Set(set::inodes_per_block)),
    known("maxpct", Number, Set(set::inode_percent)),
    known("align", Switch, Only("1", V5)),
    known("attr", Number, Only("2", V5)),
    known("projid32bit", Switch, Only("1", V5)),
    known("sparse", Switch, Set(set::sparse)),
    known("nrext64", Switch, Set(set::nrext64)),
    known("exchange", Switch, Set(set::exchange)),
    known("max_atomic_write", Bytes, Refused("give it to mount; the format does not keep it")),
    known("verity", Switch, Only("0", "no released Linux has it")),
];

const LOG: &[Known] = &[
    known("size", Bytes, Set(set::log_size)),
    known("agnum", Number, Set(set::log_group)),
    known("su", Bytes, Set(set::log_stripe_bytes)),
    known("sunit", Number, Set(set::log_stripe_sectors)),
    known("sectsize", Bytes, Set(set::log_sector_size)),
    known("internal", Switch, Only("1", "the log lies inside the volume")),
    known("logdev", Text, Refused("external logs are not made")),
    known("name", Text, Refused("external logs are not made")),
    known("file", Switch, Only("0", "the log lies inside the volume")),
    known("version", Number, Only("2", V5)),
    known("lazy-count", Switch, Only("1", V5)),
    known("concurrency", Number, Only("0", CONCURRENCY)),
];

const NAMING: &[Known] = &[
    known("size", Bytes, Set(set::directory_size)),
    known("version", Text, Only("2", "volumes whose names ignore case are not made")),
    known("ftype", Switch, Only("1", V5)),
    known("parent", Switch, Set(set::parent)),
];

const REALTIME_OPTIONS: &[Known] = &[
    known("rtdev", Text, Refused(REALTIME)),
    known("name", Text, Refused(REALTIME)),
    known("file", Switch, Refused(REALTIME)),
    known("size", Bytes, Refused(REALTIME)),
    known("extsize", Bytes, Refused(REALTIME)),
    known("noalign", Nothing, Refused(REALTIME)),
    known("rgcount", Number, Refused(REALTIME)),
    known("rgsize", Bytes, Refused(REALTIME)),
    known("concurrency", Number, Refused(REALTIME)),
    known("zoned", Switch, Refused(REALTIME)),
    known("start", Bytes, Refused(REALTIME)),
    known("reserved", Bytes, Refused(REALTIME)),
];
