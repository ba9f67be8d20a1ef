//! Flags of inodes and the kinds of file.

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident($word:ty) {
        $($(#[$fdoc:meta])* $flag:ident = $bit:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub $word);
        impl $name {
            $($(#[$fdoc])* pub const $flag: Self = Self(1 << $bit);)*
            /// Whether any flag of `other` is set.
            pub fn has(self, other: Self) -> bool { self.0 & other.0 != 0 }
            /// These flags and those of `other`.
            #[must_use]
            pub fn with(self, other: Self) -> Self { Self(self.0 | other.0) }
            /// These flags without those of `other`.
            #[must_use]
            pub fn without(self, other: Self) -> Self { Self(self.0 & !other.0) }
        }
    };
}

flags! {
    /// `di_flags`.
    InodeFlags(u16) {
        /// Contents lie in the realtime section.
        REALTIME = 0;
        /// Blocks past end of file were preallocated on request.
        PREALLOC = 1;
        /// Of the realtime bitmap inode alone.
        NEWRTBM = 2;
        /// May not be changed.
        IMMUTABLE = 3;
        /// May only be appended to.
        APPEND = 4;
        /// All writes are synchronous.
        SYNC = 5;
        /// Reading leaves no trace.
        NOATIME = 6;
        /// Not to be dumped.
        NODUMP = 7;
        /// New files of this directory lie in the realtime section.
        RTINHERIT = 8;
        /// New files of this directory belong to its project.
        PROJINHERIT = 9;
        /// No symlinks may be made in this directory.
        NOSYMLINKS = 10;
        /// The extent size hint holds for this file.
        EXTSIZE = 11;
        /// New files of this directory get its extent size hint.
        EXTSZINHERIT = 12;
        /// Not to be defragmented.
        NODEFRAG = 13;
        /// New files of this directory are kept together in one AG.
        FILESTREAM = 14;
    }
}

flags! {
    /// `di_flags2`.
    InodeFlags2(u64) {
        /// Use DAX for this file.
        DAX = 0;
        /// The file may share blocks.
        REFLINK = 1;
        /// The copy-on-write extent size hint holds for this file.
        COWEXTSIZE = 2;
        /// Times are in the bigtime encoding.
        BIGTIME = 3;
        /// Extents are counted with 48 and 32 bits.
        NREXT64 = 4;
        /// A metadata inode (metadir).
        METADATA = 5;
    }
}

/// What a file is, from `di_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Named pipe.
    Fifo,
    /// Character device.
    CharDevice,
    /// Directory.
    Directory,
    /// Block device.
    BlockDevice,
    /// Regular file.
    Regular,
    /// Symbolic link.
    Symlink,
    /// Socket.
    Socket,
}

impl FileKind {
    /// The kind that `mode` says; `None` for free inodes and for what no kind has.
    pub fn of(mode: u16) -> Option<Self> {
        Some(match mode >> 12 {
            0o01 => Self::Fifo,
            0o02 => Self::CharDevice,
            0o04 => Self::Directory,
            0o06 => Self::BlockDevice,
            0o10 => Self::Regular,
            0o12 => Self::Symlink,
            0o14 => Self::Socket,
            _ => return None,
        })
    }
    /// The bits of `di_mode` that say this kind.
    pub fn mode_bits(self) -> u16 {
        let kind = match self {
            Self::Fifo => 0o01,
            Self::CharDevice => 0o02,
            Self::Directory => 0o04,
            Self::BlockDevice => 0o06,
            Self::Regular => 0o10,
            Self::Symlink => 0o12,
            Self::Socket => 0o14,
        };
        kind << 12
    }
    /// Whether the data fork holds a device number (or nothing) instead of contents.
    pub fn is_special(self) -> bool {
        !matches!(self, Self::Directory | Self::Regular | Self::Symlink)
    }
}
