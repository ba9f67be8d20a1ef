//! Commands about files: their extents, their names.

use super::go::{current, to_inode};
use super::{Said, number};
use crate::field::Scope;
use crate::fork::{self, Run};
use crate::place::Volume;
use crate::session::Session;
use crate::tables::dir;
use crate::{Result, refuse, scan};
use std::collections::HashSet;
use std::fmt::Write;
use untorn_format::da::hash_name;
use untorn_format::inode::DinodeDisk;
use untorn_format::{Fork, Ino};

pub fn bmap(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let (flags, rest): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let asks = |letter| flags.is_empty() || flags.iter().any(|flag| flag.contains(letter));
    let first = rest.first().map_or(Ok(0), |typed| number(typed))?;
    let length = rest.get(1).map_or(Ok(u64::MAX), |typed| number(typed))?;
    let (_, inode) = current(session)?;
    let mut out = String::new();
    for (fork, name, letter) in [(Fork::Data, "data", 'd'), (Fork::Attr, "attr", 'a')] {
        let runs = if asks(letter) { fork::runs(&session.volume, &inode, fork)? } else { vec![] };
        let end = first.saturating_add(length);
        let inside =
            runs.iter().filter(|r| r.offset < end && r.offset.saturating_add(r.count) > first);
        inside.for_each(|run| line(&session.volume, name, run, &mut out));
    }
    Ok(Said::Text(out))
}

fn line(volume: &Volume<'_>, name: &str, run: &Run, out: &mut String) {
    let geometry = &volume.shape.geometry;
    let ag = run.start.0 >> geometry.ag_block_log;
    let block = run.start.0 & ((1 << geometry.ag_block_log) - 1);
    let Run { offset, start, count, flag } = run;
    let _ = writeln!(
        out,
        "{name} offset {offset} startblock {start} ({ag}/{block}) count {count} flag {flag}"
    );
}

/// A name in a directory.
struct Entry {
    name: Vec<u8>,
    ino: Ino,
    file_type: usize,
    /// Where it lies, in units of eight bytes.
    cookie: u64,
}

pub fn path(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let ino = resolve(session, arguments.first().copied().unwrap_or_default())?;
    to_inode(session, ino)
}

/// The inode of a path, from the root or from the current directory.
fn resolve(session: &Session<'_>, path: &str) -> Result<Ino> {
    let mut ino = match path.starts_with('/') {
        true => Ino(session.volume.shape.superblock.rootino.get()),
        false => current(session)?.0.ino,
    };
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let entries = entries(&session.volume, ino)?;
        let bytes = unescaped(name.as_bytes());
        let found = entries.iter().find(|entry| entry.name == bytes);
        ino = match found {
            Some(entry) => entry.ino,
            None => return refuse(format!("{path}: no {name} in directory {ino}")),
        };
    }
    Ok(ino)
}

/// The bytes of a name: `\xff`, `\040` and `\\\\` stand for one each.
pub(super) fn unescaped(name: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), name);
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = if first == b'\\' { escape(behind) } else { None };
        let (byte, after) = escaped.unwrap_or((first, behind));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// What stands behind a backslash: the byte that is meant, and the rest.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let number =
        |digits: &[u8], radix| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    match text {
        [b'\\', after @ ..] => Some((b'\\', after)),
        [b'x', a, b, after @ ..] => Some((number(&[*a, *b], 16)?, after)),
        [a, b, c, after @ ..] => Some((number(&[*a, *b, *c], 8)?, after)),
        _ => None,
    }
}

pub fn ls(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let (flags, paths): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let mut out = String::new();
    for path in &paths {
        let ino = resolve(session, path)?;
        match flags.contains(&"-i") {
            true => out += &format!("{ino}\n"),
            false => out += &format!("{path}:\n{}", listing(&session.volume, ino)?),
        }
    }
    if paths.is_empty() {
        let ino = current(session)?.0.ino;
        match flags.contains(&"-i") {
            true => out += &format!("{ino}\n"),
            false => out += &listing(&session.volume, ino)?,
        }
    }
    Ok(Said::Text(out))
}

