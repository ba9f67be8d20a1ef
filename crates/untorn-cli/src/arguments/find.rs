//! What `untorn find` takes: the words of find, behind one dash or two.

use super::{Image, Reading, VolumePath};
use crate::permissions::NewMode;
use crate::show::Ends;
use clap::Args;
use std::ffi::{OsStr, OsString};
use std::str::FromStr;
use untorn_format::inode::FileKind;

/// Sorts of files, by the letters of find.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Regular files.
    F,
    /// Directories.
    D,
    /// Symbolic links.
    L,
    /// Block devices.
    B,
    /// Character devices.
    C,
    /// Pipes.
    P,
    /// Sockets.
    S,
}

impl Sort {
    /// The letter of a kind.
    pub fn of(kind: FileKind) -> Self {
        match kind {
            FileKind::Regular => Self::F,
            FileKind::Directory => Self::D,
            FileKind::Symlink => Self::L,
            FileKind::BlockDevice => Self::B,
            FileKind::CharDevice => Self::C,
            FileKind::Fifo => Self::P,
            FileKind::Socket => Self::S,
        }
    }
}

/// A number as find compares it: `+N` more, `-N` less, `N` exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// More than this.
    More(u64),
    /// Less than this.
    Less(u64),
    /// This.
    Exactly(u64),
}

impl Count {
    /// Whether a number is meant.
    pub fn fits(self, number: u64) -> bool {
        match self {
            Self::More(than) => number > than,
            Self::Less(than) => number < than,
            Self::Exactly(this) => number == this,
        }
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (how, digits): (fn(u64) -> Self, _) = match text.split_at_checked(1) {
            Some(("+", digits)) => (Self::More, digits),
            Some(("-", digits)) => (Self::Less, digits),
            _ => (Self::Exactly, text),
        };
        let number = digits.parse().ok().filter(|_| !digits.starts_with('+'));
        number.map(how).ok_or_else(|| format!("{text:?} is no number: N, +N or -N"))
    }
}

/// A size as find compares it: in units, the last one counted whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSize {
    count: Count,
    unit: u64,
}

impl FileSize {
    /// Whether so many bytes are meant.
    pub fn fits(self, bytes: u64) -> bool {
        self.count.fits(bytes.div_ceil(self.unit))
    }
}

impl FromStr for FileSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const UNITS: [(char, u64); 6] =
            [('b', 512), ('c', 1), ('w', 2), ('k', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
        let scaled = UNITS.iter().find_map(|&(c, unit)| Some((text.strip_suffix(c)?, unit)));
        let (digits, unit) = scaled.unwrap_or((text, 512));
        let refused = |_| format!("{text:?} is no size: N, +N or -N with b, c, w, k, M or G");
        Ok(Self { count: digits.parse().map_err(refused)?, unit })
    }
}

/// Permissions as find compares them: `MODE` exactly, `-MODE` all of these, `/MODE` any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permissions {
    /// These and no other.
    Exactly(u16),
    /// All of these.
    All(u16),
    /// One of these, or of none.
    Any(u16),
}

impl Permissions {
    /// Whether the mode of a file is meant.
    pub fn fits(&self, mode: u16) -> bool {
        let mode = mode & 0o7777;
        match *self {
            Self::Exactly(bits) => mode == bits,
            Self::All(bits) => mode & bits == bits,
            Self::Any(bits) => bits == 0 || mode & bits != 0,
        }
    }
}

impl FromStr for Permissions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (how, mode): (fn(u16) -> Self, _) = match text.split_at_checked(1) {
            Some(("-", mode)) => (Self::All, mode),
            Some(("/", mode)) => (Self::Any, mode),
            _ => (Self::Exactly, text),
        };
        Ok(how(mode.parse::<NewMode>()?.of(0, FileKind::Regular)))
    }
}

/// Words that find takes after a single dash, as people type them: without a value, and with one.
const ALONE: [&str; 5] = ["-print", "-print0", "-empty", "-xdev", "-mount"];
const VALUED: [&str; 17] = [
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-type",
    "-inum",
    "-maxdepth",
    "-mindepth",
    "-size",
    "-links",
    "-newer",
    "-perm",
    "-user",
    "-group",
    "-uid",
    "-gid",
    "-wholename",
];

