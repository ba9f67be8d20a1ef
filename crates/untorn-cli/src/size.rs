//! Numbers of bytes as people type them: `4096`, `64k`, `1.5g` is not one.
//!
//! Suffixes are powers of 1024. Blocks and sectors are units only where a volume says how large
//! they are.

/// What `b` and `s` stand for, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// A block.
    pub block: u64,
    /// A sector.
    pub sector: u64,
}

const SUFFIXES: [(char, u32); 6] =
    [('k', 10), ('m', 20), ('g', 30), ('t', 40), ('p', 50), ('e', 60)];

/// Bytes: a whole number with `k`, `m`, `g`, `t`, `p`, `e` or nothing behind it. Decimal, or
/// hexadecimal with `0x`.
pub fn bytes(text: &str) -> Result<u64, String> {
    parse(text, None)
}

/// The same with `b` for blocks and `s` for sectors.
pub fn bytes_in(text: &str, units: Units) -> Result<u64, String> {
    parse(text, Some(units))
}

/// A size, or how one comes from another, as truncate takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewSize {
    /// This.
    Exactly(u64),
    /// So much more: `+5`.
    More(u64),
    /// So much less, not below nothing: `-5`.
    Less(u64),
    /// This at most: `<5`.
    AtMost(u64),
    /// This at least: `>5`.
    AtLeast(u64),
    /// The next multiple down: `/5`.
    Down(u64),
    /// The next multiple up: `%5`.
    Up(u64),
}

impl std::str::FromStr for NewSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text.chars();
        let how = match rest.next() {
            Some('+') => Self::More,
            Some('-') => Self::Less,
            Some('<') => Self::AtMost,
            Some('>') => Self::AtLeast,
            Some('/') => Self::Down,
            Some('%') => Self::Up,
            _ => return bytes(text).map(Self::Exactly),
        };
        match how(bytes(rest.as_str())?) {
            Self::Down(0) | Self::Up(0) => Err(format!("{text:?}: there are no multiples of 0")),
            size => Ok(size),
        }
    }
}

impl NewSize {
    /// What becomes of `size`; nothing where 64 bits cannot say it.
    pub fn of(self, size: u64) -> Option<u64> {
        match self {
            Self::Exactly(to) => Some(to),
            Self::More(by) => size.checked_add(by),
            Self::Less(by) => Some(size.saturating_sub(by)),
            Self::AtMost(most) => Some(size.min(most)),
            Self::AtLeast(least) => Some(size.max(least)),
            Self::Down(unit) => Some(size - size.checked_rem(unit)?),
            Self::Up(unit) => size.checked_next_multiple_of(unit),
        }
    }
}

/// A whole number as C writes it: decimal, hexadecimal with `0x`, octal with `0`.
pub fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match (text.strip_prefix("0x").or(text.strip_prefix("0X")), text) {
        (Some(digits), _) => (digits, 16),
        (None, "0") => (text, 10),
        (None, _) => text.strip_prefix('0').map_or((text, 10), |digits| (digits, 8)),
    };
    (!digits.starts_with('+')).then(|| u64::from_str_radix(digits, radix).ok())?
}

fn parse(text: &str, units: Option<Units>) -> Result<u64, String> {
    let refused = || {
        let more = if units.is_some() { ", b (blocks) or s (sectors)" } else { "" };
        format!("{text:?} is no size: a whole number, then nothing, k, m, g, t, p, e{more}")
    };
    let (digits, unit) = split(text, units).ok_or_else(refused)?;
    let number = match digits.strip_prefix("0x") {
        None if units.is_some() => return scaled(number(digits).ok_or_else(refused)?, unit, text),
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        _ if digits.starts_with('+') => return Err(refused()),
        _ => digits.parse(),
    };
    let number = number.map_err(|_| refused())?;
    scaled(number, unit, text)
}

fn scaled(number: u64, unit: u64, text: &str) -> Result<u64, String> {
    number.checked_mul(unit).ok_or_else(|| format!("{text:?} is more than 64 bits can say"))
}

/// The digits and what one of them is worth.
fn split(text: &str, units: Option<Units>) -> Option<(&str, u64)> {
    let last = text.chars().last()?.to_ascii_lowercase();
    if text.starts_with("0x") && last.is_ascii_hexdigit() {
        return Some((text, 1));
    }
    let rest = text.get(..text.len() - last.len_utf8());
    if let Some((_, shift)) = SUFFIXES.iter().find(|(suffix, _)| *suffix == last) {
        return Some((rest?, 1 << shift));
    }
    match (last, units) {
        ('b', Some(units)) => Some((rest?, units.block)),
        ('s', Some(units)) => Some((rest?, units.sector)),
        (last, _) if last.is_ascii_digit() => Some((text, 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Units = Units { block: 4096, sector: 512 };

    #[test]
    fn suffixes_are_powers_of_1024_in_either_case() {
        let cases = [("0", 0), ("4096", 4096), ("4k", 4096), ("4K", 4096), ("3m", 3 << 20)];
        let more = [("2g", 2 << 30), ("1T", 1 << 40), ("0x1000", 4096), ("0x10k", 16384)];
        for (text, expected) in cases.into_iter().chain(more) {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn blocks_and_sectors_are_units_only_of_a_volume() {
        assert_eq!(bytes_in("3b", UNITS), Ok(3 * 4096));
        assert_eq!(bytes_in("3s", UNITS), Ok(3 * 512));
        assert!(bytes("3b").is_err() && bytes("3s").is_err());
    }

    #[test]
    fn numbers_are_those_of_c() {
        let cases = [("12", 12), ("0", 0), ("010", 8), ("0x1f", 31), ("0X10", 16)];
        for (text, expected) in cases {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        assert_eq!(bytes_in("010k", UNITS), Ok(8 << 10));
        assert!(["", "08", "-1", "+1", "0x", "0x+1", "1k"].iter().all(|t| number(t).is_none()));
    }

    #[test]
    fn what_is_no_whole_number_is_refused() {
        for text in ["", "k", "-1", "+1", "1.5g", "1kk", "0x", "0x+1", "1 k", "é", "1é", "٣"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn new_sizes_come_from_old_ones_as_truncate_makes_them() {
        let of = |text: &str, size| text.parse::<NewSize>().unwrap().of(size);
        let cases = [("5", 5), ("+1k", 1124), ("-5", 95), ("-5k", 0), ("<7", 7), (">7", 100)];
        for (text, size) in cases.into_iter().chain([("/64", 64), ("%64", 128)]) {
            assert_eq!(of(text, 100), Some(size), "{text}");
        }
        assert_eq!(of("+1", u64::MAX), None);
        assert!(["/0", "%0", "+", "++1", "-x"].iter().all(|text| text.parse::<NewSize>().is_err()));
    }

    #[test]
    fn sizes_past_64_bits_are_refused() {
        assert!(bytes("16e").is_err());
        assert_eq!(bytes("15e"), Ok(15 << 60));
        assert!(bytes("99999999999999999999").is_err());
    }
}
