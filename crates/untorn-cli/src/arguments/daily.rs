//! What the commands of daily work take: copies, names, owners, space, attributes.

use super::Whose;
use super::{Destination, Image, Owner, Place, Reading, octal};
use crate::size;
use clap::Args;

pub(super) const CP: &str = "Examples:
  untorn cp -r rootfs/. disk.img:/        a tree into a volume, without root
  untorn cp -r --squash site disk.img:/   all files root's
  untorn cp -r disk.img:/etc saved        out again";

/// `untorn cp`.
#[derive(Args, Debug)]
pub struct Cp {
    /// What to copy, and where to: IMAGE:/path is on a volume, all else on the host.
    #[arg(required = true, num_args = 2.., value_parser = side)]
    pub paths: Vec<crate::commands::cp::Side>,
    #[command(flatten)]
    pub place: Place,
    /// Directories with all that is in them.
    #[arg(short = 'r', visible_short_alias = 'R')]
    pub recursive: bool,
    #[command(flatten)]
    pub whose: Whose,
    /// Say in JSON what was copied into a volume.
    #[arg(long)]
    pub json: bool,
}

fn side(typed: &str) -> Result<crate::commands::cp::Side, String> {
    use crate::commands::cp::Side;
    Ok(match destination_or_root(typed) {
        Some(found) => Side::Volume(found),
        None => Side::Host(typed.into()),
    })
}

/// `IMAGE:/path`, the root directory included.
fn destination_or_root(typed: &str) -> Option<Destination> {
    let (image, path) = typed.rsplit_once(":/").filter(|(image, _)| !image.is_empty())?;
    Some(Destination { image: image.into(), path: format!("/{path}") })
}

/// `untorn mv`.
#[derive(Args, Debug)]
pub struct Mv {
    #[command(flatten)]
    pub image: Image,
    /// What to move, and where to: a new name, or a directory.
    #[arg(required = true, num_args = 2..)]
    pub paths: Vec<String>,
    /// Refuse to replace what has the new name.
    #[arg(short = 'n')]
    pub no_clobber: bool,
    /// Let two names change places.
    #[arg(long, conflicts_with = "no_clobber")]
    pub exchange: bool,
}

/// `untorn ln`.
#[derive(Args, Debug)]
pub struct Ln {
    #[command(flatten)]
    pub image: Image,
    /// The file, or with -s what the link says.
    pub target: String,
    /// The new name, or a directory for it.
    pub name: String,
    /// Make a symbolic link.
    #[arg(short = 's')]
    pub symbolic: bool,
    /// Remove what has the new name first.
    #[arg(short = 'f')]
    pub force: bool,
}

/// `untorn touch`.
#[derive(Args, Debug)]
pub struct Touch {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// Make none that is not there.
    #[arg(short = 'c')]
    pub no_create: bool,
    #[command(flatten)]
    pub owner: Owner,
}

/// `untorn chmod`.
#[derive(Args, Debug)]
pub struct Chmod {
    #[command(flatten)]
    pub image: Image,
    /// Permissions, in octal.
    #[arg(value_name = "OCTAL", value_parser = octal)]
    pub mode: u16,
    /// What gets them.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// And all below it.
    #[arg(short = 'R')]
    pub recursive: bool,
}

/// `untorn chown`.
#[derive(Args, Debug)]
pub struct Chown {
    #[command(flatten)]
    pub image: Image,
    /// Owner and group by number: `1000`, `1000:100` or `:100`.
    #[arg(value_name = "UID:GID", value_parser = owner)]
    pub owner: (Option<u32>, Option<u32>),
    /// What gets them.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// And all below it.
    #[arg(short = 'R')]
    pub recursive: bool,
}

pub(super) fn owner(text: &str) -> Result<(Option<u32>, Option<u32>), String> {
    let refused = || format!("{text:?} is no owner: numbers as in 1000, 1000:100 or :100");
    let number = |word: &str| match word {
        "" => Ok(None),
        word => word.parse().map(Some).map_err(|_| refused()),
    };
    let (uid, gid) = text.split_once(':').unwrap_or((text, ""));
    match (number(uid)?, number(gid)?) {
        (None, None) if !text.is_empty() => Err(refused()),
        found => Ok(found),
    }
}

