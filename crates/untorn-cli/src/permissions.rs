//! Changes of permissions as chmod takes them: octal, or letters such as `u+x,go-w`.

use rustix::fs::Mode;
use std::str::FromStr;
use untorn_format::inode::FileKind;

const SET_UID: u16 = 0o4000;
const SET_GID: u16 = 0o2000;
const STICKY: u16 = 0o1000;
/// What directories keep unless it is named.
const SET_IDS: u16 = SET_UID | SET_GID;
/// Most octal digits that do not name set-id bits which are not among them.
const SHORT: usize = 4;

/// A change of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewMode {
    /// These; directories keep the set-id bits that they have.
    Octal(u16),
    /// These and no others.
    Exactly(u16),
    /// One after the other.
    Steps(Vec<Step>),
}

/// One change: for whom, how, what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The bits that it gives or takes.
    who: u16,
    /// The bits that do not stay where others are set.
    whole: u16,
    how: How,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Add,
    Take,
    Set,
    /// The same, and nothing else stays.
    SetAll,
}

impl How {
    fn by_number(self) -> Self {
        if self == Self::Set { Self::SetAll } else { self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Bits; `X` as well: those to execute where somebody may, or in directories.
    Bits { bits: u16, execute_if: bool },
    /// What the class that is shifted by so many bits has.
    Like(u16),
}

impl What {
    fn exactly(bits: u16) -> Self {
        Self::Bits { bits, execute_if: false }
    }
}

impl FromStr for NewMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, umask())
    }
}

/// What this process takes from the permissions of what it makes.
fn umask() -> u16 {
    // There is no other way to ask; no other thread makes anything yet.
    let now = rustix::process::umask(Mode::empty());
    rustix::process::umask(now);
    (now.bits() & 0o777) as u16
}

impl NewMode {
    /// A change by who has this umask: `+w` without a `u`, `g`, `o` or `a` before it leaves it
    /// alone.
    fn parse(text: &str, umask: u16) -> Result<Self, String> {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let named = if text.len() > SHORT { Self::Exactly } else { Self::Octal };
            return octal(text).map(named);
        }
        let steps = text.split(',').map(|text| clause(text, umask));
        let steps: Option<Vec<Vec<Step>>> = steps.collect();
        let refused = || format!("{text:?} is no mode: octal digits, or letters as in u+x,go-w");
        Ok(Self::Steps(steps.ok_or_else(refused)?.concat()))
    }
}

/// Permissions in octal.
pub fn octal(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u16::from_str_radix(text, 8).ok().filter(|&mode| digits && mode <= 0o7777);
    mode.ok_or_else(|| format!("{text:?} is no mode: octal digits from 0 to 7777"))
}

