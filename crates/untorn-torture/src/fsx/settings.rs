//! What a run is asked to do: fsx's options under names.

use super::{Kind, Kinds};

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Never.
    Never,
    /// Each time.
    Always,
}

/// How plain reads and writes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// Through the page cache.
    Cached,
    /// Past it (-Z); lengths are multiples of the boundaries, too.
    Direct,
}

/// How long operations are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths {
    /// Anything up to the limit.
    Random,
    /// The limit (-O).
    Full,
}

/// Which sizes truncates give (-s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncates {
    /// Any up to the largest size of the file.
    Any,
    /// Any up to the largest length of an operation.
    Small,
}

/// What an operation may do to the file's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Anything.
    Free,
    /// Nothing: the file has its largest size from the beginning (-L).
    Fixed,
}

/// What a run is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Largest size of the file (-l).
    pub file_limit: u64,
    /// Largest length of an operation (-o).
    pub op_limit: u64,
    /// Offsets of reads are multiples of it (-r).
    pub read_boundary: u64,
    /// Offsets of writes are multiples of it (-w).
    pub write_boundary: u64,
    /// Sizes that truncates give are multiples of it (-t).
    pub truncate_boundary: u64,
    /// Block size of the volume: what moves blocks is a multiple of it.
    pub block_size: u64,
    /// Where all numbers and bytes come from (-S).
    pub seed: u64,
    /// How plain reads and writes go (-Z).
    pub io: Io,
    /// What may be done.
    pub kinds: Kinds,
    /// Whether blocks are also set aside with the size kept (-K).
    pub keep_size: When,
    /// Whether shared blocks are also made the file's own (-u).
    pub unshare: When,
    /// How long operations are (-O).
    pub lengths: Lengths,
    /// Which sizes truncates give (-s).
    pub truncates: Truncates,
    /// Whether the size may change (-L).
    pub growth: Growth,
    /// After one operation in so many the file is closed and opened again (-c).
    pub reopen_in: Option<u64>,
    /// One operation in so many is a [`Kind::Remount`].
    pub remount_in: Option<u64>,
    /// One operation in so many is a [`Kind::Crash`].
    pub crash_in: Option<u64>,
    /// This byte instead of made-up ones (-g).
    pub fill: Option<u8>,
    /// A sync after each write (-y).
    pub sync: When,
    /// After each write a sync, and the file is closed and opened again (-f).
    pub flush: When,
    /// Before the size changes, the rest of the last page is filled and cut off again (-e).
    pub pollute: When,
    /// The size is compared after each operation (off with -n).
    pub size_checks: When,
    /// The whole file is compared after each operation (-X).
    pub content_checks: When,
    /// Operations before this one only change the model (-b).
    pub begin: u64,
    /// The checker looks at every so-manieth remount or crash; zero: only at the end.
    pub check_every: u64,
    /// The file's blocks are set aside first (-x).
    pub preallocate: When,
}

impl Default for Settings {
    /// fsx's defaults; no remounts, no crashes.
    fn default() -> Self {
        Self {
            file_limit: 256 << 10,
            op_limit: 64 << 10,
            read_boundary: 1,
            write_boundary: 1,
            truncate_boundary: 1,
            block_size: 4096,
            seed: 1,
            io: Io::Cached,
            kinds: Kinds::all(),
            keep_size: When::Always,
            unshare: When::Always,
            lengths: Lengths::Random,
            truncates: Truncates::Any,
            growth: Growth::Free,
            reopen_in: None,
            remount_in: None,
            crash_in: None,
            fill: None,
            sync: When::Never,
            flush: When::Never,
            pollute: When::Never,
            size_checks: When::Always,
            content_checks: When::Never,
            begin: 1,
            check_every: 1,
            preallocate: When::Never,
        }
    }
}

impl Settings {
    /// The kinds that a file of fixed size can bear.
    pub const FIXED: [Kind; 8] = [
        Kind::Read,
        Kind::Write,
        Kind::WriteAtomic,
        Kind::MapRead,
        Kind::MapWrite,
        Kind::Fsync,
        Kind::Remount,
        Kind::Crash,
    ];

    /// The largest place that a run of these operations needs.
    pub fn make_room(&mut self, ops: impl Iterator<Item = u64>) {
        self.file_limit = ops.fold(self.file_limit, u64::max);
        self.op_limit = self.op_limit.max(self.file_limit);
    }
}
