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
    /// Over whatever has the name.
    Replace,
    /// Only to a name that is free.
    NoReplace,
    /// Both names change places.
    Exchange,
    /// A whiteout stays behind.
    Whiteout,
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// To a target of so many bytes.
    Symlink(u16),
    /// A pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// Whom a list of the workload names besides owner, group and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOf {
    /// Nobody.
    Nobody,
    /// One user.
    One,
    /// Many users and groups.
    Many,
    /// The list goes.
    Away,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes something.
    Make {
        /// Where.
        at: Spot,
        /// What.
        what: What,
        /// Permissions.
        mode: u16,
    },
    /// Gives a file another name.
    Link {
        /// Which of all files.
        node: u8,
        /// Where.
        at: Spot,
    },
    /// Gives another name in place of one.
    Rename {
        /// From where.
        from: Spot,
        /// To where.
        to: Spot,
        /// How.
        how: How,
    },
    /// Whatever has the name.
    Remove {
        /// Where.
        at: Spot,
    },
    /// As `rmdir` or `unlink` would.
    RemoveKind {
        /// Where.
        at: Spot,
        /// As a directory.
        directory: bool,
    },
    /// Makes a file without a name.
    MakeUnnamed {
        /// Which of the directories.
        dir: u8,
        /// Permissions.
        mode: u16,
    },
    /// Gives it one.
    LinkUnnamed {
        /// Where.
        at: Spot,
    },
    /// Lets go of it.
    DropUnnamed,
    /// Sets permissions.
    Chmod {
        /// Which of all files.
        node: u8,
        /// Permissions.
        mode: u16,
    },
    /// Sets owner and group.
    Chown {
        /// Which of all files.
        node: u8,
        /// Owner.
        uid: u8,
        /// Group.
        gid: u8,
    },
    /// Sets times.
    SetTimes {
        /// Which of all files.
        node: u8,
        /// Since the epoch.
        seconds: u16,
    },
    /// Sets an access list.
    SetList {
        /// Which of all files.
        node: u8,
        /// The list that is handed down.
        default: bool,
        /// Whom it names.
        of: ListOf,
        /// Permissions.
        bits: u16,
    },
    /// Sets a project.
    SetProject {
        /// Which of all files.
        node: u8,
        /// Project.
        project: u8,
        /// Whether it is handed down.
        inherit: bool,
    },
    /// Sets an attribute.
    SetAttribute {
        /// Which of all files.
        node: u8,
        /// Which of the names.
        name: u8,
        /// In bytes.
        length: u16,
    },
    /// Writes to a file.
    Write {
        /// Which of all files.
        node: u8,
        /// In bytes.
        length: u16,
        /// Each of them.
        byte: u8,
    },
    /// Replaces all that a file holds.
    ReplaceContents {
        /// Which of all files.
        node: u8,
        /// In bytes.
        length: u16,
        /// Each of them.
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
        10 if length.is_multiple_of(2) => What::Socket,
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
