//! A block of the target of a symbolic link.

use crate::field::{Field, Form, Scope, To, dec, field, hex, nul};
use crate::kind::Type;

const MAGIC: usize = 0x5853_4c4d;
const HEADER: usize = 56;

/// A block of a symbolic link.
pub const SYMLINK: &[Field] = &[
    hex("magic", 0, 32),
    dec("offset", 4, 32),
    dec("bytes", 8, 32),
    field("crc", Form::Crc, 12 * 8),
    field("uuid", Form::Uuid, 16 * 8),
    nul("owner", 32, 64).to(To::Ino),
    nul("bno", 40, 64).to(To::DiskAddr(Type::Symlink)),
    hex("lsn", 48, 64),
    field("data", Form::Text, HEADER * 8).of(length),
];

fn is_symlink(scope: &Scope<'_>) -> bool {
    scope.word(0) == MAGIC
}
fn length(scope: &Scope<'_>) -> usize {
    let room = scope.bytes.len().saturating_sub(HEADER);
    if is_symlink(scope) { scope.word(8).min(room) } else { 0 }
}