/// `who`, then changes for them.
fn clause(text: &str, umask: u16) -> Option<Vec<Step>> {
    let start = text.find(['+', '-', '='])?;
    let (letters, mut rest) = text.split_at_checked(start)?;
    let mut who = 0;
    for letter in letters.chars() {
        who |= match letter {
            'u' => SET_UID | 0o700,
            'g' => SET_GID | 0o070,
            'o' => STICKY | 0o007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    let everybody = letters.is_empty();
    let (who, whole) = if everybody { (0o7777 & !umask, 0o7777) } else { (who, who) };
    let mut steps = Vec::new();
    while let Some(sign) = rest.chars().next() {
        let how = match sign {
            '+' => How::Add,
            '-' => How::Take,
            _ => How::Set,
        };
        let end = rest.get(1..)?.find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
        let letters = rest.get(1..end)?;
        steps.push(match octal(letters).ok().filter(|_| everybody && !letters.is_empty()) {
            Some(bits) => {
                Step { who: 0o7777, whole: 0o7777, how: how.by_number(), what: What::exactly(bits) }
            }
            None => Step { who, whole, how, what: what(letters)? },
        });
        rest = rest.get(end..)?;
    }
    Some(steps)
}

fn what(letters: &str) -> Option<What> {
    match letters {
        "u" => return Some(What::Like(6)),
        "g" => return Some(What::Like(3)),
        "o" => return Some(What::Like(0)),
        _ => {}
    }
    let (mut bits, mut execute_if) = (0, false);
    for letter in letters.chars() {
        match letter {
            'r' => bits |= 0o444,
            'w' => bits |= 0o222,
            'x' => bits |= 0o111,
            's' => bits |= SET_UID | SET_GID,
            't' => bits |= STICKY,
            'X' => execute_if = true,
            _ => return None,
        }
    }
    Some(What::Bits { bits, execute_if })
}

impl NewMode {
    /// What a file of these permissions gets.
    pub fn of(&self, mode: u16, kind: FileKind) -> u16 {
        match self {
            Self::Octal(bits) if kind == FileKind::Directory => bits | mode & SET_IDS,
            Self::Octal(bits) | Self::Exactly(bits) => *bits,
            Self::Steps(steps) => {
                steps.iter().fold(mode & 0o7777, |mode, step| step.apply(mode, kind))
            }
        }
    }
}

impl Step {
    fn apply(&self, mode: u16, kind: FileKind) -> u16 {
        let directory = kind == FileKind::Directory;
        let bits = match self.what {
            What::Like(shift) => (mode >> shift & 7) * 0o111,
            What::Bits { bits, execute_if } => {
                let may = execute_if && (directory || mode & 0o111 != 0);
                bits | if may { 0o111 } else { 0 }
            }
        };
        let bits = bits & self.who;
        match self.how {
            How::Add => mode | bits,
            How::Take => mode & !bits,
            // Directories keep their set-id bits unless they are named.
            How::Set if directory => mode & !(self.whole & 0o1777) | bits,
            How::Set | How::SetAll => mode & !self.whole | bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, mode: u16, kind: FileKind) -> u16 {
        NewMode::parse(text, 0o022).unwrap().of(mode, kind)
    }

    #[test]
    fn letters_change_what_chmod_changes() {
        let cases = [
            ("u+x,go-w", 0o666, 0o744),
            ("a=r", 0o4777, 0o444),
            ("+x", 0o644, 0o755),
            ("+w", 0o444, 0o644),
            ("go=u", 0o640, 0o666),
            ("u=rw,g=u-w,o=", 0o777, 0o640),
            ("u+s,g+s", 0o755, 0o6755),
            ("ug-s", 0o6755, 0o755),
            ("a+t", 0o777, 0o1777),
            ("o+s", 0o755, 0o755),
            ("a+X", 0o644, 0o644),
            ("a+X", 0o744, 0o755),
            ("u-w+x", 0o600, 0o500),
            ("0755", 0o4000, 0o755),
            ("+7", 0o640, 0o647),
            ("-70,u-w", 0o777, 0o507),
            ("=4711", 0o777, 0o4711),
        ];
        for (text, before, after) in cases {
            assert_eq!(changed(text, before, FileKind::Regular), after, "{text}");
        }
        assert_eq!(changed("a+X", 0o644, FileKind::Directory), 0o755);
        let cases = [
            ("g=rx", 0o2777, 0o2757),
            ("755", 0o6777, 0o6755),
            ("1755", 0o777, 0o1755),
            ("755", 0o1777, 0o755),
            ("2755", 0o4777, 0o6755),
            ("00755", 0o6777, 0o755),
            ("=755", 0o6777, 0o755),
        ];
        for (text, before, after) in cases {
            assert_eq!(changed(text, before, FileKind::Directory), after, "{text}");
        }
        let with = |text, umask| NewMode::parse(text, umask).unwrap().of(0o777, FileKind::Regular);
        assert_eq!((with("-w", 0o077), with("=r", 0o027)), (0o577, 0o440));
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in ["", "u", "x+u", "u+q", "u+x,", "8", "u+7", "+8", "77777", "u+ug"] {
            assert!(text.parse::<NewMode>().is_err(), "{text}");
        }
    }
}