fn listing(volume: &Volume<'_>, ino: Ino) -> Result<String> {
    let mut out = String::new();
    for entry in entries(volume, ino)? {
        let Entry { name, ino, file_type, cookie } = &entry;
        let is_good = !name.is_empty() && !name.iter().any(|byte| matches!(byte, 0 | b'/'));
        let (kind, hash, length) = (kind(*file_type), hash_name(name), name.len());
        let (name, verdict) =
            (String::from_utf8_lossy(name), if is_good { "good" } else { "corrupt" });
        let _ = writeln!(
            out,
            "{cookie:<10} {:<18} {kind:<14} {hash:#010x} {length:3} {name} ({verdict})",
            ino.0
        );
    }
    Ok(out)
}

fn kind(file_type: usize) -> &'static str {
    let names = [
        "unknown",
        "regular",
        "directory",
        "chardev",
        "blkdev",
        "fifo",
        "socket",
        "symlink",
        "whiteout",
    ];
    names.get(file_type).copied().unwrap_or("unknown")
}

/// All names of a directory, whatever its form.
fn entries(volume: &Volume<'_>, ino: Ino) -> Result<Vec<Entry>> {
    let Some(inode) = scan::inode(volume, ino)? else {
        return refuse(format!("bad inode number {ino}"));
    };
    if volume.shape.version == 4 {
        return refuse("directories of version 4 are not decoded here");
    }
    let Ok(core) = DinodeDisk::of(&inode) else { return refuse("the inode is cut short") };
    if core.mode.get() & 0o170_000 != 0o040_000 {
        return refuse(format!("inode {ino} is not a directory"));
    }
    if core.format == 1 {
        let scope = Scope { bytes: &inode, base: 0, note: 0, shape: &volume.shape };
        return Ok(short(&scope, ino));
    }
    let runs = fork::runs(volume, &inode, Fork::Data)?;
    let geometry = &volume.shape.geometry;
    let mut found = Vec::new();
    for block in directory_blocks(volume, &runs) {
        let bytes = directory_block(volume, &runs, block)?;
        let scope = Scope { bytes: &bytes, base: 0, note: 0, shape: &volume.shape };
        found.extend(data(&scope, block << geometry.block_log));
    }
    Ok(found)
}

/// First blocks of the directory blocks with names: those below 32 GiB, and no more than the volume
/// has blocks.
fn directory_blocks<'a>(volume: &Volume<'_>, runs: &'a [Run]) -> impl Iterator<Item = u64> + 'a {
    let geometry = &volume.shape.geometry;
    let (step, limit) = (1u64 << geometry.dir_block_log, 32u64 << 30 >> geometry.block_log);
    let most = usize::try_from(geometry.data_blocks).unwrap_or(usize::MAX);
    let blocks = runs
        .iter()
        .flat_map(move |run| run.offset..run.offset.saturating_add(run.count).min(limit));
    blocks.filter(move |block| block % step == 0).take(most)
}

/// A directory block; short where it is not mapped whole.
fn directory_block(volume: &Volume<'_>, runs: &[Run], block: u64) -> Result<Vec<u8>> {
    let geometry = &volume.shape.geometry;
    let mut bytes = Vec::new();
    for block in block..block + (1 << geometry.dir_block_log) {
        let Some(from) = fork::byte_of(volume, runs, block) else { break };
        bytes.extend(volume.read(from, geometry.block_size())?);
    }
    Ok(bytes)
}

fn short(scope: &Scope<'_>, ino: Ino) -> Vec<Entry> {
    let parent = dir::short_parent(scope);
    let dots = [(".", ino, 8), ("..", Ino(parent), 10)];
    let dots = dots.map(|(name, ino, cookie)| Entry {
        name: name.as_bytes().to_vec(),
        ino,
        file_type: 2,
        cookie,
    });
    let rest = dir::short_names(scope).into_iter().map(entry);
    dots.into_iter().chain(rest).collect()
}

fn data(scope: &Scope<'_>, base: u64) -> Vec<Entry> {
    let names = dir::data_names(scope).into_iter().map(entry);
    names.map(|entry| Entry { cookie: entry.cookie + base / 8, ..entry }).collect()
}

