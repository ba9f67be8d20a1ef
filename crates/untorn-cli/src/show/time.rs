//! Times of files in the zone of the reader.

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};
use untorn_format::inode::Timestamp;

fn zoned(time: Timestamp) -> Option<Zoned> {
    let nanos = i32::try_from(time.nanos).ok()?;
    let instant = Instant::new(time.seconds, nanos).ok()?;
    Some(instant.to_zoned(TimeZone::system()))
}

/// To the minute, as `ls -l --time-style=long-iso`.
pub fn to_the_minute(time: Timestamp) -> String {
    let text = zoned(time).map(|time| time.strftime("%Y-%m-%d %H:%M").to_string());
    text.unwrap_or_else(|| seconds(time))
}

/// To the nanosecond with the zone, as `stat`.
pub fn exact(time: Timestamp) -> String {
    let text = zoned(time).map(|time| time.strftime("%Y-%m-%d %H:%M:%S.%9f %z").to_string());
    text.unwrap_or_else(|| seconds(time))
}

/// In UTC, for JSON.
pub fn machine(time: Timestamp) -> String {
    let nanos = i32::try_from(time.nanos).ok();
    let instant = nanos.and_then(|nanos| Instant::new(time.seconds, nanos).ok());
    instant.map_or_else(|| seconds(time), |instant| instant.to_string())
}

/// Of a time that no calendar here has.
fn seconds(time: Timestamp) -> String {
    format!("{}.{:09} s", time.seconds, time.nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_any_value_have_a_text() {
        let time = Timestamp { seconds: 0, nanos: 1 };
        assert_eq!(machine(time), "1970-01-01T00:00:00.000000001Z");
        let beyond = Timestamp { seconds: i64::MAX, nanos: u32::MAX };
        assert_eq!(machine(beyond), format!("{}.{} s", i64::MAX, u32::MAX));
    }
}
