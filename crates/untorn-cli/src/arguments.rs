//! What can be typed. Completions and manual pages come from these definitions too.

mod daily;
mod db;
mod find;
mod images;
mod inside;
mod reading;

pub use daily::*;
pub use db::{DB, Db};
use find::{FIND, Word};
pub use find::{Find, Sort};
pub use images::*;
pub use inside::{Destination, OrPath, Side, VolumePath, is_volume};
pub use reading::{Bmap, Cat, Df, Du, Encoding, GetAttributes, Ls, Stat};

use crate::failure::Code;
use crate::{permissions, size};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

const PROMISES: &str = "\
Three promises, kept apart:
  untorn   After any crash, power cut, kill or error, all bytes of an atomic write are new or all
           are old, and the file's size with them. `write --atomic` promises this.
  durable  The write survives a power cut from now on. `write --sync` promises this when the
           command returns; without it, closing the volume does.
  ordered  Of two writes the later never survives without the earlier. Only a sync between them
           promises this.";

const JSON: &str = r#"For programs, with --json:
  Standard output has one document: what was found, or what was changed, in a list under one word,
  also where the rest failed:
    mkdir         made       path, inode
    touch         touched    path, created
    put           put        path, inode, bytes
    rm, rmdir     removed    path
    mv            moved      path, to
    mv --exchange exchanged  path, to
    ln            linked     path, target
    clone         cloned     path, to
    cp            cloned     path, to (inside a volume)
    cp            copied     path, to (out of one, or from one to another)
    cp            counts alone, into a volume: files, directories, symlinks, specials, links, bytes
    chmod         changed    path, mode
    chown         changed    path, uid, gid
    truncate      truncated  path, size, created
    fallocate     changed    path, size
    setfattr      set        path, attribute
    setfattr -x   removed    path, attribute
  as in {"removed":[{"path":"/a"}]}; rm -r, chmod -R and chown -R have each entry below, too. ls,
  stat, bmap, find, du and getfattr have a list of what was found, which may be empty: du -c ends it
  with {"total":BYTES}; values of getfattr are hexadecimal; of what ls cannot read it has name and
  inode alone. Where a name is no UTF-8, its bytes stand beside it in hexadecimal, as path_bytes.
  cat, completions and man print what they always print; db prints a line for each command.
  Standard error has a line for each failure, {"error":{"code":C,"message":M,"remedy":R}}, or
  warning, {"warning":{...}}; R may be null. Codes stay what they are:
"#;

