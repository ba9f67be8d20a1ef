//! What is exercised: one file, whatever keeps it.

use super::{Kind, Op};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It would not be, and nothing was changed: not a failure.
    Refused(String),
    /// It should have been.
    Failed(String),
    /// The checker complains.
    Unsound(String),
}

/// What a target answers.
pub type Answer<T> = Result<T, Trouble>;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Between the caller's memory and the device.
    Direct,
    /// Through the page cache.
    Cached,
    /// Whole or not at all.
    Atomic,
}

/// Whether two places hold the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// They do.
    Same,
    /// They do not.
    Differ,
}

/// A range of a batch: its first byte, and what to write there.
pub type Piece<'a> = (u64, &'a [u8]);

/// One file that operations can be done to.
///
/// Operations that are not done (`Refused`) leave everything as it was.
pub trait Target {
    /// Whether operations of this kind can be done at all.
    fn can(&self, kind: Kind) -> bool;

    /// The file's size.
    fn size(&mut self) -> Answer<u64>;

    /// Fills `bytes` from byte `offset`; how many there were before the end.
    fn read(&mut self, door: Door, offset: u64, bytes: &mut [u8]) -> Answer<usize>;

    /// Writes `bytes` at byte `offset`.
    fn write(&mut self, door: Door, offset: u64, bytes: &[u8]) -> Answer<()>;

    /// Writes all pieces, or none.
    fn write_batch(&mut self, pieces: &[Piece<'_>]) -> Answer<()>;

    /// Does what needs no bytes: from [`Kind::Truncate`] to [`Kind::ExchangeRange`].
    fn change(&mut self, op: &Op) -> Answer<()>;

    /// Shares the blocks of two places if they hold the same; whether they do.
    fn dedupe(&mut self, op: &Op) -> Answer<Alike>;

    /// Makes everything done so far durable.
    fn sync(&mut self) -> Answer<()>;

    /// Closes the file and opens it again.
    fn reopen(&mut self) -> Answer<()>;

    /// Closes the volume cleanly and opens it again.
    fn remount(&mut self) -> Answer<()>;

    /// Cuts the power in a way that `seed` chooses, at some time since the last sync, and recovers
    /// the volume.
    fn crash(&mut self, seed: u64) -> Answer<()>;

    /// Closes the volume cleanly, lets the checker look, and opens it again.
    fn check(&mut self) -> Answer<()>;
}
