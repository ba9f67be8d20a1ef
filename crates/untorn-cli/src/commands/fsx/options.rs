//! The letters of fsx, and what they mean here.
//!
//! Invariants: a letter means what it means to fsx, or it is refused by name.

use crate::arguments::VolumePath;
use crate::size;
use clap::{ArgAction, Args};
use std::path::PathBuf;

/// `untorn fsx`.
///
/// The file system exerciser of fstests over the library, no kernel and no root involved: random
/// reads, writes and changes of one file, every byte compared with plain memory. A failing run is
/// shown as fsx shows it and cut down to the shortest that still fails.
#[derive(Args, Debug)]
#[command(disable_help_flag = true, args_override_self = true)]
pub struct Fsx {
    /// The file in the volume.
    #[arg(default_value = "/fsx", value_name = "FNAME")]
    pub file: VolumePath,

    #[command(flatten)]
    pub volume: Place,
    #[command(flatten)]
    pub beyond: Beyond,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub without: Without,
    #[command(flatten)]
    pub ways: Ways,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub refused: Refused,

    /// Print help.
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
}

/// Where the file lies.
#[derive(Args, Debug)]
#[command(next_help_heading = "Volume")]
pub struct Place {
    /// Image file with the volume; it is made where it does not exist. In memory without.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Size of a new volume [k, m, g, t].
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    pub size: Option<u64>,
    /// Block size of a new volume; the suffix k is known.
    #[arg(long, value_name = "BYTES", value_parser = size::bytes, default_value = "4096")]
    pub block_size: u64,
    /// Whether groups of a new volume know the owner of each block.
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    #[arg(default_value_t = 1)]
    pub rmapbt: u8,
    /// Size of a new volume's journal [k, m].
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    pub log_size: Option<u64>,
}

/// What fsx has not.
#[derive(Args, Debug)]
#[command(next_help_heading = "Beyond fsx")]
pub struct Beyond {
    /// The runs of this fstest, with its parameters: generic/091, 127, 263, 521, 522, 617, 760 or
    /// 776. Other options change them.
    #[arg(long, value_name = "TEST")]
    pub profile: Option<String>,
    /// One operation in N cuts the power: what was synced must be there, and nothing torn. In
    /// memory the disk also loses, reorders and tears what was not flushed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub crash: Option<u64>,
    /// One operation in N closes the volume cleanly and opens it again.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub remount: Option<u64>,
    /// The checker looks at every N-th crash or remount, 0: only at the end.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub check_every: u64,
    /// No batches: several ranges in one atomic commit.
    #[arg(long)]
    pub no_batch: bool,
    /// No syncs among the operations.
    #[arg(long)]
    pub no_fsync: bool,
    /// Seconds to look for a shorter run that fails; 0: do not look.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub minimise: u64,
}

/// How much, how long, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Operations to do; 100000 unless --duration or --replay-ops says when to stop.
    #[arg(short = 'N', value_name = "NUMOPS", value_parser = size::bytes)]
    pub operations: Option<u64>,
    /// Run for this many seconds, whatever -N says.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub duration: Option<u64>,
    /// Where everything random comes from; 0 takes the time. 1 by default.
    #[arg(short = 'S', value_name = "SEED", value_parser = size::bytes)]
    pub seed: Option<u64>,
    /// Largest size of the file [default: 262144].
    #[arg(short = 'l', value_name = "FLEN", value_parser = at_least_1)]
    pub file_limit: Option<u64>,
    /// Largest length of an operation [default: 65536].
    #[arg(short = 'o', value_name = "OPLEN", value_parser = at_least_1)]
    pub op_limit: Option<u64>,
    /// Every operation has that length.
    #[arg(short = 'O')]
    pub full_length: bool,
    /// Offsets of reads are multiples of this.
    #[arg(short = 'r', value_name = "READBDY", value_parser = at_least_1)]
    pub read_boundary: Option<u64>,
    /// Offsets of writes are multiples of this.
    #[arg(short = 'w', value_name = "WRITEBDY", value_parser = at_least_1)]
    pub write_boundary: Option<u64>,
    /// Sizes that truncates give are multiples of this.
    #[arg(short = 't', value_name = "TRUNCBDY", value_parser = at_least_1)]
    pub truncate_boundary: Option<u64>,
    /// 1 gives smaller truncates.
    #[arg(short = 's', value_name = "STYLE", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub style: Option<u8>,
    /// Begin with operation OPNUM: those before it only tell what the file holds by then.
    #[arg(short = 'b', value_name = "OPNUM", value_parser = at_least_1)]
    pub begin: Option<u64>,
}

fn at_least_1(text: &str) -> Result<u64, String> {
    match size::bytes(text)? {
        0 => Err("must be at least 1".to_owned()),
        number => Ok(number),
    }
}

