//! Times of inodes in both encodings.

/// A time as seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970; negative before.
    pub seconds: i64,
    /// Nanoseconds of the second, below 10^9.
    pub nanos: u32,
}

/// How an inode writes its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeEncoding {
    /// Seconds and nanoseconds of 32 bits each: 1901 to 2038.
    Legacy,
    /// Nanoseconds since the earliest legacy time: 1901 to 2486.
    Bigtime,
}

const NANOS: u64 = 1_000_000_000;
/// Seconds from the earliest legacy time to 1970.
const EPOCH: i64 = 1 << 31;

impl Timestamp {
    /// Reads the eight bytes of a time. Nanoseconds past a second, which only a damaged legacy
    /// time has, become the last of the second.
    pub fn decode(word: u64, encoding: TimeEncoding) -> Self {
        match encoding {
            TimeEncoding::Legacy => Self {
                seconds: i64::from((word >> 32) as i32),
                nanos: (word as u32).min(NANOS as u32 - 1),
            },
            TimeEncoding::Bigtime => {
                Self { seconds: (word / NANOS) as i64 - EPOCH, nanos: (word % NANOS) as u32 }
            }
        }
    }
    /// The eight bytes of this time; times out of range become the nearest that can be said.
    pub fn encode(self, encoding: TimeEncoding) -> u64 {
        let seconds = self.seconds.clamp(-EPOCH, Self::latest(encoding));
        let nanos = self.nanos.min(NANOS as u32 - 1);
        match encoding {
            TimeEncoding::Legacy => u64::from(seconds as i32 as u32) << 32 | u64::from(nanos),
            TimeEncoding::Bigtime => (seconds + EPOCH) as u64 * NANOS + u64::from(nanos),
        }
    }
    /// The latest second that can be said.
    fn latest(encoding: TimeEncoding) -> i64 {
        match encoding {
            TimeEncoding::Legacy => i64::from(i32::MAX),
            TimeEncoding::Bigtime => (u64::MAX / NANOS) as i64 - EPOCH - 1,
        }
    }
}