fn entry(name: dir::Name) -> Entry {
    let dir::Name { bytes, ino, file_type, at } = name;
    Entry { name: bytes, ino: Ino(ino), file_type, cookie: at as u64 / 8 }
}

pub fn ncheck(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let mut asked = HashSet::new();
    let mut words = arguments.iter();
    while let Some(&word) = words.next() {
        match (word, words.next()) {
            ("-i", Some(typed)) => asked.insert(number(typed)?),
            _ => return refuse("usage: ncheck [-i ino]..."),
        };
    }
    let mut out = String::new();
    let root = Ino(session.volume.shape.superblock.rootino.get());
    let mut seen = HashSet::from([root.0]);
    let mut folders = vec![(root, String::new())];
    while let Some((folder, path)) = folders.pop() {
        let Ok(entries) = entries(&session.volume, folder) else { continue };
        for entry in entries.into_iter().filter(|entry| !matches!(&entry.name[..], b"." | b"..")) {
            let path = format!("{path}{}", String::from_utf8_lossy(&entry.name));
            let is_folder = entry.file_type == 2;
            if asked.is_empty() || asked.contains(&entry.ino.0) {
                let _ =
                    writeln!(out, "{:11} {path}{}", entry.ino.0, if is_folder { "/." } else { "" });
            }
            if is_folder && seen.insert(entry.ino.0) {
                folders.push((entry.ino, path + "/"));
            }
        }
    }
    Ok(Said::Text(out))
}

/// What `frag` counts.
struct Fragments {
    flags: String,
    actual: usize,
    ideal: usize,
    lines: String,
}

pub fn frag(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let flags: String = arguments.concat().replace('-', "");
    if let Some(flag) = flags.chars().find(|flag| !"adflv".contains(*flag)) {
        return refuse(format!("frag -{flag} is not supported: -a, -d, -f, -l and -v are"));
    }
    let mut seen = Fragments { flags, actual: 0, ideal: 0, lines: String::new() };
    scan::inodes(&session.volume, &mut |ino, core, bytes| {
        seen.count(&session.volume, ino, core, bytes)
    })?;
    Ok(Said::Text(seen.tell()))
}

impl Fragments {
    fn asks(&self, letter: char) -> bool {
        !self.flags.contains(['a', 'd', 'f', 'l']) || self.flags.contains(letter)
    }
    fn count(
        &mut self,
        volume: &Volume<'_>,
        ino: Ino,
        core: &DinodeDisk,
        bytes: &[u8],
    ) -> Result<()> {
        let letter = match core.mode.get() & 0o170_000 {
            0o040_000 => 'd',
            0o100_000 => 'f',
            0o120_000 => 'l',
            _ => '-',
        };
        let (mut actual, mut ideal) = (0, 0);
        for (fork, letter) in [(Fork::Data, letter), (Fork::Attr, 'a')] {
            if self.asks(letter) && letter != '-' {
                let runs = fork::runs(volume, bytes, fork)?;
                (actual, ideal) = (actual + runs.len(), ideal + pieces(&runs));
            }
        }
        (self.actual, self.ideal) = (self.actual + actual, self.ideal + ideal);
        if self.flags.contains('v') {
            let _ = writeln!(self.lines, "inode {ino} actual {actual} ideal {ideal}");
        }
        Ok(())
    }
    fn tell(mut self) -> String {
        let (actual, ideal) = (self.actual, self.ideal);
        let share = actual.saturating_sub(ideal) as f64 * 100.0 / actual.max(1) as f64;
        let mean = actual as f64 / ideal.max(1) as f64;
        let out = &mut self.lines;
        let _ = writeln!(out, "actual {actual}, ideal {ideal}, fragmentation factor {share:.2}%");
        *out += "Note, this number is largely meaningless.\n";
        let _ = writeln!(out, "Files on this filesystem average {mean:.2} extents per file");
        self.lines
    }
}

/// Extents that a fork would have with holes alone between them.
fn pieces(runs: &[Run]) -> usize {
    let ends = |run: &Run| run.offset.saturating_add(run.count);
    let gaps = runs.iter().zip(runs.iter().skip(1)).filter(|(a, b)| ends(a) != b.offset).count();
    gaps + usize::from(!runs.is_empty())
}
