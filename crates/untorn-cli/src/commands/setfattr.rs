//! `untorn setfattr`: sets and removes extended attributes, as the tool of that name takes them.

use super::attributes::{LISTS, SPACES, decode};
use super::dangling;
use super::mv::itself;
use super::operands::{self, Told};
use crate::arguments::{SetAttribute, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::{self, Deeds};
use crate::target;
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use untorn::attr::SetMode;
use untorn::{AclKind, Volume};
use untorn_format::Ino;
use untorn_format::acl::Acl;
use untorn_format::attr::Namespace;
use untorn_format::inode::FileKind;

/// Most bytes of a line of a file to restore from: more than any value takes in any form.
const LONGEST: u64 = 1 << 20;

/// What a name stands for.
#[derive(Clone, Copy)]
enum Key<'a> {
    Attribute(Namespace, &'a [u8]),
    Acl(AclKind),
}

/// Sets or removes an attribute of each path, or sets all that a file says.
pub fn run(arguments: &SetAttribute, out: &mut dyn Write) -> Outcome {
    if let Some(path) = &arguments.restore {
        return restore(arguments, path, out);
    }
    let typed = arguments.name.as_ref().or(arguments.remove.as_ref());
    let Some(typed) = typed.map(|typed| typed.as_bytes()) else {
        let told = "no attribute is named";
        let remedy = "say which: -n NAME -v VALUE, -x NAME or --restore FILE";
        return Err(Refusal::new(Code::Usage, told).or(remedy).into());
    };
    let key = key(typed)?;
    let value = arguments.value.as_ref().map_or(&b""[..], |value| value.as_bytes());
    let value = match arguments.remove {
        Some(_) => None,
        None => Some(decode(value)?),
    };
    let verb = if value.is_some() { "set" } else { "removed" };
    target::change(&arguments.image, out, verb, |volume, deeds| {
        operands::each(&arguments.paths, |path| {
            let ino = named(volume, path, arguments)?;
            change(volume, ino, key, value.as_deref(), path)?;
            deeds.add(path).with("attribute", show::printable(typed));
            Ok(())
        })
    })
}

fn named(volume: &Volume, path: &VolumePath, arguments: &SetAttribute) -> anyhow::Result<Ino> {
    match arguments.no_dereference {
        true => itself(volume, path),
        false => dangling::lookup(volume, path),
    }
}

fn key(typed: &[u8]) -> anyhow::Result<Key<'_>> {
    if let Some((kind, _)) = LISTS.iter().find(|(_, name)| *name == typed) {
        return Ok(Key::Acl(*kind));
    }
    let in_space = |prefix: &str| typed.strip_prefix(prefix.as_bytes());
    let split = SPACES.iter().find_map(|(space, prefix)| Some((*space, in_space(prefix)?)));
    let told = || format!("{}: is no name of an attribute", show::printable(typed));
    match split {
        Some((_, b"")) => {
            let remedy = "put a name behind the point, as in user.name";
            Err(Refusal::new(Code::Invalid, told()).or(remedy).into())
        }
        Some((space, name)) => Ok(Key::Attribute(space, name)),
        None => {
            let remedy = "a name begins with user., trusted. or security.; access lists are \
                          system.posix_acl_access and system.posix_acl_default";
            Err(Refusal::new(Code::Invalid, told()).or(remedy).into())
        }
    }
}

/// Sets an attribute, or removes it where there is no value.
fn change(
    volume: &Volume,
    ino: Ino,
    key: Key<'_>,
    value: Option<&[u8]>,
    path: &VolumePath,
) -> anyhow::Result<()> {
    match (key, value) {
        (Key::Attribute(Namespace::User, _), Some(_))
            if !has_user_attributes(volume, ino, path)? =>
        {
            let told =
                format!("{path}: is neither file nor directory: Linux gives it none of user.");
            Err(Refusal::new(Code::Invalid, told).or("take a name with trusted.").into())
        }
        (Key::Attribute(space, name), Some(value)) => {
            volume.set_attribute(ino, (space, name), value, SetMode::Upsert).at(path)
        }
        (Key::Attribute(space, name), None) => volume.remove_attribute(ino, (space, name)).at(path),
        (Key::Acl(kind), None) => volume.set_acl_of(ino, kind, None).at(path),
        (Key::Acl(kind), Some(value)) => {
            let acl = Acl::decode_carried(value).map_err(|fault| {
                let told = format!("{path}: the value is no access list: {fault}");
                let remedy = "give what `getfattr -e hex` of Linux shows, 0x02000000 and so on";
                Refusal::new(Code::Invalid, told).or(remedy)
            })?;
            volume.set_acl_of(ino, kind, Some(&acl)).at(path)
        }
    }
}

fn has_user_attributes(volume: &Volume, ino: Ino, path: &VolumePath) -> anyhow::Result<bool> {
    let kind = volume.metadata_of(ino).at(path)?.kind;
    Ok(matches!(kind, FileKind::Regular | FileKind::Directory))
}