/// XFS in user space: read and write XFS v5 volumes through XFS's own journal, no mount needed.
#[derive(Debug, Parser)]
#[command(name = "untorn", version, propagate_version = true)]
#[command(max_term_width = 100, after_help = PROMISES)]
#[command(after_long_help = format!("{PROMISES}\n\n{JSON}{}", Code::all()))]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON: what was found or done; failures and warnings, too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What was typed, with the words that find takes after a single dash as they are known here.
pub fn typed(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let (mut command, mut is_value, mut refused) = (None, false, false);
    words.enumerate().map(move |(at, word)| {
        let is_command = at > 0 && command.is_none() && !word.as_encoded_bytes().starts_with(b"-");
        if is_command {
            command = Some(word.clone());
        }
        let of_find = command.as_deref().is_some_and(|command| command == "find");
        if !of_find || std::mem::take(&mut is_value) {
            return word;
        }
        let prefix = match Word::of(&word) {
            // What follows a word that is refused may be its value.
            _ if refused && !word.as_encoded_bytes().starts_with(b"--") => "--beyond=",
            Word::Same => return word,
            Word::SameValued => {
                is_value = true;
                return word;
            }
            Word::Beyond => {
                refused = true;
                "--beyond="
            }
            Word::Alone => "-",
            Word::Valued => {
                is_value = true;
                "-"
            }
        };
        let mut known = OsString::from(prefix);
        known.push(&word);
        known
    })
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a volume; the letters are those of mkfs.xfs.
    #[command(after_help = MKFS)]
    Mkfs(Box<Mkfs>),
    /// Show a volume's layout as xfs_info does, and whether its journal is clean.
    Info(Info),
    /// Say which Linux, GRUB and xfsprogs can deal with a volume, feature by feature.
    Compat(Compat),
    /// Show or change a volume's label.
    Label(Label),
    /// Show or change a volume's UUID.
    Uuid(Uuid),
    /// Grow a volume after its image or device grew. It must not be mounted.
    Grow(Grow),
    /// List a directory.
    Ls(Ls),
    /// Write a file's contents to standard output.
    Cat(Cat),
    /// Show what is known of a file.
    Stat(Stat),
    /// Show where a file's blocks lie, in the columns of `xfs_bmap -vp`.
    Bmap(Bmap),
    /// Make a directory.
    Mkdir(Mkdir),
    /// Make a device, a named pipe or a socket.
    Mknod(Mknod),
    /// Remove files and directories.
    Rm(Rm),
    /// Remove directories with nothing in them.
    Rmdir(Rmdir),
    /// Copy files and trees into a volume, out of it, or inside it.
    #[command(after_help = CP, override_usage = "untorn cp [OPTIONS] <SOURCE>... <TARGET>")]
    Cp(Cp),
    /// Give files another name, or move them into a directory.
    #[command(override_usage = "untorn mv [OPTIONS] <IMAGE> <SOURCE>... <TARGET>")]
    Mv(Mv),
    /// Give files one more name, or make symbolic links.
    #[command(override_usage = "untorn ln [OPTIONS] <IMAGE> <TARGET>... <NAME>")]
    Ln(Ln),
    /// Make empty files, or say when files were changed.
    Touch(Touch),
    /// Set permissions.
    Chmod(Chmod),
    /// Set owners and groups.
    Chown(Chown),
    /// Give files a size.
    Truncate(Truncate),
    /// Show how much space is used and left.
    Df(Df),
    /// Show how much space files and directories take.
    Du(Du),
    /// Print the paths below one.
    #[command(after_help = FIND)]
    Find(Box<Find>),
    /// Make files that share their blocks with others.
    Clone(Clone),
    /// Give files space, take it away, shift what they hold: the letters are those of fallocate.
    Fallocate(Fallocate),
    /// Show extended attributes.
    Getfattr(GetAttributes),
    /// Set or remove extended attributes.
    Setfattr(SetAttribute),
    /// Put a whole file into a volume, in place of what is there, in one commit.
    #[command(after_help = PROMISES)]
    Put(Put),
    /// Write to a file; with --atomic whole or not at all.
    #[command(after_help = PROMISES)]
    Write(Write),
    /// Show the journal: records, transactions, items, in words.
    Log(Log),
    /// Replay the journal and leave it clean.
    Recover(Recover),
    /// Give a volume's free space back to the image file or the device below.
    Trim(Trim),
    /// Read any structure by xfs_db's field names. Writes nothing; works on damaged volumes.
    #[command(after_help = DB)]
    Db(Db),
    /// Check a volume. Exit status: 0 clean, 1 damaged, 8 could not check.
    Check(Check),
    /// Cut the power during atomic writes, at every request, and show what recovery finds.
    Demo(Demo),
    /// Exercise a file as fsx of fstests does. Exit status: 0 well, 1 a failure found, 2 not run.
    Fsx(Box<crate::commands::fsx::Fsx>),
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a manual page.
    Man {
        /// The command that it is for; untorn itself without.
        command: Option<String>,
    },
}

/// Which part of the image holds the volume.
#[derive(Args, Clone, Debug, Default)]
pub struct Place {
    /// The volume begins at this byte of the image [k, m, g, t].
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    #[arg(conflicts_with = "partition")]
    pub offset: Option<u64>,
    /// The volume lies in this partition (GPT or MBR).
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
}

/// An image file or block device and the volume on it.
#[derive(Args, Clone, Debug)]
pub struct Image {
    /// Image file or block device.
    pub image: PathBuf,
    #[command(flatten)]
    pub place: Place,
}

impl Image {
    /// What messages call it.
    pub fn name(&self) -> String {
        self.image.display().to_string()
    }
}

/// How a command that only reads is asked.
#[derive(Args, Clone, Debug)]
pub struct Reading {
    /// Touch nothing on the device: what this command does anyway.
    #[arg(long, hide = true)]
    pub read_only: bool,
}

/// Owner and permissions of a file.
#[derive(Args, Clone, Debug)]
pub struct Owner {
    /// Permissions, in octal, also of a file that is there already. A new one has 644 without,
    /// whatever the umask.
    #[arg(long, value_name = "OCTAL", value_parser = permissions::octal)]
    pub mode: Option<u16>,
    #[command(flatten)]
    pub whose: Numbers,
}

/// Owner and group, by number.
#[derive(Args, Clone, Copy, Debug)]
pub struct Numbers {
    /// Owner; root of what is made.
    #[arg(long)]
    pub uid: Option<u32>,
    /// Group; root's of what is made.
    #[arg(long)]
    pub gid: Option<u32>,
}

