//! What the commands of daily work take: copies, names, owners, space, attributes.

use super::Whose;
use super::{Image, LongHelp, OrPath, Owner, Place, Side, VolumePath};
use crate::accounts::Who;
use crate::permissions::NewMode;
use crate::size::{self, NewSize};
use crate::when;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use untorn_format::inode::Timestamp;

pub(super) const CP: &str = "Examples:
  untorn cp -r rootfs/. disk.img:/        a tree into a volume, without root
  untorn cp -r --squash site disk.img:/   all files root's
  untorn cp -r disk.img:/etc saved        out again
  untorn cp -r disk.img:/a disk.img:/b    inside it, sharing blocks where it can
  untorn cp -r disk.img:/a other.img:/    to another

What is copied replaces what has its name: links, pipes and files, never through a link, and what is
there stays until the copy is whole. Directories that stood there before stay what they are, except
with -p or -a. What one source became, another of its name does not replace: that is told. What
fails is told, and the rest is copied. Files of the host are read to their ends, whatever sizes they
are said to have (/proc, /sys). What a process has open (/dev/stdout) is not replaced: `untorn cat`
writes to it. A path that begins with /, ./ or ../ is of the host where the host has it, also
with :/ in it. Exit status: 0 well, 1 something failed, was left out, or changed while it was
copied.";

/// `untorn cp`.
#[derive(Args, Debug)]
pub struct Cp {
    /// What to copy, and where to: IMAGE:/path is on a volume, all else on the host.
    #[arg(required = true, num_args = 2..)]
    pub paths: Vec<Side>,
    #[command(flatten)]
    pub place: Place,
    /// Directories with all that is in them; links stay links.
    #[arg(short = 'r', long, visible_short_alias = 'R')]
    pub recursive: bool,
    /// The same as -rp.
    #[arg(short = 'a', long)]
    pub archive: bool,
    /// Give directories that stood there before what is kept of files anyway: permissions, owners,
    /// attributes, times. Without, they stay what they are.
    #[arg(short = 'p')]
    pub preserve: bool,
    /// What has the name already stays.
    #[arg(short = 'n', long, conflicts_with = "force")]
    pub no_clobber: bool,
    /// What has the name already stays, unless what comes was changed later.
    #[arg(short = 'u', long)]
    pub update: bool,
    /// Say what is copied.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Follow links, also below directories.
    #[arg(short = 'L', long, overrides_with_all = ["no_dereference", "dereference_named"])]
    pub dereference: bool,
    /// Follow links that are named.
    #[arg(short = 'H', overrides_with_all = ["no_dereference", "dereference"])]
    pub dereference_named: bool,
    /// Follow no links.
    #[arg(short = 'P', long, visible_short_alias = 'd')]
    #[arg(overrides_with_all = ["dereference", "dereference_named"])]
    pub no_dereference: bool,
    /// The target is the name of the copy, also where it is a directory.
    #[arg(short = 'T', long)]
    pub no_target_directory: bool,
    /// Replace what has the name already: what this command does anyway.
    #[arg(short = 'f', long, hide = true)]
    pub force: bool,
    /// Ask before something is replaced, which is refused.
    #[arg(short = 'i', long, hide = true)]
    pub interactive: bool,
    #[command(flatten)]
    pub whose: Whose,
}

impl Cp {
    /// Whether directories are copied.
    pub fn is_recursive(&self) -> bool {
        self.recursive || self.archive
    }

    /// Whether directories that stood there before become like those that are copied.
    pub fn restores(&self) -> bool {
        self.preserve || self.archive
    }

    /// Whether links that are named are followed.
    pub fn follows_named(&self) -> bool {
        let said = self.no_dereference || self.is_recursive();
        self.dereference || self.dereference_named || !said
    }

    /// Whether links below directories are followed, too.
    pub fn follows_all(&self) -> bool {
        self.dereference
    }
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
    #[arg(short = 'n', long, conflicts_with = "force")]
    pub no_clobber: bool,
    /// What has the new name stays, unless what comes was changed later.
    #[arg(short = 'u', long)]
    pub update: bool,
    /// Say what is moved.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// The last path is the new name, also where it is a directory.
    #[arg(short = 'T', long)]
    pub no_target_directory: bool,
    /// Replace what has the new name: what this command does anyway.
    #[arg(short = 'f', long, hide = true)]
    pub force: bool,
    /// Ask before something is replaced, which is refused.
    #[arg(short = 'i', long, hide = true)]
    pub interactive: bool,
    /// Let two names change places.
    #[arg(long, conflicts_with_all = ["no_clobber", "update"])]
    pub exchange: bool,
}

