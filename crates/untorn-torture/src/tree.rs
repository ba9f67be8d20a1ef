//! What a volume holds, as plain data: the currency in which two readers of one volume compare.
//!
//! One side is Linux (`kernel::tree` walks a mounted volume), the other is untorn or a model: both
//! fill the same [`Tree`]. Contents are kept as a hash per 64 KiB piece, holes and zeroes left out,
//! so that a sparse file costs what it holds and a difference has a place.
//!
//! Invariant: a [`Content`] depends on the bytes alone, never on how they were read, nor on where
//! the holes are. Never here: reading of volumes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Bytes that one hash of a [`Content`] covers.
pub const PIECE: u64 = 64 * 1024;

/// Everything below a directory by path relative to it; the directory itself is the empty path.
pub type Tree = BTreeMap<PathBuf, Entry>;

/// What kind of file an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device node.
    CharacterDevice,
    /// A block device node.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// A moment as an inode stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

/// The device number of a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// One file of a tree, of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What kind of file.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: the low twelve bits of the mode.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of names.
    pub nlink: u32,
    /// Inode number, where the side that filled the entry knows one; compared where both do.
    pub ino: Option<u64>,
    /// Size in bytes.
    pub size: u64,
    /// Device number of a device node.
    pub rdev: Option<DeviceNumber>,
    /// Target of a symbolic link.
    pub target: Option<Vec<u8>>,
    /// Extended attributes by full name (`user.colour`).
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Bytes of a regular file.
    pub content: Option<Content>,
    /// Last change of the content.
    pub mtime: Timestamp,
}

/// The bytes of a file, as one hash per [`PIECE`] that holds anything but zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pieces: BTreeMap<u64, u64>,
}

impl Content {
    /// The content of an empty or all-zero file.
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of a file that is `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut content = Self::new();
        for (index, piece) in (0u64..).zip(bytes.chunks(PIECE as usize)) {
            content.add_piece(index, piece);
        }
        content
    }

    /// Adds the piece that starts at byte `index * PIECE`: whole, or up to the end of the file.
    ///
    /// Each piece is added at most once. Pieces that are never added are zeroes.
    pub fn add_piece(&mut self, index: u64, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= PIECE, "a piece is at most {PIECE} bytes");
        let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        if end > 0 {
            let before = self.pieces.insert(index, hash(&bytes[..end]));
            assert!(before.is_none(), "piece {index} was added twice");
        }
    }

    /// First byte offset, rounded down to a piece, at which the two differ.
    pub fn first_difference(&self, other: &Self) -> Option<u64> {
        let indexes = self.pieces.keys().chain(other.pieces.keys());
        let differing = indexes.filter(|index| self.pieces.get(index) != other.pieces.get(index));
        differing.min().map(|index| index * PIECE)
    }
}

/// A 64-bit hash of bytes whose last is not zero: good against accidents, not against enemies.
fn hash(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(0x9e37_79b9_7f4a_7c15, |state, word| {
        let product = u128::from(state ^ word) * 0xa076_1d64_78bd_642f_u128;
        (product as u64) ^ ((product >> 64) as u64).rotate_left(23) ^ word
    })
}

/// One way in which two trees differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path, relative to the root of both trees.
    pub path: PathBuf,
    /// What differs, in words, the left tree's side first.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}: {}", self.path.display(), self.what)
    }
}

/// What [`diff`] found, in path order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences(pub Vec<Difference>);

impl Differences {
    /// The trees are the same.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Panics with the first forty differences when there are any.
    #[track_caller]
    pub fn assert_none(&self, left: &str, right: &str) {
        assert!(self.is_empty(), "{left} (left) and {right} (right) differ:\n{self}");
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        for difference in self.0.iter().take(SHOWN) {
            writeln!(f, "{difference}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "... and {more} more"),
        }
    }
}

/// Every difference between two trees, in path order.
pub fn diff(left: &Tree, right: &Tree) -> Differences {
    let missing = left.iter().filter(|(path, _)| !right.contains_key(*path));
    let added = right.iter().filter(|(path, _)| !left.contains_key(*path));
    let both = left.iter().filter_map(|(path, l)| right.get(path).map(|r| (path, l, r)));
    let mut found: Vec<Difference> = Vec::new();
    found.extend(missing.map(|(path, entry)| only_in("left", path, entry)));
    found.extend(added.map(|(path, entry)| only_in("right", path, entry)));
    found.extend(both.flat_map(|(path, l, r)| {
        let told = compare(l, r).into_iter();
        told.map(|what| Difference { path: path.clone(), what })
    }));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Differences(found)
}

fn only_in(side: &str, path: &Path, entry: &Entry) -> Difference {
    let what = format!("only in {side} ({:?}, {} bytes)", entry.kind, entry.size);
    Difference { path: path.to_owned(), what }
}

/// What differs between two entries, one line per field.
pub fn compare(left: &Entry, right: &Entry) -> Vec<String> {
    let mut found = Vec::new();
    let mut field = |name: &str, l: &dyn fmt::Debug, r: &dyn fmt::Debug| {
        let (l, r) = (format!("{l:?}"), format!("{r:?}"));
        if l != r {
            found.push(format!("{name} {l} != {r}"));
        }
    };
    field("kind", &left.kind, &right.kind);
    field("mode", &Octal(left.mode), &Octal(right.mode));
    field("uid", &left.uid, &right.uid);
    field("gid", &left.gid, &right.gid);
    field("nlink", &left.nlink, &right.nlink);
    if let (Some(l), Some(r)) = (left.ino, right.ino) {
        field("ino", &l, &r);
    }
    field("size", &left.size, &right.size);
    field("rdev", &left.rdev, &right.rdev);
    field("target", &left.target.as_deref().map(Text), &right.target.as_deref().map(Text));
    field("mtime", &left.mtime, &right.mtime);
    found.extend(compare_xattrs(left, right));
    found.extend(compare_content(left, right));
    found
}

fn compare_xattrs(left: &Entry, right: &Entry) -> Vec<String> {
    let mut names: Vec<_> = left.xattrs.keys().chain(right.xattrs.keys()).collect();
    names.sort();
    names.dedup();
    let differing =
        names.into_iter().filter(|name| left.xattrs.get(*name) != right.xattrs.get(*name));
    let shown = |value: Option<&Vec<u8>>| match value {
        Some(value) => format!("{:?} ({} bytes)", Text(&value[..value.len().min(32)]), value.len()),
        None => "absent".to_owned(),
    };
    let told = differing.map(|name| {
        let (l, r) = (shown(left.xattrs.get(name)), shown(right.xattrs.get(name)));
        format!("xattr {:?} {l} != {r}", Text(name))
    });
    told.collect()
}

fn compare_content(left: &Entry, right: &Entry) -> Option<String> {
    match (&left.content, &right.content) {
        (Some(l), Some(r)) => l
            .first_difference(r)
            .map(|offset| format!("content differs within the {PIECE} bytes at {offset}")),
        (None, None) => None,
        (l, r) => Some(format!("content known: {} != {}", l.is_some(), r.is_some())),
    }
}

struct Octal(u16);

impl fmt::Debug for Octal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#o}", self.0)
    }
}

struct Text<'a>(&'a [u8]);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
