//! What the commands of daily work take: copies, names, owners, space, attributes.

use super::Whose;
use super::{Image, LongHelp, Owner, Place, Side, VolumePath};
use crate::accounts::Who;
use crate::permissions::NewMode;
use crate::size::{self, NewSize};
use clap::Args;
use std::ffi::OsString;

pub(super) const CP: &str = "Examples:
  untorn cp -r rootfs/. disk.img:/        a tree into a volume, without root
  untorn cp -r --squash site disk.img:/   all files root's
  untorn cp -r disk.img:/etc saved        out again
  untorn cp -r disk.img:/a disk.img:/b    inside it, sharing blocks

What is copied replaces what has its name: links, pipes and files, never through a link; inside a
volume nothing is replaced. Exit status: 0 well, 1 something failed, was left out, or changed while
it was copied.";

/// `untorn cp`.
#[derive(Args, Debug)]
pub struct Cp {
    /// What to copy, and where to: IMAGE:/path is on a volume, all else on the host.
    #[arg(required = true, num_args = 2..)]
    pub paths: Vec<Side>,
    #[command(flatten)]
    pub place: Place,
    /// Directories with all that is in them.
    #[arg(short = 'r', visible_short_aliases = ['R', 'a'])]
    pub recursive: bool,
    #[command(flatten)]
    pub whose: Whose,
}

/// `untorn mv`.
#[derive(Args, Debug)]
pub struct Mv {
    #[command(flatten)]
    pub image: Image,
    /// What to move, and where to: a new name, or a directory.
    #[arg(required = true, num_args = 2..)]
    pub paths: Vec<VolumePath>,
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
    pub target: VolumePath,
    /// The new name, or a directory for it.
    pub name: VolumePath,
    /// Make a symbolic link.
    #[arg(short = 's')]
    pub symbolic: bool,
    /// Remove what has the new name first.
    #[arg(short = 'f')]
    pub force: bool,
}

/// `untorn touch`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Touch {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub help: LongHelp,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
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
    /// Permissions: in octal, or letters as in u+x,go-w.
    #[arg(allow_hyphen_values = true)]
    pub mode: NewMode,
    /// What gets them.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// And all below it.
    #[arg(short = 'R')]
    pub recursive: bool,
}

/// `untorn chown`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Chown {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub help: LongHelp,
    /// Owner and group: `user`, `user:group`, `:group`, or `user:` for the user's own group. Names
    /// are those of the volume's /etc/passwd and /etc/group, or of this machine; numbers serve too.
    #[arg(value_name = "USER:GROUP")]
    pub owner: Who,
    /// What gets them.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// And all below it.
    #[arg(short = 'R')]
    pub recursive: bool,
}

/// `untorn truncate`.
#[derive(Args, Debug)]
pub struct Truncate {
    #[command(flatten)]
    pub image: Image,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// Bytes that each has afterwards; with +, -, <, >, / or % before them: so much more, less, at
    /// most, at least, the next multiple down, up [k, m, g, t].
    #[arg(short = 's', value_name = "BYTES", allow_hyphen_values = true)]
    pub size: NewSize,
    /// Make none that is not there.
    #[arg(short = 'c')]
    pub no_create: bool,
}

/// `untorn clone`.
#[derive(Args, Debug)]
pub struct Clone {
    #[command(flatten)]
    pub image: Image,
    /// What to clone.
    pub from: VolumePath,
    /// The name of the clone, or a directory for it.
    pub to: VolumePath,
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
    pub path: VolumePath,
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

/// `untorn setfattr`.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct SetAttribute {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub help: LongHelp,
    /// The files.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// Set this attribute, as in user.name.
    #[arg(short = 'n', conflicts_with = "remove")]
    pub name: Option<OsString>,
    /// To this value.
    #[arg(short = 'v', requires = "name")]
    pub value: Option<OsString>,
    /// Remove this attribute.
    #[arg(short = 'x')]
    pub remove: Option<OsString>,
}
