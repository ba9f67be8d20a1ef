//! Extended attributes as getfattr and setfattr have them: what names begin with, and values.

use crate::show;
use anyhow::Context;
use untorn::AclKind;
use untorn_format::attr::Namespace;
use untorn_image::attributes::{ACCESS, DEFAULT};

/// The namespaces that people see, and what names in them begin with.
pub const SPACES: [(Namespace, &str); 3] = [
    (Namespace::User, "user."),
    (Namespace::Trusted, "trusted."),
    (Namespace::Security, "security."),
];

/// Access lists, and what they are called.
pub const LISTS: [(AclKind, &[u8]); 2] = [(AclKind::Access, ACCESS), (AclKind::Default, DEFAULT)];

/// A value as setfattr takes it: text, in quotation marks with octal escapes, `0x` and hexadecimal
/// digits, or `0s` and base64.
pub fn decode(typed: &[u8]) -> anyhow::Result<Vec<u8>> {
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

/// Undoes the escapes of getfattr.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::value;

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
        let forms = [
            format!("\"{}\"", value::text(&all)),
            format!("0x{}", value::hexadecimal(&all)),
            format!("0s{}", value::base64(&all)),
        ];
        for form in forms {
            assert_eq!(decode(form.as_bytes()).unwrap(), all);
        }
    }
}
