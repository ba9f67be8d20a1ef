//! Extended headers: records `LENGTH KEY=VALUE\n`, whose values may be any bytes.

use crate::error::{Result, entry};
use untorn_format::inode::Timestamp;

const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";
/// Most keys of what is said of all entries: it is asked for each of them.
const MOST_GLOBAL: usize = 64;
/// Most bytes of that: some of them go to each entry.
const MOST_GLOBAL_BYTES: usize = 8 << 10;
/// Most bytes of what is said of one entry, in however many headers.
const MOST_BYTES: usize = 16 << 20;

/// What extended headers say, in their order; the last of a key counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Pax {
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Pax {
    /// Reads records behind those that are there.
    pub fn read(&mut self, mut bytes: &[u8], archive: &str) -> Result<()> {
        // What follows the last record is padding.
        while bytes.first().is_some_and(|&byte| byte != 0) {
            let Some((record, rest)) = next(bytes) else {
                return entry(archive.as_bytes(), "an extended header is damaged");
            };
            self.records.push((record.0.to_vec(), record.1.to_vec()));
            bytes = rest;
        }
        if self.bytes() > MOST_BYTES {
            return entry(archive.as_bytes(), "says too much of one entry");
        }
        Ok(())
    }

    /// Reads records that hold for all entries that follow, of each key the last.
    pub fn read_global(&mut self, bytes: &[u8], archive: &str) -> Result<()> {
        let mut read = Self::default();
        read.read(bytes, archive)?;
        for (key, value) in read.records {
            self.records.retain(|(old, _)| *old != key);
            self.records.push((key, value));
            if self.records.len() > MOST_GLOBAL || self.bytes() > MOST_GLOBAL_BYTES {
                return entry(archive.as_bytes(), "says too much of all entries at once");
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.records.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn find(&self, key: &[u8]) -> Option<&[u8]> {
        let found = self.records.iter().rev().find(|(found, _)| found == key)?;
        Some(&found.1)
    }

    fn attributes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(ATTRIBUTE)?, value.as_slice())))
    }
}

/// What is said of one entry, over what is said of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'p> {
    pub own: &'p Pax,
    pub global: &'p Pax,
}

impl<'p> Said<'p> {
    /// The value of a key; an empty one takes back what was said before.
    pub fn value(&self, key: &[u8]) -> Option<&'p [u8]> {
        let found = self.own.find(key).or_else(|| self.global.find(key));
        found.filter(|value| !value.is_empty())
    }

    /// The value as a number: there and a number, there and none, or not there.
    pub fn number(&self, key: &[u8]) -> Option<Option<u64>> {
        self.value(key).map(number)
    }

    /// All values of two keys that come by turns, in order.
    pub fn pairs(&self, first: &[u8], second: &[u8]) -> Option<Vec<(u64, u64)>> {
        let values = |key: &[u8]| -> Option<Vec<u64>> {
            let found = self.own.records.iter().filter(|(found, _)| found == key);
            found.map(|(_, value)| number(value)).collect()
        };
        let (first, second) = (values(first)?, values(second)?);
        (first.len() == second.len()).then(|| first.into_iter().zip(second).collect())
    }

    /// The name of a sparse file, whose entry has another.
    pub fn sparse_name(&self) -> Option<&'p [u8]> {
        self.value(b"GNU.sparse.name")
    }

    /// Extended attributes, by the host's names; later ones count.
    pub fn attributes(&self) -> impl Iterator<Item = (&'p [u8], &'p [u8])> {
        let label = self.value(b"RHT.security.selinux");
        let label = label.map(|value| (&b"security.selinux"[..], value));
        label.into_iter().chain(self.global.attributes()).chain(self.own.attributes())
    }
}

type Record<'b> = (&'b [u8], &'b [u8]);

fn next(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = bytes.iter().take(21).position(|&byte| byte == b' ')?;
    let length = usize::try_from(number(bytes.get(..space)?)?).ok()?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    let (key, value) = record.split_at(equals);
    Some(((key, &value[1..]), bytes.get(length..)?))
}

/// A decimal number.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Seconds since 1970 with a fraction, negative before.
pub(super) fn time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = i64::try_from(number(whole.as_bytes())?).ok()?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos = u32::try_from(number(digits.as_bytes())?).ok()?;
    number(fraction.as_bytes()).or_else(|| (fraction.len() != 1).then_some(0))?;
    Some(match (negative, nanos) {
        (false, _) => Timestamp { seconds, nanos },
        (true, 0) => Timestamp { seconds: -seconds, nanos },
        (true, _) => Timestamp { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_newlines_and_the_last_of_a_key_counts() {
        let (mut pax, mut global) = (Pax::default(), Pax::default());
        global.read_global(b"10 path=z\n7 y=1\n7 y=2\n", "x").unwrap_err();
        global.read_global(b"9 path=z\n6 y=1\n6 y=2\n", "x").unwrap();
        pax.read(b"12 path=old\n14 path=a\nb c\n7 x=\0\x01\n\0\0\0", "x").unwrap();
        let said = Said { own: &pax, global: &global };
        assert_eq!(said.value(b"path"), Some(&b"a\nb c"[..]));
        assert_eq!(said.value(b"x"), Some(&b"\0\x01"[..]));
        assert_eq!(said.number(b"y"), Some(Some(2)));
        pax.read(b"8 path=\n", "x").unwrap();
        assert_eq!(Said { own: &pax, global: &global }.value(b"path"), None);
    }

    #[test]
    fn damaged_records_are_refused() {
        for bytes in
            ["path=x\n", "99 path=x\n", "9 path=x ", "6 path\n", "5 =x\n", "0 a=b\n", "+9 pat=x\n"]
        {
            assert!(Pax::default().read(bytes.as_bytes(), "x").is_err(), "{bytes:?}");
        }
        let huge = "99999999999999999999999 a=b\n";
        assert!(Pax::default().read(huge.as_bytes(), "x").is_err());
    }

    #[test]
    fn times_have_fractions_and_signs() {
        let cases = [
            ("1.5", (1, 500_000_000)),
            ("7", (7, 0)),
            ("-1.25", (-2, 750_000_000)),
            ("-3", (-3, 0)),
            ("1.1234567891", (1, 123_456_789)),
        ];
        for (text, (seconds, nanos)) in cases {
            assert_eq!(time(text.as_bytes()), Some(Timestamp { seconds, nanos }), "{text}");
        }
        for text in ["", "x", "1.x", "--1", "9999999999999999999"] {
            assert!(time(text.as_bytes()).is_none(), "{text}");
        }
    }
}
