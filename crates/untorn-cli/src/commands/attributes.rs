//! `untorn getfattr`: extended attributes, as the tool of that name shows them; and the forms of
//! values, which `untorn setfattr` takes.

use crate::arguments::{GetAttributes, VolumePath};
use crate::failure::{At, Code, End, Outcome, Refusal};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use untorn::Volume;
use untorn_format::attr::Namespace;

const SPACES: [(Namespace, &str); 3] = [
    (Namespace::User, "user."),
    (Namespace::Trusted, "trusted."),
    (Namespace::Security, "security."),
];

#[derive(Serialize)]
struct Attribute {
    #[serde(flatten)]
    path: VolumePath,
    name: String,
    /// In hexadecimal, where the name is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    /// Hexadecimal.
    value: String,
}

/// Shows the attributes of each path.
pub fn get(arguments: &GetAttributes, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut all = Vec::new();
    for path in &arguments.paths {
        let found = of(&volume, path, arguments)?;
        if show::is_json() {
            all.extend(found.iter().map(|(name, value)| Attribute {
                path: path.clone(),
                name: String::from_utf8_lossy(name).into_owned(),
                name_bytes: show::name_bytes(name),
                value: value.iter().map(|byte| format!("{byte:02x}")).collect(),
            }));
        } else if !found.is_empty() {
            writeln!(out, "# file: {path}")?;
            for (name, value) in found {
                writeln!(out, "{}=\"{}\"", show::printable(&name), encode(&value))?;
            }
        }
    }
    if show::is_json() {
        show::json(out, &all)?;
    }
    Ok(End::Well)
}

/// Names and values that were asked for.
fn of(
    volume: &Volume,
    path: &VolumePath,
    arguments: &GetAttributes,
) -> anyhow::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let listed = volume.lookup(path).and_then(|ino| volume.attributes(ino)).at(path)?;
    let named = listed.into_iter().filter_map(|attribute| {
        let (_, prefix) = SPACES.iter().find(|(space, _)| *space == attribute.namespace)?;
        Some(([prefix.as_bytes(), &attribute.name].concat(), attribute.value))
    });
    let wanted = arguments.name.as_ref().map(|name| name.as_bytes());
    let found: Vec<_> = named.filter(|(name, _)| wanted.is_none_or(|w| w == name)).collect();
    match (wanted, found.is_empty()) {
        (Some(wanted), true) => {
            let told = format!("{path}: {}: no such attribute", show::printable(wanted));
            Err(Refusal::new(Code::NoSuchAttribute, told).into())
        }
        _ => Ok(found),
    }
}

/// A value as setfattr takes it: text, in quotation marks with octal escapes, `0x` and hexadecimal
/// digits, or `0s` and base64.
pub(super) fn decode(typed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let rest = |prefixes: [&[u8]; 2]| prefixes.iter().find_map(|p| typed.strip_prefix(*p));
    let told = |what| format!("{}: not {what}", show::printable(typed));
    if let Some(digits) = rest([b"0x", b"0X"]) {
        return hexadecimal(digits).with_context(|| told("pairs of hex digits"));
    }
    if let Some(letters) = rest([b"0s", b"0S"]) {
        return base64(letters).with_context(|| told("base64"));
    }
    match typed.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(quoted) => Ok(unquoted(quoted)),
        None => Ok(typed.to_vec()),
    }
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let digits: Vec<u32> = digits.iter().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

fn base64(letters: &[u8]) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let end = letters.iter().rposition(|&letter| letter != b'=').map_or(0, |at| at + 1);
    let trimmed = letters.get(..end)?;
    if !letters.len().is_multiple_of(4) || letters.len() - trimmed.len() > 2 {
        return None;
    }
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in trimmed.iter().copied() {
        let value = LETTERS.iter().position(|&other| other == letter)?;
        held = held << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    (held == 0).then_some(bytes)
}

/// Undoes the escapes of [`encode`].
fn unquoted(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    loop {
        let octal = |digit: &u8| (b'0'..=b'7').contains(digit).then(|| u32::from(digit - b'0'));
        rest = match rest {
            [] => return bytes,
            [b'\\', a, b, c, after @ ..]
                if let (Some(a), Some(b), Some(c)) = (octal(a), octal(b), octal(c)) =>
            {
                bytes.push((a * 64 + b * 8 + c) as u8);
                after
            }
            [b'\\', byte, after @ ..] | [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
        };
    }
}

/// A value as getfattr shows text: quotation marks, backslashes and what cannot be shown escaped.
fn encode(value: &[u8]) -> String {
    let shown = value.iter().map(|&byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_setfattr_takes_them() {
        let cases: [(&str, &[u8]); 8] = [
            ("text", b"text"),
            ("0x4142ff", b"AB\xff"),
            ("0sAAEC", &[0, 1, 2]),
            ("0sQQ==", b"A"),
            ("0s", b""),
            (r#""a\000b\"c\\""#, b"a\0b\"c\\"),
            ("\"", b"\""),
            ("", b""),
        ];
        for (typed, expected) in cases {
            assert_eq!(decode(typed.as_bytes()).unwrap(), expected, "{typed}");
        }
        for typed in ["0x123", "0xzz", "0sA", "0sQQ=", "0s====", "0sQR=="] {
            assert!(decode(typed.as_bytes()).is_err(), "{typed}");
        }
    }

    #[test]
    fn what_is_shown_is_taken_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(format!("\"{}\"", encode(&all)).as_bytes()).unwrap(), all);
        assert_eq!(encode(b"a\n\"\\\xff"), r#"a\012\"\\\377"#);
    }
}