/// `untorn truncate`.
#[derive(Args, Debug)]
pub struct Truncate {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// Bytes that each has afterwards.
    #[arg(short = 's', value_name = "BYTES", value_parser = size::bytes)]
    pub size: u64,
    /// Make none that is not there.
    #[arg(short = 'c')]
    pub no_create: bool,
}

/// `untorn df`.
#[derive(Args, Debug)]
pub struct Df {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn du`.
#[derive(Args, Debug)]
pub struct Du {
    #[command(flatten)]
    pub image: Image,
    /// What to measure, with all below it.
    #[arg(default_value = "/")]
    pub paths: Vec<String>,
}

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
    pub fn of(kind: untorn_format::inode::FileKind) -> Self {
        use untorn_format::inode::FileKind;
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

/// `untorn find`.
#[derive(Args, Debug)]
pub struct Find {
    #[command(flatten)]
    pub image: Image,
    /// Where to begin.
    #[arg(default_value = "/")]
    pub path: String,
    /// Names of this pattern alone: * for any letters, ? for any one.
    #[arg(long)]
    pub name: Option<String>,
    /// Files of this sort alone.
    #[arg(long = "type")]
    pub sort: Option<Sort>,
    /// The paths of this inode alone: at once on a volume with parent pointers.
    #[arg(long, value_name = "NUMBER")]
    pub inode: Option<u64>,
}

/// `untorn clone`.
#[derive(Args, Debug)]
pub struct Clone {
    #[command(flatten)]
    pub image: Image,
    /// What to clone.
    pub from: String,
    /// The name of the clone, or a directory for it.
    pub to: String,
    /// Directories with all that is in them.
    #[arg(short = 'r', visible_short_alias = 'R')]
    pub recursive: bool,
}

/// `untorn fallocate`.
#[derive(Args, Debug)]
pub struct Fallocate {
    #[command(flatten)]
    pub image: Image,
    /// The file.
    pub path: String,
    /// Byte to begin at.
    #[arg(short = 'o', value_name = "BYTES", value_parser = size::bytes, default_value = "0")]
    pub from: u64,
    /// Bytes of the range.
    #[arg(short = 'l', value_name = "BYTES", value_parser = size::bytes)]
    pub length: u64,
    /// The size of the file stays.
    #[arg(short = 'n')]
    pub keep_size: bool,
    /// Take the blocks away: the range reads as zeroes.
    #[arg(short = 'p', group = "what")]
    pub punch_hole: bool,
    /// Zeroes with blocks behind them.
    #[arg(short = 'z', group = "what")]
    pub zero_range: bool,
    /// Take the range out of the file.
    #[arg(short = 'c', group = "what")]
    pub collapse_range: bool,
    /// Put a hole in, before what is there.
    #[arg(short = 'i', group = "what")]
    pub insert_range: bool,
    /// Blocks that nobody shares.
    #[arg(short = 'u', group = "what")]
    pub unshare: bool,
}

impl Fallocate {
    /// Whether a file must be there.
    pub fn changes(&self) -> bool {
        self.punch_hole
            || self.zero_range
            || self.collapse_range
            || self.insert_range
            || self.unshare
    }
}

/// `untorn getfattr`.
#[derive(Args, Debug)]
pub struct GetAttributes {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// This attribute alone, as in user.name.
    #[arg(short = 'n')]
    pub name: Option<String>,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn setfattr`.
#[derive(Args, Debug)]
pub struct SetAttribute {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// Set this attribute, as in user.name.
    #[arg(short = 'n', conflicts_with = "remove")]
    pub name: Option<String>,
    /// To this value.
    #[arg(short = 'v', requires = "name")]
    pub value: Option<String>,
    /// Remove this attribute.
    #[arg(short = 'x')]
    pub remove: Option<String>,
}
