//! Names in quotation marks that a shell takes back.

/// A name as `stat -c %N` shows it: in single quotation marks, or in double ones where a single
/// one is the worst that is in it; what cannot be shown behind a `$`.
pub fn quoted(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if text.contains('\'') && is_tame(text) => format!("\"{text}\""),
        _ => single(name),
    }
}

/// Whether nothing in it asks for other marks than double ones.
fn is_tame(text: &str) -> bool {
    let behind = text.strip_prefix(['#', '~']).unwrap_or(text);
    behind.chars().all(|c| c.is_alphanumeric() || "'_-+,./:%@] ".contains(c))
}

fn single(name: &[u8]) -> String {
    let mut shown = Shown { text: "'".to_owned(), escaping: false };
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' => shown.mark(),
                c if c.is_control() => shown.escaped(c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => shown.plain(c),
            }
        }
        shown.escaped(chunk.invalid());
    }
    shown.text + "'"
}

struct Shown {
    text: String,
    /// Whether the marks that are open have a `$` before them.
    escaping: bool,
}

impl Shown {
    fn mark(&mut self) {
        self.text += "'\\''";
        self.escaping = false;
    }

    fn plain(&mut self, c: char) {
        if std::mem::take(&mut self.escaping) {
            self.text += "''";
        }
        self.text.push(c);
    }

    fn escaped(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !std::mem::replace(&mut self.escaping, true) {
                self.text += "'$'";
            }
            match byte {
                7 => self.text += "\\a",
                8 => self.text += "\\b",
                b'\t' => self.text += "\\t",
                b'\n' => self.text += "\\n",
                11 => self.text += "\\v",
                12 => self.text += "\\f",
                b'\r' => self.text += "\\r",
                other => self.text += &format!("\\{other:03o}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn names_are_quoted_as_stat_quotes_them() {
        let cases: [(&[u8], &str); 12] = [
            (b"d", "'d'"),
            (b"it's", "\"it's\""),
            (b"it's$x", r"'it'\''s$x'"),
            (b"a\"b", "'a\"b'"),
            (b"a'b\nc", r"'a'\''b'$'\n''c'"),
            (b"a\n'b", r"'a'$'\n'\''b'"),
            (b"\na", r"''$'\n''a'"),
            (b"a\n\nb", r"'a'$'\n\n''b'"),
            (b"\x01", r"''$'\001'"),
            (b"~'", "\"~'\""),
            ("h\u{e9}".as_bytes(), "'h\u{e9}'"),
            (b"x\xff", r"'x'$'\377'"),
        ];
        for (name, shown) in cases {
            assert_eq!(quoted(name), shown, "{name:?}");
        }
    }
}
