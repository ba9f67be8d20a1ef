//! The commands: one table of names, one function each.

mod convert;
mod files;
mod freesp;
mod go;
mod show;
mod volume;

use crate::select::Item;
use crate::session::Session;
use crate::{Result, refuse};

/// What a command says.
pub enum Said {
    Nothing,
    Text(String),
    Items(Vec<Item>),
    /// A note, and bytes as words.
    Words(String, Vec<u8>),
    Quit,
}

/// A command.
struct Command {
    names: &'static [&'static str],
    arguments: &'static str,
    /// Fewest and most arguments.
    count: (usize, usize),
    help: &'static str,
    run: fn(&mut Session<'_>, &[&str]) -> Result<Said>,
}

const MANY: usize = usize::MAX;

macro_rules! command {
    ($names:expr, $arguments:expr, $count:expr, $help:expr, $run:expr) => {
        Command { names: &$names, arguments: $arguments, count: $count, help: $help, run: $run }
    };
}

const COMMANDS: &[Command] = &[
    command!(["ablock"], "filoff", (1, 1), "go to a block of the attribute fork", go::ablock),
    command!(["addr", "a"], "[field]", (0, 1), "follow a field that points somewhere", go::addr),
    command!(["agf"], "[agno]", (0, 1), "go to the free space header of an AG", go::agf),
    command!(["agfl"], "[agno]", (0, 1), "go to the free list of an AG", go::agfl),
    command!(["agi"], "[agno]", (0, 1), "go to the inode header of an AG", go::agi),
    command!(["back", "b"], "", (0, 0), "go to the place before this one", go::back),
    command!(["bmap"], "[-ad] [block [len]]", (0, 4), "show the extents of the inode", files::bmap),
    command!(
        ["convert"],
        "type num [type num]... type",
        (3, MANY),
        "say an address in other words",
        convert::convert
    ),
    command!(["daddr"], "[d]", (0, 1), "go to an address in units of 512 bytes", go::daddr),
    command!(["dblock"], "filoff", (1, 1), "go to a block of the data fork", go::dblock),
    command!(["dquot"], "[-g|-p|-u] id", (1, 2), "go to the quota of an owner", go::dquot),
    command!(["echo"], "[args]...", (0, MANY), "print the arguments", show::echo),
    command!(["forward", "f"], "", (0, 0), "undo back", go::forward),
    command!(["frag"], "[-adflqRrv]", (0, 9), "count extents of files", files::frag),
    command!(
        ["freesp"],
        "[-bcds] [-a agno]... [-e binsize] [-h h1]... [-m binmult]",
        (0, MANY),
        "show free extents by length",
        freesp::freesp
    ),
    command!(["fsblock", "fsb"], "[fsb]", (0, 1), "go to a block of the volume", go::fsblock),
    command!(["hash"], "string", (1, 1), "hash a name", show::hash),
    command!(["help", "?"], "[command]", (0, 1), "show this", help),
    command!(["info"], "", (0, 0), "show the volume's layout", volume::info),
    command!(["inode"], "[inode#]", (0, 1), "go to an inode", go::inode),
    command!(["label"], "", (0, 0), "show the label", volume::label),
    command!(["ls"], "[-i] [paths...]", (0, MANY), "list directories", files::ls),
    command!(["ncheck"], "[-s] [-i ino]...", (0, MANY), "show the paths of inodes", files::ncheck),
    command!(["path"], "path", (1, 1), "go to the inode of a path", files::path),
    command!(["pop"], "", (0, 0), "go to the place that was pushed last", go::pop),
    command!(["print", "p"], "[field]...", (0, MANY), "show fields, or all", show::print),
    command!(["push"], "[command]", (0, MANY), "keep this place, and do a command", go::push),
    command!(["quit", "q"], "", (0, 0), "end", |_, _| Ok(Said::Quit)),
    command!(["sb"], "[agno]", (0, 1), "go to a superblock", go::sb),
    command!(["stack"], "", (0, 0), "show the places that were pushed", go::stack),
    command!(["type"], "[type]", (0, 1), "read this place as another type", go::read_as),
    command!(["uuid"], "", (0, 0), "show the UUID", volume::uuid),
    command!(["version"], "", (0, 0), "show the features", volume::version),
];

/// What xfs_db has and this has not, with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("agresv", "see `untorn info` and `agf N`"),
    ("attr_set", "nothing is written here: use `untorn setfattr`"),
    ("attr_remove", "nothing is written here: use `untorn setfattr -x`"),
    ("blockget", "not needed: ncheck works without, and `untorn check` checks"),
    ("blockfree", "not needed"),
    ("blocktrash", "nothing is written here: damage a copy with another tool"),
    ("blockuse", "use `untorn check`, or follow the rmapbt: agf N, addr rmaproot"),
    ("btdump", "follow the tree: addr ROOT, then addr ptrs[N], and print"),
    ("btheight", "see the levels in agf N and agi N"),
    ("check", "use `untorn check`"),
    ("crc", "print shows each checksum and whether it is right; nothing is written here"),
    ("debug", "there is nothing to debug here"),
    ("fsmap", "follow the rmapbt: agf N, addr rmaproot"),
    ("fuzz", "nothing is written here: damage a copy with another tool"),
    ("iunlink", "follow the chain: agi N, addr unlinked[N], addr next_unlinked"),
    ("log", "use a pipe to keep what is printed; `untorn log` shows the journal"),
    ("logformat", "nothing is written here: `untorn recover` empties the journal"),
    ("logres", "reservations are not on the disk"),
    ("metadump", "copy the image with a tool that keeps it sparse"),
    ("ring", "use back and forward"),
    ("source", "pipe the commands into untorn db"),
    ("timelimit", "print core.mtime; `untorn compat` tells whether times end in 2038"),
    ("write", "nothing is written here"),
];

/// Does a command.
pub fn run(session: &mut Session<'_>, name: &str, arguments: &[&str]) -> Result<Said> {
    let found = COMMANDS.iter().find(|command| command.names.contains(&name));
    let Some(command) = found else { return unknown(name) };
    let (fewest, most) = command.count;
    if arguments.len() < fewest || arguments.len() > most {
        return refuse(format!("usage: {name} {}", command.arguments));
    }
    (command.run)(session, arguments)
}

fn unknown(name: &str) -> Result<Said> {
    match REFUSED.iter().find(|(refused, _)| *refused == name) {
        Some((_, instead)) => refuse(format!("{name} is not supported: {instead}")),
        None => refuse(format!("command {name} not found: try help")),
    }
}

fn help(_: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let is_asked = |command: &&Command| match arguments {
        [name, ..] => command.names.contains(name),
        [] => true,
    };
    let line = |command: &Command| {
        format!("{} {} -- {}\n", command.names.join(", "), command.arguments, command.help)
    };
    let lines: String = COMMANDS.iter().filter(is_asked).map(line).collect();
    match (lines.is_empty(), arguments) {
        (true, [name, ..]) => unknown(name),
        _ => Ok(Said::Text(lines)),
    }
}

/// A number as C writes it: decimal, hexadecimal or octal.
fn number(typed: &str) -> Result<u64> {
    let parsed = match (typed.strip_prefix("0x"), typed.strip_prefix('0')) {
        (Some(hex), _) => u64::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8),
        _ => typed.parse(),
    };
    parsed.or_else(|_| refuse(format!("bad number {typed:?}")))
}
