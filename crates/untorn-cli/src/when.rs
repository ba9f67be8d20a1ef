//! Times as people type them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};
use untorn_format::inode::Timestamp;

fn of(instant: Instant) -> Timestamp {
    let since = instant.as_nanosecond();
    let seconds = since.div_euclid(1_000_000_000);
    let nanos = since.rem_euclid(1_000_000_000);
    // Instants are of a few thousand years.
    Timestamp { seconds: seconds as i64, nanos: nanos as u32 }
}

fn local(time: DateTime) -> Option<Timestamp> {
    let zoned = TimeZone::system().to_zoned(time).ok();
    zoned.map(|zoned: Zoned| of(zoned.timestamp()))
}

/// A date, a date and a time, here or with an offset; `@` and seconds since 1970; `now`.
pub fn date(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let found = match text.strip_prefix('@') {
        Some(seconds) => seconds_of(seconds),
        None if text == "now" => Some(of(Instant::now())),
        None => {
            let with_offset = || text.parse::<Instant>().ok().map(of);
            let time = || text.parse::<DateTime>().ok().and_then(local);
            let day = || text.parse::<Date>().ok().and_then(|day| local(day.to_datetime(MIDNIGHT)));
            with_offset().or_else(time).or_else(day)
        }
    };
    let forms = "2026-01-31, 2026-01-31 12:30[:59], the same with Z or +01:00, @SECONDS or now";
    found.ok_or_else(|| format!("{text:?} is no time: {forms}"))
}

const MIDNIGHT: Time = Time::constant(0, 0, 0, 0);

fn seconds_of(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = whole.parse().ok()?;
    let digits = fraction.len();
    if digits == 0 || digits > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.parse::<u32>().ok()? * 10_u32.pow(9 - digits as u32);
    match whole.starts_with('-') && nanos > 0 {
        true => Some(Timestamp { seconds: seconds.checked_sub(1)?, nanos: 1_000_000_000 - nanos }),
        false => Some(Timestamp { seconds, nanos }),
    }
}

/// `[[CC]YY]MMDDhhmm[.ss]`, as touch -t takes it.
pub fn stamp(text: &str) -> Result<Timestamp, String> {
    let refused = || format!("{text:?} is no time: [[CC]YY]MMDDhhmm[.ss]");
    stamped(text).ok_or_else(refused)
}

fn stamped(text: &str) -> Option<Timestamp> {
    let (digits, seconds) = match text.split_once('.') {
        Some((digits, seconds)) if seconds.len() == 2 => (digits, seconds),
        Some(_) => return None,
        None => (text, "00"),
    };
    let all = [digits, seconds].concat();
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let split = digits.len().checked_sub(8)?;
    let (year, rest) = digits.split_at_checked(split)?;
    let year: i16 = match year.len() {
        0 => Zoned::now().year(),
        // As POSIX has it.
        2 => {
            year.parse().ok().map(|year: i16| if year < 69 { 2000 + year } else { 1900 + year })?
        }
        4 => year.parse().ok()?,
        _ => return None,
    };
    let number = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let (month, day, hour, minute) = (number(0)?, number(2)?, number(4)?, number(6)?);
    let second = seconds.parse().ok()?;
    local(DateTime::new(year, month, day, hour, minute, second, 0).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_forms_that_touch_takes() {
        let seconds = |text: &str| date(text).map(|time| (time.seconds, time.nanos)).ok();
        assert_eq!(seconds("1970-01-02T00:00:01Z"), Some((86_401, 0)));
        assert_eq!(seconds("1970-01-01 01:00:00.25+01:00"), Some((0, 250_000_000)));
        assert_eq!(seconds("@12"), Some((12, 0)));
        assert_eq!(seconds("@-1.5"), Some((-2, 500_000_000)));
        assert_eq!(seconds("@12.000000001"), Some((12, 1)));
        for text in ["", "garbage", "@", "@1.", "@1.0000000001", "2026-13-01", "12:30"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        let here = |text: &str| local(text.parse().unwrap());
        assert_eq!(date("2026-01-31 12:30").ok(), here("2026-01-31T12:30"));
        assert_eq!(date("2026-01-31").ok(), here("2026-01-31T00:00"));
        assert_eq!(stamp("202601311230.59").ok(), here("2026-01-31T12:30:59"));
        assert_eq!(stamp("7001311230").ok(), here("1970-01-31T12:30"));
        assert_eq!(stamp("2601311230").ok(), here("2026-01-31T12:30"));
        for text in
            ["", "1", "013112", "20261331123", "202613311230", "202601311230.5", "+601311230"]
        {
            assert!(stamp(text).is_err(), "{text}");
        }
    }
}
