//! Words, columns and JSON. Each function writes what it is given; nothing here asks a volume.

pub mod bmap;
pub mod filled;
pub mod info;
pub mod list;
pub mod mode;
pub mod stat;
pub mod time;

use serde::Serialize;
use std::io::Write;

/// One JSON document and the end of its line.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// A name without control characters, which could change what a terminal shows. Bytes that are no
/// UTF-8 become `\xNN`.
pub fn printable(name: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() {
                true => shown.extend(c.escape_default()),
                false => shown.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02x}")));
    }
    shown
}

/// The bytes of a name in hexadecimal where it is no UTF-8: JSON cannot say it otherwise.
pub fn name_bytes(name: &[u8]) -> Option<String> {
    let hex = || name.iter().map(|byte| format!("{byte:02x}")).collect();
    std::str::from_utf8(name).is_err().then(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_name_never_reach_the_terminal() {
        assert_eq!(printable("héllo".as_bytes()), "héllo");
        assert_eq!(printable(b"a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable(b"\xff\xfeok"), "\\xff\\xfeok");
        assert_eq!(name_bytes(b"ok"), None);
        assert_eq!(name_bytes(b"\xffk").as_deref(), Some("ff6b"));
    }
}