/// Sets what a file in the form of `getfattr -d` says: `# file: path`, then `name=value` lines.
fn restore(arguments: &SetAttribute, from: &Path, out: &mut dyn Write) -> Outcome {
    let name = from.display().to_string();
    let mut input = open(from).with_context(|| name.clone())?;
    target::change(&arguments.image, out, "set", |volume, deeds| {
        let (mut told, mut path, mut line) = (Told::default(), None, Vec::new());
        for number in 1.. {
            let refused = |what: &str| {
                let told = format!("{name}: line {number}: {what}");
                let remedy = "lines are `# file: PATH` and `NAME=VALUE`, as of getfattr -d";
                Refusal::new(Code::BadSource, told).or(remedy)
            };
            match read_line(&mut input, &mut line).with_context(|| name.clone())? {
                Line::Whole => {}
                Line::Long => return Err(refused("is longer than 1 MiB; the rest is left").into()),
                Line::None => break,
            }
            if line.is_empty() {
                continue;
            }
            if line.starts_with(b"#") {
                if let Some(typed) = line.strip_prefix(b"# file: ") {
                    path = Some(unescaped(typed)).filter(|typed| !typed.is_empty());
                }
                continue;
            }
            let path = path.clone().map(VolumePath::new);
            let path = path.ok_or_else(|| refused("no file was named before").into());
            let done = path.and_then(|path| set(volume, &path, &line, (arguments, deeds)));
            told.of(done.with_context(|| format!("{name}: line {number}")))?;
        }
        told.end()
    })
}

/// Sets what a line `name=value` says.
fn set(
    volume: &Volume,
    path: &VolumePath,
    line: &[u8],
    (arguments, deeds): (&SetAttribute, &mut Deeds),
) -> anyhow::Result<()> {
    let split = line.iter().position(|&byte| byte == b'=').unwrap_or(line.len());
    let (typed, value) = line.split_at(split);
    let typed = unescaped(typed);
    let value = decode(value.get(1..).unwrap_or_default())?;
    let ino = named(volume, path, arguments)?;
    change(volume, ino, key(&typed)?, Some(&value), path)?;
    deeds.add(path).with("attribute", show::printable(&typed));
    Ok(())
}

fn open(from: &Path) -> std::io::Result<Box<dyn BufRead>> {
    Ok(match from.as_os_str() == "-" {
        true => Box::new(stdin().lock()),
        false => Box::new(BufReader::new(File::open(from)?)),
    })
}

/// What was read of a line.
enum Line {
    /// All of it, its end left out.
    Whole,
    /// A part: it has more bytes than any line that means something.
    Long,
    /// There are no more.
    None,
}

fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<Line> {
    line.clear();
    input.take(LONGEST).read_until(b'\n', line)?;
    Ok(match line.pop() {
        None => Line::None,
        Some(b'\n') => Line::Whole,
        Some(last) => {
            line.push(last);
            if line.len() as u64 == LONGEST { Line::Long } else { Line::Whole }
        }
    })
}

/// Undoes the escapes of names: three octal digits, `x` and two hexadecimal ones, those of lines
/// and tabs, `u{` with a code and `}`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = if first == b'\\' { escape(behind) } else { None };
        rest = match escaped {
            Some((found, after)) => {
                bytes.extend(found);
                after
            }
            None => {
                bytes.push(first);
                behind
            }
        };
    }
    bytes
}

/// What an escape stands for, and what is behind it.
fn escape(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let number =
        |digits: &[u8], radix| u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    let byte = |digits: &[u8], radix| Some(vec![u8::try_from(number(digits, radix)?).ok()?]);
    let octal = text.get(..3).and_then(|digits| byte(digits, 8));
    if let (Some(found), Some(after)) = (octal, text.get(3..)) {
        return Some((found, after));
    }
    let (&first, after) = text.split_first()?;
    let simple = |found: u8| Some((vec![found], after));
    match first {
        b'n' => simple(b'\n'),
        b't' => simple(b'\t'),
        b'r' => simple(b'\r'),
        b'\\' => simple(b'\\'),
        b'x' => Some((byte(after.get(..2)?, 16)?, after.get(2..)?)),
        b'u' => {
            let end = after.iter().position(|&byte| byte == b'}')?;
            let code = number(after.get(..end)?.strip_prefix(b"{")?, 16)?;
            Some((char::from_u32(code)?.to_string().into_bytes(), after.get(end + 1..)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn names_come_back_whoever_escaped_them() {
        let cases: [(&str, &[u8]); 6] = [
            ("plain/path", b"plain/path"),
            (r"a\012b\\c", b"a\nb\\c"),
            (r"\xff\xfe", b"\xff\xfe"),
            (r"a\nb\u{1b}", b"a\nb\x1b"),
            (r"\q\", b"\\q\\"),
            (r"\x1", b"\\x1"),
        ];
        for (text, bytes) in cases {
            assert_eq!(unescaped(text.as_bytes()), bytes, "{text}");
        }
    }
}
