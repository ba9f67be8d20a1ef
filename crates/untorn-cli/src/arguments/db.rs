//! Arguments of `untorn db`.

use super::Image;
use clap::Args;
use std::ffi::OsString;

/// What `untorn db --help` says after the arguments.
pub const DB: &str = "\
Commands are those of xfs_db: sb, agf, agi, agfl, inode, fsblock, daddr, dblock, ablock, dquot,
type, print, addr, back, push, pop, stack, bmap, convert, freesp, frag, path, ls, ncheck, version,
info, hash, uuid, label, help, quit. Fields have xfs_db's names. In names \\xff and \\040 are bytes
by their numbers, and \\\\ is a backslash.

  untorn db disk.img -c 'sb 0' -c p
  untorn db disk.img -c 'inode 128' -c 'p core.size u3.bmx[0-2].startblock'
  untorn db disk.img -c 'agf 0' -c 'addr bnoroot' -c 'p recs[1-5]'

With --json each command that says something is a line of JSON.

Exit status: 0 all commands were done, 1 some were refused.";

/// `untorn db`.
#[derive(Args, Debug)]
pub struct Db {
    #[command(flatten)]
    pub image: Image,
    /// A command; may be given often. Standard input is read without any.
    #[arg(short = 'c', value_name = "COMMAND")]
    pub commands: Vec<OsString>,
    /// Touch nothing on the device: what this command does anyway.
    #[arg(short = 'r', long, hide = true)]
    pub read_only: bool,
}
