//! The time of day as inodes store it.

use std::time::{SystemTime, UNIX_EPOCH};
use untorn_format::inode::Timestamp;

/// Where a volume takes the time from that it writes into inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// From the system, in UTC.
    #[default]
    System,
    /// It is always this time: the same calls in the same order write the same bytes, whenever
    /// they are made. Generation numbers of inodes follow.
    Fixed(Timestamp),
}

impl Clock {
    /// The time.
    pub(crate) fn now(self) -> Timestamp {
        match self {
            Self::System => now(),
            Self::Fixed(time) => time,
        }
    }
}

/// Now, in UTC.
fn now() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() },
        Err(_) => Timestamp::default(),
    }
}
