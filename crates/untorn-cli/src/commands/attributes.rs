//! `untorn getfattr` and `untorn setfattr`: extended attributes, as the tools of that name show and
//! take them.

use crate::arguments::{GetAttributes, SetAttribute};
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use untorn::attr::SetMode;
use untorn_format::attr::Namespace;

const SPACES: [(Namespace, &str); 3] = [
    (Namespace::User, "user."),
    (Namespace::Trusted, "trusted."),
    (Namespace::Security, "security."),
];

#[derive(Serialize)]
struct Attribute {
    path: String,
    name: String,
    /// Hexadecimal.
    value: String,
}

/// Shows the attributes of each path.
pub fn get(arguments: &GetAttributes, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut all = Vec::new();
    for path in &arguments.paths {
        let listed = volume.attributes(volume.lookup(path)?)?;
        for attribute in &listed {
            let prefix = SPACES.iter().find(|(space, _)| *space == attribute.namespace);
            let Some((_, prefix)) = prefix else { continue };
            let name = format!("{prefix}{}", show::printable(&attribute.name));
            if arguments.name.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            let value = attribute.value.iter().map(|byte| format!("{byte:02x}")).collect();
            all.push((Attribute { path: path.clone(), name, value }, attribute.value.clone()));
        }
    }
    if arguments.reading.json {
        let all: Vec<_> = all.iter().map(|(attribute, _)| attribute).collect();
        show::json(out, &all)?;
        return Ok(End::Well);
    }
    let mut last = "";
    for (Attribute { path, name, .. }, value) in &all {
        if path != last {
            writeln!(out, "# file: {path}")?;
            last = path;
        }
        writeln!(out, "{name}=\"{}\"", encode(value))?;
    }
    Ok(End::Well)
}

/// Sets or removes an attribute of each path.
pub fn set(arguments: &SetAttribute) -> Outcome {
    let typed = arguments.name.as_ref().or(arguments.remove.as_ref());
    let typed = typed.context("say which: -n NAME -v VALUE, or -x NAME")?;
    let split =
        SPACES.iter().find_map(|(space, prefix)| Some((*space, typed.strip_prefix(prefix)?)));
    let (space, name) =
        split.with_context(|| format!("{typed}: begins with user., trusted. or security."))?;
    let value = decode(arguments.value.as_deref().unwrap_or_default())?;
    target::write(&arguments.image, |volume| {
        arguments.paths.iter().try_for_each(|path| {
            let (ino, name) = (volume.lookup(path)?, (space, name.as_bytes()));
            let done = match arguments.remove {
                Some(_) => volume.remove_attribute(ino, name),
                None => volume.set_attribute(ino, name, &value, SetMode::Upsert),
            };
            Ok(done?)
        })
    })?;
    Ok(End::Well)
}

/// A value as setfattr takes it: text, in quotation marks with octal escapes, `0x` and hexadecimal
/// digits, or `0s` and base64.
fn decode(typed: &str) -> anyhow::Result<Vec<u8>> {
    let rest = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| typed.strip_prefix(prefix));
    if let Some(digits) = rest(["0x", "0X"]) {
        return hexadecimal(digits).with_context(|| format!("{typed}: not pairs of hex digits"));
    }
    if let Some(letters) = rest(["0s", "0S"]) {
        return base64(letters).with_context(|| format!("{typed}: not base64"));
    }
    match typed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => Ok(unquoted(quoted.as_bytes())),
        None => Ok(typed.as_bytes().to_vec()),
    }
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let digits: Vec<u32> = digits.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

fn base64(letters: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let trimmed = letters.trim_end_matches('=');
    if !letters.len().is_multiple_of(4) || letters.len() - trimmed.len() > 2 {
        return None;
    }
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in trimmed.bytes() {
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
            assert_eq!(decode(typed).unwrap(), expected, "{typed}");
        }
        for typed in ["0x123", "0xzz", "0sA", "0sQQ=", "0s====", "0sQR=="] {
            assert!(decode(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn what_is_shown_is_taken_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&format!("\"{}\"", encode(&all))).unwrap(), all);
        assert_eq!(encode(b"a\n\"\\\xff"), r#"a\012\"\\\377"#);
    }
}