impl Numbers {
    /// What is made, with these permissions.
    pub fn new_file(&self, permissions: u16) -> untorn::NewFile {
        let (uid, gid) = (self.uid.unwrap_or(0), self.gid.unwrap_or(0));
        untorn::NewFile { permissions, uid, gid }
    }
}

impl Owner {
    /// What is made, with these permissions unless others were given.
    pub fn new_file(&self, permissions: u16) -> untorn::NewFile {
        self.whose.new_file(self.mode.unwrap_or(permissions))
    }

    /// What changes of a file that is there already, if anything.
    pub fn change(&self) -> Option<untorn::NewMetadata> {
        let (permissions, Numbers { uid, gid }) = (self.mode, self.whose);
        let change = untorn::NewMetadata { permissions, uid, gid, ..Default::default() };
        (change != untorn::NewMetadata::default()).then_some(change)
    }
}

/// `untorn mkfs`.
#[derive(Args, Debug)]
pub struct Mkfs {
    /// Image file or block device; a file that does not exist is made, sparse, with -d size= or
    /// --from.
    #[arg(required_unless_present = "supported")]
    pub image: Option<PathBuf>,
    #[command(flatten)]
    pub place: Place,
    /// Blocks: size=
    #[arg(short = 'b', value_name = "OPTIONS")]
    pub block: Vec<String>,
    /// Options from a file: options=FILE
    #[arg(short = 'c', value_name = "OPTIONS")]
    pub config: Vec<String>,
    /// Data: size=, agcount=, agsize=, su=, sw=, sunit=, swidth=, noalign, rtinherit=,
    /// projinherit=, extszinherit=, cowextsize=, daxinherit=
    #[arg(short = 'd', value_name = "OPTIONS")]
    pub data: Vec<String>,
    /// Inodes: size=, perblock=, maxpct=, sparse=, nrext64=, exchange=
    #[arg(short = 'i', value_name = "OPTIONS")]
    pub inode: Vec<String>,
    /// Log: size=, agnum=, su=, sunit=
    #[arg(short = 'l', value_name = "OPTIONS")]
    pub log: Vec<String>,
    /// Metadata: crc=, finobt=, uuid=, rmapbt=, reflink=, inobtcount=, bigtime=
    #[arg(short = 'm', value_name = "OPTIONS")]
    pub metadata: Vec<String>,
    /// Directories: size=, parent=
    #[arg(short = 'n', value_name = "OPTIONS")]
    pub naming: Vec<String>,
    /// Prototype files, which are refused.
    #[arg(short = 'p', value_name = "OPTIONS", hide = true)]
    pub prototype: Vec<String>,
    /// The realtime section, which is refused.
    #[arg(short = 'r', value_name = "OPTIONS", hide = true)]
    pub realtime: Vec<String>,
    /// Sectors: size=
    #[arg(short = 's', value_name = "OPTIONS")]
    pub sector: Vec<String>,
    #[command(flatten)]
    pub filling: Filling,
    /// Label, at most twelve bytes.
    #[arg(short = 'L', value_name = "LABEL")]
    pub label: Option<String>,
    /// Overwrite what the device holds.
    #[arg(short = 'f')]
    pub force: bool,
    /// Print nothing.
    #[arg(short = 'q')]
    pub quiet: bool,
    /// Show what would be made and make nothing.
    #[arg(short = 'N')]
    pub dry_run: bool,
    /// Do not discard the device's blocks first.
    #[arg(short = 'K')]
    pub keep_blocks: bool,
    /// Only features that this Linux and all later ones mount; 5.15 otherwise.
    #[arg(long, value_name = "X.Y")]
    pub for_kernel: Option<untorn::mkfs::Linux>,
    /// List what can be asked for, and make nothing.
    #[arg(long)]
    pub supported: bool,
}