/// `untorn ln`.
#[derive(Args, Debug)]
pub struct Ln {
    #[command(flatten)]
    pub image: Image,
    /// The files, or with -s what the links say; then the new name, or a directory for them.
    #[arg(required = true, num_args = 2..)]
    pub paths: Vec<VolumePath>,
    /// Make symbolic links.
    #[arg(short = 's', long)]
    pub symbolic: bool,
    /// Replace what has the new name.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// A link to a directory is a name to be replaced, not a directory for new names.
    #[arg(short = 'n', long)]
    pub no_dereference: bool,
    /// A symbolic link that is named gets one more name itself: what this command does anyway.
    #[arg(short = 'P', long, overrides_with = "logical")]
    pub physical: bool,
    /// What a symbolic link leads to gets one more name, not the link.
    #[arg(short = 'L', long, overrides_with = "physical")]
    pub logical: bool,
    /// Symbolic links say the way from where they are.
    #[arg(short = 'r', long, requires = "symbolic")]
    pub relative: bool,
    /// Say what is linked.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// The last path is the new name, also where it is a directory.
    #[arg(short = 'T', long)]
    pub no_target_directory: bool,
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
    #[arg(short = 'c', long)]
    pub no_create: bool,
    /// The time of the last read alone.
    #[arg(short = 'a')]
    pub access: bool,
    /// The time of the last change alone.
    #[arg(short = 'm')]
    pub modification: bool,
    /// This time: 2026-01-31, 2026-01-31 12:30:59, with T for the blank, with Z or +01:00 behind
    /// it, or @SECONDS.
    #[arg(short = 'd', long, value_name = "TIME", value_parser = when::date)]
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["stamp", "reference"])]
    pub date: Option<Timestamp>,
    /// This time, in digits.
    #[arg(short = 't', value_name = "STAMP", value_parser = when::stamp)]
    #[arg(conflicts_with = "reference", help = "This time: [[CC]YY]MMDDhhmm[.ss]")]
    pub stamp: Option<Timestamp>,
    /// The times of this file of the volume.
    #[arg(short = 'r', long, value_name = "PATH")]
    pub reference: Option<VolumePath>,
    /// A symbolic link itself; none is made.
    #[arg(short = 'h', long)]
    pub no_dereference: bool,
    #[command(flatten)]
    pub owner: Owner,
}

/// `untorn chmod`.
#[derive(Args, Debug)]
pub struct Chmod {
    #[command(flatten)]
    pub image: Image,
    /// Permissions: in octal, or letters as in u+x,go-w. Directories keep set-id bits that are not
    /// named, as in u-s, =755 or 00755; without u, g, o and a the umask counts.
    #[arg(allow_hyphen_values = true)]
    pub mode: OrPath<NewMode>,
    /// What gets them. A link that is named is followed, others are not.
    #[arg(required_unless_present = "reference")]
    pub paths: Vec<VolumePath>,
    /// And all below it; what fails is told, and the rest changed.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The permissions of this file of the volume, in place of MODE.
    #[arg(long, value_name = "PATH")]
    pub reference: Option<VolumePath>,
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
    pub owner: OrPath<Who>,
    /// What gets them. Links are followed without -R and -h.
    #[arg(required_unless_present = "reference")]
    pub paths: Vec<VolumePath>,
    /// And all below it; what fails is told, and the rest changed.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// A symbolic link itself.
    #[arg(short = 'h', long)]
    pub no_dereference: bool,
    /// Owner and group of this file of the volume, in place of USER:GROUP.
    #[arg(long, value_name = "PATH")]
    pub reference: Option<VolumePath>,
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
    #[arg(short = 's', long, value_name = "BYTES", allow_hyphen_values = true)]
    #[arg(required_unless_present = "reference")]
    pub size: Option<NewSize>,
    /// The size of this file of the volume; with -s +5 and the like, what comes from it.
    #[arg(short = 'r', long, value_name = "PATH")]
    pub reference: Option<VolumePath>,
    /// Make none that is not there.
    #[arg(short = 'c', long)]
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
    #[arg(required_unless_present = "restore")]
    pub paths: Vec<VolumePath>,
    /// Set this attribute, as in user.name; system.posix_acl_access and system.posix_acl_default
    /// are access lists.
    #[arg(short = 'n', long, conflicts_with = "remove")]
    pub name: Option<OsString>,
    /// To this value: text, in quotation marks with octal escapes, 0x and hexadecimal digits, or 0s
    /// and base64.
    #[arg(short = 'v', long, requires = "name")]
    pub value: Option<OsString>,
    /// Remove this attribute.
    #[arg(short = 'x', long)]
    pub remove: Option<OsString>,
    /// A symbolic link itself.
    #[arg(short = 'h', long)]
    pub no_dereference: bool,
    /// Set what `getfattr -d` printed to this file of the host (-: standard input).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "remove", "paths"])]
    pub restore: Option<PathBuf>,
}
