//! Names and values of attributes as getfattr shows them, so that setfattr can take them back.

/// Whether a value is told as text: at most one of eight bytes cannot be shown. A NUL at its end
/// does not count.
pub fn is_text(value: &[u8]) -> bool {
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    let odd = value.iter().filter(|byte| !matches!(byte, b' '..=b'~')).count();
    value.len() >= odd.saturating_mul(8)
}

/// A value as text: quotation marks, backslashes and what cannot be shown escaped.
pub fn text(value: &[u8]) -> String {
    let shown = value.iter().map(|&byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => octal(byte),
    });
    shown.collect()
}

/// A value in hexadecimal.
pub fn hexadecimal(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value in base64.
pub fn base64(value: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut shown = String::new();
    for three in value.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            shown.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    shown
}

/// A name: backslashes, control characters, what is no UTF-8 and `more` in octal.
pub fn name(name: &[u8], more: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            let escaped = c == '\\' || c.is_control() || more.iter().any(|&b| char::from(b) == c);
            match escaped {
                true => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| shown += &octal(b)),
                false => shown.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&byte| shown += &octal(byte));
    }
    shown
}

fn octal(byte: u8) -> String {
    format!("\\{byte:03o}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_those_of_getfattr() {
        assert_eq!(text(b"a\n\"\\\xff"), r#"a\012\"\\\377"#);
        assert_eq!(name(b"user.d\ne=\\f\"", b"="), r#"user.d\012e\075\134f""#);
        assert_eq!(name("a=é\u{85}".as_bytes(), b""), r"a=é\302\205");
        assert_eq!(name(b"\xff", b""), r"\377");
        let cases: [(&[u8], &str); 5] =
            [(b"", ""), (b"q", "cQ=="), (b"q\"", "cSI="), (b"q\"\\", "cSJc"), (&[0, 255], "AP8=")];
        for (value, shown) in cases {
            assert_eq!(base64(value), shown);
        }
        assert!(is_text(b"abcdefgh\0ijklmnop") && is_text(b"a\0") && is_text(b""));
        assert!(!is_text(b"x\xc3\xa9yzqwertyuiop") && !is_text(b"\0\xff"));
    }
}