/// `untorn info`.
#[derive(Args, Debug)]
pub struct Info {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn compat`.
#[derive(Args, Debug)]
pub struct Compat {
    #[command(flatten)]
    pub image: Image,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn label`.
#[derive(Args, Debug)]
pub struct Label {
    #[command(flatten)]
    pub image: Image,
    /// The new label, at most twelve bytes; the label is shown without.
    pub label: Option<String>,
    /// The same as xfs_admin takes it: -- is none.
    #[arg(short = 'L', value_name = "LABEL", conflicts_with = "label", allow_hyphen_values = true)]
    pub new: Option<String>,
    /// Leave the volume without a label.
    #[arg(long, conflicts_with_all = ["label", "new"])]
    pub clear: bool,
    /// Show the label: what this command does anyway.
    #[arg(short = 'l', hide = true, conflicts_with_all = ["label", "new", "clear"])]
    pub show: bool,
}

/// `untorn uuid`.
#[derive(Args, Debug)]
pub struct Uuid {
    #[command(flatten)]
    pub image: Image,
    /// The new UUID, `generate` for a random one, `restore` for the one that the volume was made
    /// with; the UUID is shown without.
    pub uuid: Option<String>,
    /// A random one.
    #[arg(long, conflicts_with = "uuid")]
    pub generate: bool,
}

/// `untorn grow`.
#[derive(Args, Debug)]
pub struct Grow {
    #[command(flatten)]
    pub image: Image,
    /// Bytes of the volume from now on; all that there is otherwise [k, m, g, t].
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    pub size: Option<u64>,
    /// The same in blocks of the volume, as xfs_growfs takes it.
    #[arg(short = 'D', value_name = "BLOCKS", conflicts_with = "size")]
    pub blocks: Option<u64>,
    /// As large as can be: what this command does anyway.
    #[arg(short = 'd', hide = true, conflicts_with_all = ["size", "blocks"])]
    pub all: bool,
}

/// Sizes for people, with the letter that they have everywhere.
#[derive(Args, Clone, Copy, Debug)]
pub struct Human {
    /// Sizes for people: 4.0K, 12M, 1.5G.
    #[arg(short = 'h', long = "human-readable")]
    pub human: bool,
    /// Print help.
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Help where the letter h means a link itself to everybody: better unknown than taken for help.
#[derive(Args, Clone, Copy, Debug)]
pub struct LongHelp {
    /// Print help.
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// `untorn mkdir`.
#[derive(Args, Debug)]
pub struct Mkdir {
    #[command(flatten)]
    pub image: Image,
    /// The directories.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// Make missing parents, too; what exists already is no error.
    #[arg(short = 'p', long)]
    pub parents: bool,
    /// Permissions: in octal, or letters as in u=rwx,go=rx. Parents get 755, as all do without,
    /// whatever the umask.
    #[arg(short = 'm', long, value_name = "MODE", allow_hyphen_values = true)]
    pub mode: Option<permissions::NewMode>,
    /// Say what is made.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    #[command(flatten)]
    pub whose: Numbers,
}

/// `untorn mknod`.
#[derive(Args, Debug)]
pub struct Mknod {
    #[command(flatten)]
    pub image: Image,
    /// What is made.
    pub path: VolumePath,
    /// b: a block device, c or u: a character device, p: a named pipe, s: a socket.
    #[arg(value_name = "TYPE")]
    pub kind: NodeKind,
    /// Major number of a device; 0x and 0 begin other bases.
    #[arg(value_parser = number)]
    pub major: Option<u32>,
    /// Minor number of a device.
    #[arg(value_parser = number)]
    pub minor: Option<u32>,
    /// Permissions: in octal, or letters as in u=rw,go=r; 644 without, whatever the umask.
    #[arg(short = 'm', long, value_name = "MODE", allow_hyphen_values = true)]
    pub mode: Option<permissions::NewMode>,
    #[command(flatten)]
    pub whose: Numbers,
}

/// What has no bytes of its own.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A block device.
    #[value(name = "b")]
    Block,
    /// A character device.
    #[value(name = "c", alias = "u")]
    Character,
    /// A named pipe.
    #[value(name = "p")]
    Pipe,
    /// A socket.
    #[value(name = "s")]
    Socket,
}

fn number(word: &str) -> std::result::Result<u32, String> {
    let parsed = match word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None if word.len() > 1 && word.starts_with('0') => u32::from_str_radix(word, 8),
        None => word.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

/// `untorn rmdir`.
#[derive(Args, Debug)]
pub struct Rmdir {
    #[command(flatten)]
    pub image: Image,
    /// The directories.
    #[arg(required = true)]
    pub paths: Vec<VolumePath>,
    /// And those above them in the path.
    #[arg(short = 'p', long)]
    pub parents: bool,
    /// A directory with something in it is no error.
    #[arg(long)]
    pub ignore_fail_on_non_empty: bool,
    /// Say what is removed.
    #[arg(short = 'v', long)]
    pub verbose: bool,
}

/// `untorn rm`.
#[derive(Args, Debug)]
pub struct Rm {
    #[command(flatten)]
    pub image: Image,
    /// What to remove.
    #[arg(required_unless_present = "force")]
    pub paths: Vec<VolumePath>,
    /// Directories with all that is in them, too; what fails is told, and the rest removed.
    #[arg(short = 'r', long, visible_short_alias = 'R')]
    pub recursive: bool,
    /// What does not exist is no error.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Directories with nothing in them, too.
    #[arg(short = 'd', long)]
    pub dir: bool,
    /// Say what is removed.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Ask before something is removed, which is refused.
    #[arg(short = 'i', short_alias = 'I', long, hide = true)]
    pub interactive: bool,
}

/// `untorn put`.
#[derive(Args, Debug)]
pub struct Put {
    /// The file to put there, up to 1 GiB; - is standard input.
    pub source: PathBuf,
    /// Image and path: IMAGE:/path. A file that is there keeps owner, mode and attributes, but for
    /// those that are given, which it gets in the same commit.
    #[arg(value_name = "IMAGE:/PATH")]
    pub to: Destination,
    /// Whole or not at all: what this command does anyway.
    #[arg(long)]
    pub atomic: bool,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub owner: Owner,
}

impl Put {
    /// The image with the place of the volume on it.
    pub fn volume(&self) -> Image {
        Image { image: self.to.image.clone(), place: self.place.clone() }
    }
}

/// `untorn write`.
#[derive(Args, Debug)]
pub struct Write {
    /// Image file or block device.
    pub image: PathBuf,
    /// The file; it is made, empty at first, where it does not exist. One that is there gets the
    /// owner and mode that are given with the bytes of an atomic write, before those of another.
    pub path: VolumePath,
    /// Whole or not at all. All input is read first, up to 1 GiB.
    #[arg(long)]
    pub atomic: bool,
    /// First byte in the file [k, m, g, t].
    #[arg(long, value_name = "N", value_parser = size::bytes, default_value = "0")]
    pub offset: u64,
    /// Write behind the end of the file.
    #[arg(long, conflicts_with = "offset")]
    pub append: bool,
    /// Where the bytes come from; standard input otherwise.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Durable, not only untorn, before the volume is closed.
    #[arg(long)]
    pub sync: bool,
    /// Say what was done.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// The volume begins at this byte of the image [k, m, g, t].
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    #[arg(conflicts_with = "partition")]
    pub volume_offset: Option<u64>,
    /// The volume lies in this partition (GPT or MBR).
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    #[command(flatten)]
    pub owner: Owner,
}

impl Write {
    /// The image with the place of the volume on it.
    pub fn volume(&self) -> Image {
        let place = Place { offset: self.volume_offset, partition: self.partition };
        Image { image: self.image.clone(), place }
    }
}

/// `untorn log`.
#[derive(Args, Debug)]
pub struct Log {
    #[command(flatten)]
    pub image: Image,
    /// Not only what recovery would replay: everything that was not overwritten yet.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn recover`.
#[derive(Args, Debug)]
pub struct Recover {
    #[command(flatten)]
    pub image: Image,
    /// Replay in memory and say what would be done; touch nothing on the device.
    #[arg(long)]
    pub read_only: bool,
}

/// `untorn trim`.
#[derive(Args, Debug)]
pub struct Trim {
    #[command(flatten)]
    pub image: Image,
    /// Byte of the volume to begin at.
    #[arg(long, value_name = "BYTES", value_parser = size::bytes, default_value = "0")]
    pub from: u64,
    /// Bytes to look at; all that follow by default.
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    pub length: Option<u64>,
    /// Leave shorter runs of free bytes alone.
    #[arg(long, value_name = "BYTES", value_parser = size::bytes, default_value = "0")]
    pub minimum: u64,
}

/// `untorn check`.
#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    pub image: Image,
    /// Replay a dirty journal in memory and check what recovery would leave.
    #[arg(long)]
    pub replay: bool,
    /// Most findings to show.
    #[arg(long, default_value_t = 1000)]
    pub limit: usize,
    #[command(flatten)]
    pub reading: Reading,
}

/// `untorn demo`.
///
/// Needs no root, no tools and no image: volumes in memory, on simulated disks.
#[derive(Args, Debug)]
pub struct Demo {
    /// Atomic writes of each scenario.
    #[arg(long, default_value_t = 96)]
    pub writes: usize,
    /// Where offsets, lengths, bytes and tears come from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only the scenario of this name.
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Leave an image with a file that was written atomically, for a look with the other commands.
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
}