/// What is left out.
#[derive(Args, Debug)]
#[command(next_help_heading = "Operations to leave out")]
pub struct Without {
    /// No atomic writes.
    #[arg(short = 'a')]
    pub atomic: bool,
    /// No fallocate.
    #[arg(short = 'F')]
    pub fallocate: bool,
    /// No fallocate and no zero range that keeps the size.
    #[arg(short = 'K')]
    pub keep_size: bool,
    /// No unshare range.
    #[arg(short = 'u')]
    pub unshare: bool,
    /// No punch hole.
    #[arg(short = 'H')]
    pub punch_hole: bool,
    /// No zero range.
    #[arg(short = 'z')]
    pub zero_range: bool,
    /// No collapse range.
    #[arg(short = 'C')]
    pub collapse_range: bool,
    /// No insert range.
    #[arg(short = 'I')]
    pub insert_range: bool,
    /// No clone range.
    #[arg(short = 'J')]
    pub clone_range: bool,
    /// No dedupe range.
    #[arg(short = 'B')]
    pub dedupe_range: bool,
    /// No copy range.
    #[arg(short = 'E')]
    pub copy_range: bool,
    /// No exchange range.
    #[arg(short = '0')]
    pub exchange_range: bool,
    /// No mapped reads. (Mapped means through the page cache whatever -Z says.)
    #[arg(short = 'R')]
    pub map_read: bool,
    /// No mapped writes.
    #[arg(short = 'W')]
    pub map_write: bool,
    /// No I/O that leaves nothing in the cache: there is none here anyway.
    #[arg(short = 'T')]
    pub dontcache: bool,
    /// Lite: the file has its largest size from the beginning and keeps it.
    #[arg(short = 'L')]
    pub lite: bool,
}

/// How operations are done, and what is looked at after them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ways")]
pub struct Ways {
    /// Direct I/O: between memory and device, past the page cache.
    #[arg(short = 'Z')]
    pub direct: bool,
    /// Asynchronous I/O, one request at a time in fsx: the same operations here.
    #[arg(short = 'A', conflicts_with = "uring")]
    pub aio: bool,
    /// io_uring, one request at a time in fsx: the same operations here.
    #[arg(short = 'U')]
    pub uring: bool,
    /// Buffers in huge pages: the same operations here. With something that says when to stop.
    #[arg(short = 'h')]
    pub huge_pages: bool,
    /// Close and open the file after one operation in P.
    #[arg(short = 'c', value_name = "P", value_parser = at_least_1)]
    pub reopen: Option<u64>,
    /// 1: before the file's size changes, fill the rest of its last page and cut it off again.
    #[arg(short = 'e', value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub pollute: Option<u8>,
    /// After each write sync, close and open the file.
    #[arg(short = 'f')]
    pub flush: bool,
    /// Write this character instead of made-up bytes.
    #[arg(short = 'g', value_name = "CHAR", value_parser = one_byte)]
    pub fill: Option<u8>,
    /// Keep what the file of the image holds; its size is the largest.
    #[arg(short = 'k', requires = "image")]
    pub keep: bool,
    /// Do not compare sizes.
    #[arg(short = 'n')]
    pub no_size_checks: bool,
    /// Set blocks aside for the whole file first.
    #[arg(short = 'x')]
    pub preallocate: bool,
    /// Compare the whole file after each operation.
    #[arg(short = 'X')]
    pub content_checks: bool,
    /// Sync after each write.
    #[arg(short = 'y')]
    pub sync: bool,
    /// Do the operations of an ops file, or of a log as fsx prints it and people mail it.
    #[arg(long, value_name = "FILE")]
    pub replay_ops: Option<PathBuf>,
}

fn one_byte(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [first, ..] => Ok(*first),
        [] => Err("must be a character".to_owned()),
    }
}

/// What is told.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Tell every operation.
    #[arg(short = 'd')]
    pub debug: bool,
    /// Tell every operation from this one on.
    #[arg(short = 'D', value_name = "OPNUM", value_parser = at_least_1)]
    pub debug_from: Option<u64>,
    /// Tell operations that touch bytes START to END; END of 0: all behind.
    #[arg(short = 'm', value_name = "START:END", value_parser = span)]
    pub monitor: Option<(u64, u64)>,
    /// Tell one operation in so many.
    #[arg(short = 'p', value_name = "INTERVAL", value_parser = at_least_1)]
    pub progress: Option<u64>,
    /// Quieter.
    #[arg(short = 'q')]
    pub quiet: bool,
    /// Begin each line with this.
    #[arg(short = 'j', value_name = "LOGID")]
    pub log_id: Option<String>,
    /// Folder for what a failing run leaves: FNAME.fsxops (the shortest run), FNAME.all.fsxops
    /// (its last 10,000 operations), FNAME.fsxlog, FNAME.fsxgood (what the file should hold). The
    /// current one without.
    #[arg(short = 'P', value_name = "DIRPATH")]
    pub folder: Option<PathBuf>,
    /// Write all operations to a file, also when all is well. Of several runs it has the last.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub record_ops: Option<Option<PathBuf>>,
}

fn span(text: &str) -> Result<(u64, u64), String> {
    let (start, end) = text.split_once(':').ok_or("must be START:END")?;
    match (size::bytes(start)?, size::bytes(end)?) {
        (start, 0) => Ok((start, u64::MAX)),
        span => Ok(span),
    }
}

/// Letters of fsx that mean nothing here.
#[derive(Args, Debug)]
pub struct Refused {
    /// Integrity tests with dm-log-writes: see --crash.
    #[arg(short = 'i', value_name = "LOGDEV", hide = true)]
    pub log_device: Option<String>,
}
