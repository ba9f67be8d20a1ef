//! What an entry of a directory says, whatever the form.

use crate::{Fault, Geometry, Ino};

/// Longest name in bytes.
pub const MAX_NAME: usize = 255;

/// The kind of file that an entry names, as entries record it. Source: `XFS_DIR3_FT_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FileType {
    /// Not recorded.
    Unknown = 0,
    /// Regular file.
    Regular = 1,
    /// Directory.
    Directory = 2,
    /// Character device.
    CharDevice = 3,
    /// Block device.
    BlockDevice = 4,
    /// Named pipe.
    Fifo = 5,
    /// Socket.
    Socket = 6,
    /// Symbolic link.
    Symlink = 7,
    /// Whiteout of an overlay.
    Whiteout = 8,
}

impl FileType {
    /// The type of an on-disk code.
    pub fn of(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::CharDevice,
            4 => Self::BlockDevice,
            5 => Self::Fifo,
            6 => Self::Socket,
            7 => Self::Symlink,
            8 => Self::Whiteout,
            _ => return None,
        })
    }
    /// The on-disk code.
    pub fn code(self) -> u8 {
        self as u8
    }
    /// The type that the format bits of an inode's mode (`S_IFMT`) name.
    pub fn of_mode(mode: u16) -> Self {
        match mode >> 12 {
            0o01 => Self::Fifo,
            0o02 => Self::CharDevice,
            0o04 => Self::Directory,
            0o06 => Self::BlockDevice,
            0o10 => Self::Regular,
            0o12 => Self::Symlink,
            0o14 => Self::Socket,
            _ => Self::Unknown,
        }
    }
}

/// One entry, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name: 1 to 255 bytes without `/` and NUL.
    pub name: &'a [u8],
    /// Inode that it names.
    pub ino: Ino,
    /// Kind of that inode.
    pub file_type: FileType,
    /// Byte offset in its data block; for a short form, where it would lie in block form.
    pub offset: usize,
}

/// One entry, to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEntry<'a> {
    /// Its name: 1 to 255 bytes without `/` and NUL (asserted).
    pub name: &'a [u8],
    /// Inode that it names.
    pub ino: Ino,
    /// Kind of that inode.
    pub file_type: FileType,
}

/// Bytes that an entry with a name of `name_length` bytes takes in a data block: inode number,
/// length, name, type and tag, in units of eight.
pub fn entry_size(name_length: usize) -> usize {
    (8 + 1 + name_length + 1 + 2).next_multiple_of(8)
}

/// Whether `name` may stand in a directory.
pub fn is_name(name: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(&b'/') && !name.contains(&0)
}

/// Checks a name and a type code read from a directory.
pub(crate) fn decode(
    what: &'static str,
    name: &[u8],
    ino: u64,
    code: u8,
) -> Result<(Ino, FileType), Fault> {
    if name.is_empty() {
        return Err(Fault::Field { what, field: "namelen", value: 0 });
    }
    if let Some(&bad) = name.iter().find(|&&byte| byte == 0 || byte == b'/') {
        return Err(Fault::Field { what, field: "name", value: bad.into() });
    }
    let file_type = FileType::of(code);
    let file_type =
        file_type.ok_or(Fault::Field { what, field: "filetype", value: code.into() })?;
    Ok((Ino(ino), file_type))
}

/// Checks that an entry names an inode that the volume can have.
pub(crate) fn check_ino(what: &'static str, geometry: &Geometry, ino: Ino) -> Result<(), Fault> {
    match geometry.split_ino(ino) {
        Some((_, in_ag)) if in_ag.0 != 0 => Ok(()),
        _ => Err(Fault::Field { what, field: "inumber", value: ino.0 }),
    }
}