/// A word as it is known here.
pub(super) enum Word {
    /// As it is.
    Same,
    /// As it is; a value follows.
    SameValued,
    /// With two dashes; a value follows.
    Valued,
    /// With two dashes.
    Alone,
    /// A word of find's that is refused by name.
    Beyond,
}

impl Word {
    /// What a word behind `find` is.
    pub fn of(word: &OsStr) -> Self {
        let Some(word) = word.to_str() else { return Self::Same };
        if ALONE.contains(&word) {
            return Self::Alone;
        }
        if VALUED.contains(&word) {
            return Self::Valued;
        }
        if word.strip_prefix('-').is_some_and(|single| VALUED.contains(&single)) {
            return Self::SameValued;
        }
        let letters = word.strip_prefix('-').filter(|rest| rest.len() > 1);
        match letters.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
            || ["!", "(", ")", "-a", "-o"].contains(&word)
        {
            true => Self::Beyond,
            false => Self::Same,
        }
    }
}

pub(super) const FIND: &str = "\
Words with a single dash are taken as find takes them: all of those above, -inum, -print, -print0.
N is a number: +N for more, -N for less. All that is asked must hold; there is no -o, no -exec:
  untorn find disk.img / -type f -size +1M -print0 | xargs -0 untorn rm disk.img";

/// `untorn find`.
#[derive(Args, Debug)]
pub struct Find {
    #[command(flatten)]
    pub image: Image,
    /// Where to begin; a link is followed only with a slash behind it.
    #[arg(default_value = "/")]
    pub paths: Vec<VolumePath>,
    /// Names of this pattern alone: * for any letters, ? for any one, [a-z] for one of these.
    #[arg(long, value_name = "GLOB", allow_hyphen_values = true)]
    pub name: Vec<OsString>,
    /// The same, whatever the case of letters.
    #[arg(long, value_name = "GLOB", allow_hyphen_values = true)]
    pub iname: Vec<OsString>,
    /// Whole paths of this pattern alone; * is also for slashes.
    #[arg(long, alias = "wholename", value_name = "GLOB", allow_hyphen_values = true)]
    pub path: Vec<OsString>,
    /// The same, whatever the case of letters.
    #[arg(long, value_name = "GLOB", allow_hyphen_values = true)]
    pub ipath: Vec<OsString>,
    /// Files of these sorts alone.
    #[arg(long = "type", value_delimiter = ',')]
    pub sort: Vec<Sort>,
    /// The paths of this inode alone: at once on a volume with parent pointers.
    #[arg(long, alias = "inum", value_name = "NUMBER")]
    pub inode: Option<u64>,
    /// Go so many names down at most.
    #[arg(long, value_name = "DEPTH")]
    pub maxdepth: Option<usize>,
    /// Print nothing that is fewer names down.
    #[arg(long, value_name = "DEPTH")]
    pub mindepth: Option<usize>,
    /// Sizes of N blocks of 512 bytes, or with c bytes, k, M, G.
    #[arg(long, value_name = "N[ckMG]", allow_hyphen_values = true)]
    pub size: Vec<FileSize>,
    /// Files of no bytes and directories without entries alone.
    #[arg(long)]
    pub empty: bool,
    /// So many names of a file.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub links: Vec<Count>,
    /// What was changed after this file was.
    #[arg(long, value_name = "PATH")]
    pub newer: Vec<VolumePath>,
    /// These permissions; behind - all of them at least, behind / any of them.
    #[arg(long, value_name = "MODE", allow_hyphen_values = true)]
    pub perm: Vec<Permissions>,
    /// What this user owns, by name or number.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// What belongs to this group, by name or number.
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Owners of these numbers.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub uid: Vec<Count>,
    /// Groups of these numbers.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub gid: Vec<Count>,
    /// Print the paths: what this command does anyway.
    #[arg(long, hide = true)]
    pub print: bool,
    /// Stay on the volume: what this command does anyway.
    #[arg(long, alias = "mount", hide = true)]
    pub xdev: bool,
    /// Words that are refused.
    #[arg(long, hide = true, allow_hyphen_values = true)]
    pub beyond: Vec<OsString>,
    #[command(flatten)]
    pub ends: Ends,
    #[command(flatten)]
    pub reading: Reading,
}
