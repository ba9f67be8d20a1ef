//! One value: as xfs_db writes it, and as JSON.

use crate::field::{Field, Form, Number, Odd, Scope, Style};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value as Json, json};
use std::fmt::Write;
use std::mem::offset_of;
use untorn_format::dquot::DquotDisk;
use untorn_format::inode::DinodeDisk;
use untorn_format::{checksum, inode};

/// A value in both forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// As xfs_db writes it.
    pub text: String,
    /// As JSON.
    pub json: Json,
}

impl Value {
    fn new(text: impl Into<String>, json: impl Into<Json>) -> Self {
        Self { text: text.into(), json: json.into() }
    }
    fn words(text: String) -> Self {
        Self { json: text.clone().into(), text }
    }
    fn missing() -> Self {
        Self::new("(past the end)", Json::Null)
    }
}

/// The value of `field` whose first bit is `at`; `None` where it is left out.
pub fn value(field: &Field, scope: &Scope<'_>, at: usize) -> Option<Value> {
    if let Form::Number(number) = field.form {
        return match scope.bits(at, number.bits) {
            Some(found) => numeric(number, found),
            None => Some(Value::missing()),
        };
    }
    Some(special(field.form, scope, at).unwrap_or_else(Value::missing))
}

fn numeric(number: Number, found: u64) -> Option<Value> {
    let is_null = found == u64::MAX >> (64 - number.bits);
    match number.odd {
        Odd::SkipNull if is_null => None,
        Odd::SkipZero | Odd::NullSkipZero if found == 0 => None,
        Odd::Null | Odd::NullSkipZero if is_null => Some(Value::new("null", Json::Null)),
        _ => Some(plain(number, found)),
    }
}

fn plain(number: Number, found: u64) -> Value {
    match number.style {
        Style::Decimal => Value::new(found.to_string(), found),
        Style::Signed => signed(found << (64 - number.bits), 64 - number.bits),
        Style::Hex if found == 0 => Value::new("0", 0),
        Style::Hex => Value::new(format!("{found:#x}"), found),
        Style::Octal if found == 0 => Value::new("0", 0),
        Style::Octal => Value::new(format!("0{found:o}"), found),
    }
}

fn signed(shifted: u64, spare: u32) -> Value {
    let value = shifted.cast_signed() >> spare;
    Value::new(value.to_string(), value)
}

fn special(form: Form, scope: &Scope<'_>, at: usize) -> Option<Value> {
    match form {
        Form::Uuid => uuid(scope, at),
        Form::Crc => crc(scope, at),
        Form::ForkFormat => scope.bits(at, 8).map(fork_format),
        Form::Seconds => stamp(scope, at).map(|(seconds, _)| time(seconds)),
        Form::Nanoseconds => {
            stamp(scope, at).map(|(_, nanos)| Value::new(nanos.to_string(), nanos))
        }
        Form::Timer => timer(scope, at),
        Form::Number(_) | Form::Text | Form::Struct(..) | Form::Union(_) | Form::Row(..) => None,
    }
}

fn uuid(scope: &Scope<'_>, at: usize) -> Option<Value> {
    let bytes = scope.bytes.get(at / 8..at / 8 + 16)?;
    let uuid = uuid::Uuid::from_slice(bytes).ok()?;
    Some(Value::words(uuid.hyphenated().to_string()))
}

/// The checksum, in the order of its bytes, and whether it is that of the place.
fn crc(scope: &Scope<'_>, at: usize) -> Option<Value> {
    let word = scope.bits(at, 32)?;
    let right = checksum::check("", scope.bytes, at / 8).is_ok();
    let verdict = if right { "correct" } else { "bad" };
    let text = if word == 0 { format!("0 ({verdict})") } else { format!("{word:#x} ({verdict})") };
    Some(Value::new(text, json!({ "value": word, "state": verdict })))
}

fn fork_format(found: u64) -> Value {
    let names = ["dev", "local", "extents", "btree", "uuid", "rmap", "meta-btree"];
    let known = usize::try_from(found).ok().filter(|&n| n < 5).and_then(|n| names.get(n));
    let text = known.map_or(found.to_string(), |name| format!("{found} ({name})"));
    Value::new(text, found)
}

/// Seconds and nanoseconds of a time of the inode that begins the place.
fn stamp(scope: &Scope<'_>, at: usize) -> Option<(i64, u32)> {
    let word = scope.bits(at, 64)?;
    let flags = scope.at(0, 0).long(offset_of!(DinodeDisk, flags2));
    if scope.shape.version == 5 && flags >> 3 & 1 == 1 {
        let stamp = inode::Timestamp::decode(word, inode::TimeEncoding::Bigtime);
        return Some((stamp.seconds, stamp.nanos));
    }
    Some((i64::from((word >> 32) as i32), word as u32))
}

/// A time as `ctime` writes it, in the reader's zone.
fn time(seconds: i64) -> Value {
    let local = Timestamp::from_second(seconds).map(|time| time.to_zoned(TimeZone::system()));
    let text = local.map(|time| time.strftime("%a %b %e %H:%M:%S %Y").to_string());
    Value::new(text.unwrap_or_else(|_| seconds.to_string()), seconds)
}

fn timer(scope: &Scope<'_>, at: usize) -> Option<Value> {
    let word = scope.bits(at, 32)? as i64;
    let quota = scope.at(0, 0);
    let is_big = quota.byte(offset_of!(DquotDisk, kind)) & 0x80 != 0;
    let seconds = if is_big { word << 2 } else { word };
    let is_plain = seconds == 0 || quota.word(offset_of!(DquotDisk, id)) == 0;
    Some(if is_plain { Value::new(seconds.to_string(), seconds) } else { time(seconds) })
}

/// Characters in quotes, those that are none as escapes.
pub fn text(bytes: &[u8]) -> Value {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    bytes.iter().for_each(|&byte| escape(byte, &mut out));
    out.push('"');
    Value::new(out, String::from_utf8_lossy(bytes))
}

fn escape(byte: u8, out: &mut String) {
    match byte {
        b'\\' | b'\'' | b'"' | b'?' => out.extend(['\\', char::from(byte)]),
        b' '..=b'~' => out.push(char::from(byte)),
        // The letter as far behind `a` as the byte is behind the bell, as xfs_db has it.
        7..=13 => out.extend(['\\', char::from(byte - 7 + b'a')]),
        _ => {
            let _ = write!(out, "\\{byte:03o}");
        }
    }
}
