//! The time of day as inodes store it.

use std::time::{SystemTime, UNIX_EPOCH};
use untorn_format::inode::Timestamp;

/// Now, in UTC.
pub(crate) fn now() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() },
        Err(_) => Timestamp::default(),
    }
}
