//! What the commands that show files and what is known of them take.

use super::{Human, Image, LongHelp, Reading, VolumePath};
use crate::show::Ends;
use crate::show::format::Format;
use clap::Args;
use regex_lite::Regex;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::str::FromStr;

/// `untorn ls`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Ls {
    #[command(flatten)]
    pub image: Image,
    /// What to list.
    #[arg(default_value = "/")]
    pub paths: Vec<VolumePath>,
    /// Kind and permissions, links, owner, group, size, time, name, target.
    #[arg(short = 'l')]
    pub long: bool,
    /// The directory itself and the one above it, too: `.` and `..`.
    #[arg(short = 'a')]
    pub all: bool,
    /// All but those two: what this command does anyway.
    #[arg(short = 'A', hide = true)]
    pub almost_all: bool,
    /// Numbers of inodes before the names.
    #[arg(short = 'i')]
    pub inode: bool,
    /// Directories themselves, not what is in them.
    #[arg(short = 'd', conflicts_with = "recursive")]
    pub directory: bool,
    /// Directories and all below them.
    #[arg(short = 'R')]
    pub recursive: bool,
    /// The newest first.
    #[arg(short = 't', overrides_with = "largest")]
    pub newest: bool,
    /// The largest first.
    #[arg(short = 'S', overrides_with = "newest")]
    pub largest: bool,
    /// The other way round.
    #[arg(short = 'r')]
    pub reverse: bool,
    /// A letter behind names: / directories, @ links, * programs, | pipes, = sockets.
    #[arg(short = 'F')]
    pub classify: bool,
    /// As -l; owners and groups are numbers anyway.
    #[arg(short = 'n', hide = true)]
    pub numeric: bool,
    /// One name a line: what this command does anyway.
    #[arg(short = '1')]
    pub single: bool,
    #[command(flatten)]
    pub human: Human,
    #[command(flatten)]
    pub ends: Ends,
    #[command(flatten)]
    pub reading: Reading,
}

impl Ls {
    /// Whether a link that is named is shown, not what is in the directory where it leads.
    pub fn shows_links(&self) -> bool {
        self.is_long() || self.directory || self.classify
    }

    /// Whether all is said of each file.
    pub fn is_long(&self) -> bool {
        self.long || self.numeric
    }
}

/// `untorn cat`.
#[derive(Args, Debug)]
pub struct Cat {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// Touch nothing on the device: what this command does anyway.
    #[arg(long, hide = true)]
    pub read_only: bool,
}

/// `untorn stat`.
#[derive(Args, Debug)]
pub struct Stat {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// A line of this form for each, with the letters of stat: %n name, %N quoted, %s size,
    /// %F kind, %f %a %A mode, %u %U %g %G owner and group, %h links, %i inode, %b %B blocks,
    /// %o block size, %t %T device, %X %x accessed, %Y %y modified, %Z %z changed, %W %w born.
    #[arg(short = 'c', long, conflicts_with = "json")]
    pub format: Option<Format>,
    /// What links lead to, not the links.
    #[arg(short = 'L', long)]
    pub dereference: bool,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn bmap`.
#[derive(Args, Debug)]
pub struct Bmap {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// The attribute fork.
    #[arg(short = 'a')]
    pub attributes: bool,
    /// Twice: explain the flags, too.
    #[arg(short = 'v', action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show unwritten extents as such: what this command does anyway.
    #[arg(short = 'p', hide = true)]
    pub preallocated: bool,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn df`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Df {
    #[command(flatten)]
    pub image: Image,
    /// Inodes in place of bytes.
    #[arg(short = 'i')]
    pub inodes: bool,
    /// Bytes, not KiB.
    #[arg(short = 'B', value_name = "1", value_parser = ["1"])]
    pub unit: Option<String>,
    /// KiB: what this command does anyway.
    #[arg(short = 'k', hide = true)]
    pub kib: bool,
    /// The type of the filesystem, too.
    #[arg(short = 'T', long = "print-type")]
    pub kind: bool,
    #[command(flatten)]
    pub human: Human,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn du`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Du {
    #[command(flatten)]
    pub image: Image,
    /// What to measure, with all below it.
    #[arg(default_value = "/")]
    pub paths: Vec<VolumePath>,
    /// The sum of each path alone, not of the directories below it.
    #[arg(short = 's')]
    pub sum: bool,
    /// Files below it, too, not only directories.
    #[arg(short = 'a', conflicts_with = "sum")]
    pub all: bool,
    /// And the sum of all paths.
    #[arg(short = 'c', long)]
    pub total: bool,
    /// Show what is so many names deep at most; all counts.
    #[arg(short = 'd', long, value_name = "N", conflicts_with = "sum")]
    pub max_depth: Option<usize>,
    /// KiB: what this command does anyway.
    #[arg(short = 'k', hide = true)]
    pub kib: bool,
    #[command(flatten)]
    pub human: Human,
    #[command(flatten)]
    pub ends: Ends,
    #[command(flatten)]
    pub reading: Reading,
}

/// Forms of values.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// In quotation marks.
    Text,
    /// Hexadecimal behind 0x.
    Hex,
    /// Base64 behind 0s.
    Base64,
}

/// Which names are meant.
#[derive(Clone, Debug)]
pub struct Names(Regex);

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // As getfattr has it: a dash is all.
        let pattern = if text == "-" { "" } else { text };
        Regex::new(pattern).map(Self).map_err(|error| error.to_string())
    }
}

/// `untorn getfattr`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct GetAttributes {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub help: LongHelp,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// This attribute alone, as in user.name, or system.posix_acl_access.
    #[arg(short = 'n', long)]
    pub name: Option<OsString>,
    /// Names that this regular expression finds, - for all, also access lists; otherwise those
    /// that begin with user., trusted. or security.
    #[arg(short = 'm', long = "match", value_name = "PATTERN", conflicts_with = "name")]
    #[arg(allow_hyphen_values = true)]
    pub names: Option<Names>,
    /// All below the directories, too; links there are not followed.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Links themselves, not what they lead to.
    #[arg(short = 'h', long)]
    pub no_dereference: bool,
    /// The form of values; otherwise text where it is text, else base64. In JSON they are always
    /// hexadecimal.
    #[arg(short = 'e', long, value_name = "FORM")]
    pub encoding: Option<Encoding>,
    /// The bytes of values and nothing else.
    #[arg(long)]
    pub only_values: bool,
    /// Values as well as names: what this command does anyway.
    #[arg(short = 'd', long = "dump")]
    pub dump: bool,
    /// Paths as they were typed: what this command does anyway.
    #[arg(long, hide = true)]
    pub absolute_names: bool,
    #[command(flatten)]
    pub reading: Reading,
}

impl GetAttributes {
    /// Whether a name is meant.
    pub fn wants(&self, name: &[u8]) -> bool {
        match (&self.name, &self.names) {
            (Some(wanted), _) => wanted.as_bytes() == name,
            (None, Some(names)) => names.0.is_match(&String::from_utf8_lossy(name)),
            (None, None) => !name.starts_with(b"system."),
        }
    }
}
