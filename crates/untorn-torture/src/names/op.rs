//! Operations, each made of eight bytes.

/// Names in use: the workload meets each often. Every fourth is long.
pub const NAMES: u8 = 24;

/// A directory by index, and a name by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Which of the directories.
    pub dir: u8,
    /// Which of the names.
    pub name: u8,
}

/// What a rename does, as Linux names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Replace,
    NoReplace,
    Exchange,
    Whiteout,
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    File,
    Directory,
    /// To a target of so many bytes.
    Symlink(u16),
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

/// Whom a list of the workload names besides owner, group and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    Nobody,
    One,
    Many,
    /// The list goes.
    Away,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Make {
        at: Spot,
        what: What,
        mode: u16,
    },
    Link {
        node: u8,
        at: Spot,
    },
    Rename {
        from: Spot,
        to: Spot,
        how: How,
    },
    /// Whatever has the name.
    Remove {
        at: Spot,
    },
    /// As `rmdir` or `unlink` would.
    RemoveKind {
        at: Spot,
        directory: bool,
    },
    MakeUnnamed {
        dir: u8,
        mode: u16,
    },
    LinkUnnamed {
        at: Spot,
    },
    DropUnnamed,
    Chmod {
        node: u8,
        mode: u16,
    },
    Chown {
        node: u8,
        uid: u8,
        gid: u8,
    },
    SetTimes {
        node: u8,
        seconds: u16,
    },
    SetList {
        node: u8,
        default: bool,
        of: ListOf,
        bits: u16,
    },
    SetProject {
        node: u8,
        project: u8,
        inherit: bool,
    },
    SetAttribute {
        node: u8,
        name: u8,
        length: u16,
    },
    Write {
        node: u8,
        length: u16,
        byte: u8,
    },
    ReplaceContents {
        node: u8,
        length: u16,
        byte: u8,
    },
}

fn what(byte: u8, length: u16) -> What {
    match byte % 12 {
        0..=2 => What::File,
        3..=6 => What::Directory,
        7 => What::Symlink(1 + length % 1023),
        8 => What::Symlink(1 + length % 60),
        9 => What::Fifo,
        10 if length % 2 == 0 => What::Socket,
        10 => What::BlockDevice,
        _ => What::CharDevice,
    }
}

impl Op {
    /// The operation that these bytes say.
    pub fn of(bytes: [u8; 8]) -> Self {
        let [kind, a, b, c, d, e, f, g] = bytes;
        let spot = |dir, name: u8| Spot { dir, name: name % NAMES };
        let (at, word) = (spot(a, b), u16::from_le_bytes([e, f]));
        match kind % 32 {
            0..=8 => {
                Self::Make { at, what: what(c, word), mode: u16::from_le_bytes([d, g]) & 0o7777 }
            }
            9..=10 => Self::Link { node: c, at },
            11..=16 => {
                let how = match e % 6 {
                    0..=2 => How::Replace,
                    3 => How::NoReplace,
                    4 => How::Exchange,
                    _ => How::Whiteout,
                };
                Self::Rename { from: at, to: spot(c, d), how }
            }
            17..=19 => Self::Remove { at },
            20 => Self::RemoveKind { at, directory: c % 2 == 0 },
            21 => Self::MakeUnnamed { dir: a, mode: word & 0o7777 },
            22 => Self::LinkUnnamed { at },
            23 => Self::DropUnnamed,
            24 => Self::Chmod { node: a, mode: word & 0o7777 },
            25 => Self::Chown { node: a, uid: b % 4, gid: c % 4 },
            26 => Self::SetTimes { node: a, seconds: word },
            27 => {
                let of = match c % 8 {
                    0 => ListOf::Nobody,
                    1..=4 => ListOf::One,
                    5..=6 => ListOf::Many,
                    _ => ListOf::Away,
                };
                Self::SetList { node: a, default: b % 2 == 0, of, bits: word & 0o777 }
            }
            28 => Self::SetProject { node: a, project: b % 3, inherit: c % 2 == 0 },
            29 => Self::SetAttribute { node: a, name: b % 6, length: word % 300 },
            30 => Self::Write { node: a, length: word % 9000, byte: b },
            _ => Self::ReplaceContents { node: a, length: word % 9000, byte: b },
        }
    }
}
