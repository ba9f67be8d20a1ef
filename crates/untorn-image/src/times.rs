//! Times that do not follow the clock.

use crate::tree::{Item, Times};
use untorn_format::inode::Timestamp;

/// What a fixed time of building (`SOURCE_DATE_EPOCH`) does to the times of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// All become it.
    All(Timestamp),
    /// Those that are later become it.
    Clamp(Timestamp),
}

impl Epoch {
    /// The time of building.
    pub fn time(self) -> Timestamp {
        match self {
            Self::All(time) | Self::Clamp(time) => time,
        }
    }

    fn of(self, time: Timestamp) -> Timestamp {
        let key = |time: Timestamp| (time.seconds, time.nanos);
        match self {
            Self::Clamp(latest) if key(time) <= key(latest) => time,
            Self::All(epoch) | Self::Clamp(epoch) => epoch,
        }
    }

    /// Gives `item` its times. When it was read last, and when it was made, is the machine's
    /// business and not the source's.
    pub(crate) fn stamp(self, item: &mut Item) {
        let mtime = self.of(item.times.mtime);
        item.times = Times { mtime, atime: mtime, crtime: Some(mtime) };
    }
}
