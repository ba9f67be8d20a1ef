//! Bytes as they are: in words, or with their characters beside them.

use std::fmt::Write;

/// Lines of eight words of four bytes.
pub fn words(bytes: &[u8]) -> String {
    let width = width(bytes);
    let mut out = String::new();
    for (nth, line) in bytes.chunks(32).enumerate() {
        let _ = write!(out, "{:0width$x}:", nth * 32);
        let (words, rest) = line.as_chunks::<4>();
        for word in words {
            let _ = write!(out, " {:08x}", u32::from_be_bytes(*word));
        }
        for (nth, byte) in rest.iter().enumerate() {
            let space = if nth == 0 { " " } else { "" };
            let _ = write!(out, "{space}{byte:02x}");
        }
        out.push('\n');
    }
    out
}

/// Lines of sixteen bytes and their characters.
pub fn characters(bytes: &[u8]) -> String {
    let width = width(bytes);
    let mut out = String::new();
    for (nth, line) in bytes.chunks(16).enumerate() {
        let hex: String = line.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown = |&byte: &u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '.' };
        let text: String = line.iter().map(shown).collect();
        let _ = writeln!(out, "{:0width$x}: {hex:<48}  {text}", nth * 16);
    }
    out
}

/// Digits of the largest offset, three at least.
fn width(bytes: &[u8]) -> usize {
    format!("{:x}", bytes.len().saturating_sub(1)).len().max(if bytes.len() > 256 { 3 } else { 2 })
}
