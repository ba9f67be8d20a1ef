//! Words, columns and JSON. Each function writes what it is given; nothing here asks a volume.

pub mod amount;
pub mod bmap;
mod deeds;
pub mod filled;
pub mod format;
pub mod info;
mod items;
mod lines;
pub mod list;
pub mod mode;
mod quoted;
pub mod stat;
pub mod time;
pub mod value;

pub use deeds::Deeds;
pub use items::Items;
pub use lines::Ends;

use serde::Serialize;
use std::io::Write;
use std::sync::OnceLock;

/// Whether programs read what is said; asked once, when the command begins.
static JSON: OnceLock<bool> = OnceLock::new();

/// From now on programs read what is said, or people.
pub fn ask(is_json: bool) {
    let _ = JSON.set(is_json);
}

/// Whether `--json` was among the arguments.
pub fn is_json() -> bool {
    JSON.get().copied().unwrap_or(false)
}

/// One JSON document and the end of its line.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// A name without control characters, which could change what a terminal shows. Bytes that are no
/// UTF-8 become `\xNN`, a backslash becomes two: no two names look alike.
pub fn printable(name: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() || c == '\\' {
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
        assert_eq!(printable(b"\\xff\\n"), "\\\\xff\\\\n");
        assert_eq!(name_bytes(b"ok"), None);
        assert_eq!(name_bytes(b"\xffk").as_deref(), Some("ff6b"));
    }
}
