//! `stat -c`: a line in the form that was asked for.

use super::quoted::quoted;
use super::stat::Facts;
use super::{mode, printable, time};
use crate::accounts::Accounts;
use std::io::{self, IsTerminal, Write, stdout};
use std::str::{Chars, FromStr};
use untorn_format::inode::{FileKind, Timestamp};

/// Most columns of one field.
const WIDEST: usize = 4096;

/// A line: text, and fields of which each is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field { letter: char, width: usize, fill: Fill },
}

/// On which side of a field, and with what, it is made as wide as was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Left,
    Zeroes,
    Right,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => match field(&mut rest)? {
                    None => plain.push('%'),
                    Some(field) => {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                        pieces.push(field);
                    }
                },
                c => plain.push(c),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }
}

/// The field behind a percent sign; nothing where that means itself.
fn field(rest: &mut Chars<'_>) -> Result<Option<Piece>, String> {
    let (mut fill, mut width) = (Fill::Left, 0_usize);
    loop {
        match rest.next() {
            None if width == 0 => return Ok(None),
            Some('%') => return Ok(None),
            Some('-') if width == 0 => fill = Fill::Right,
            Some('0') if width == 0 && fill == Fill::Left => fill = Fill::Zeroes,
            Some(digit) if digit.is_ascii_digit() => {
                width = width * 10 + digit as usize - '0' as usize;
                if width > WIDEST {
                    return Err(format!("a field has {WIDEST} columns at most"));
                }
            }
            Some(letter) if LETTERS.contains(letter) => {
                return Ok(Some(Piece::Field { letter, width, fill }));
            }
            Some(letter) => return Err(unknown(letter)),
            None => return Err("a width without a letter".to_owned()),
        }
    }
}

const LETTERS: &str = "aAbBfFgGhinNostTuUwWxXyYzZ";

fn unknown(letter: char) -> String {
    let why = match letter {
        'd' | 'D' | 'r' | 'R' | 'H' | 'L' | 'm' => ": of a mounted device alone",
        'C' => ": see `untorn getfattr -n security.selinux`",
        '.' | '+' | '#' | ' ' | '\'' => ": -, 0 and a width alone may stand there",
        _ => "",
    };
    format!("%{} is not known here{why}; the letters are {LETTERS}", letter.escape_default())
}

impl Format {
    /// The line of one file, and its end.
    pub fn write(&self, out: &mut dyn Write, facts: &Facts, names: &Accounts) -> io::Result<()> {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.write_all(text.as_bytes())?,
                // On a terminal no name moves the cursor.
                Piece::Field { letter: 'n', width, fill } if !stdout().is_terminal() => {
                    name(out, facts.path.as_ref(), *width, *fill)?;
                }
                Piece::Field { letter, width, fill } => {
                    let (value, width) = (value(*letter, facts, names), *width);
                    match fill {
                        Fill::Left => write!(out, "{value:>width$}")?,
                        Fill::Right => write!(out, "{value:<width$}")?,
                        Fill::Zeroes => write!(out, "{}{value}", zeroes(&value, width))?,
                    }
                }
            }
        }
        writeln!(out)
    }
}

/// The bytes of a name as they are.
fn name(out: &mut dyn Write, name: &[u8], width: usize, fill: Fill) -> io::Result<()> {
    let blanks = b" ".repeat(width.saturating_sub(name.len()));
    out.write_all(&match fill {
        Fill::Right => [name, &blanks].concat(),
        Fill::Left | Fill::Zeroes => [&blanks, name].concat(),
    })
}

/// What stands before a number to make it wide enough; before words, blanks.
fn zeroes(value: &str, width: usize) -> String {
    let is_number = value.chars().all(|c| c.is_ascii_hexdigit());
    let fill = if is_number { "0" } else { " " };
    fill.repeat(width.saturating_sub(value.chars().count()))
}

fn value(letter: char, facts: &Facts, names: &Accounts) -> String {
    let core = &facts.metadata.inode;
    let (major, minor) = facts.metadata.device.unwrap_or((0, 0));
    let unknown = || "UNKNOWN".to_owned();
    match letter {
        'a' => format!("{:o}", core.mode & 0o7777),
        'A' => mode::mode(core.mode),
        'b' => facts.sectors().to_string(),
        'B' => "512".to_owned(),
        'f' => format!("{:x}", core.mode),
        'F' if facts.metadata.kind == FileKind::Regular && core.size == 0 => {
            "regular empty file".to_owned()
        }
        'F' => mode::kind(facts.metadata.kind).to_owned(),
        'g' => core.gid.to_string(),
        'G' => names.group_name(core.gid).unwrap_or_else(unknown),
        'h' => core.nlink.to_string(),
        'i' => core.ino.0.to_string(),
        'n' => printable(facts.path.as_ref()),
        'N' => with_target(facts),
        'o' => facts.block_size.to_string(),
        's' => core.size.to_string(),
        't' => format!("{major:x}"),
        'T' => format!("{minor:x}"),
        'u' => core.uid.to_string(),
        'U' => names.user_name(core.uid).unwrap_or_else(unknown),
        letter => moment(letter, [core.atime, core.mtime, core.ctime, core.crtime]),
    }
}

fn moment(letter: char, [accessed, modified, changed, born]: [Timestamp; 4]) -> String {
    let time = match letter.to_ascii_lowercase() {
        'x' => accessed,
        'y' => modified,
        'z' => changed,
        _ => born,
    };
    match letter.is_ascii_uppercase() {
        true => time.seconds.to_string(),
        false => time::exact(time),
    }
}

fn with_target(facts: &Facts) -> String {
    let name = quoted(facts.path.as_ref());
    match &facts.target {
        Some(target) => format!("{name} -> {}", quoted(target)),
        None => name,
    }
}
