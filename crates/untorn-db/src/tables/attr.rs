//! Attributes: short form, leaves, nodes, remote values.

use crate::field::{Field, Form, Scope, To, dec, field, flag, hex, nul};
use crate::kind::Type;
use crate::tables::da;

const LEAF: usize = 0x3bee;
const REMOTE: usize = 0x5841_524d;
/// Bytes of the header of a leaf.
const HEADER: usize = 80;
/// Bytes of the header of a remote value.
const REMOTE_HEADER: usize = 56;

/// A block of an attribute fork.
pub const ATTR3: &[Field] = &[
    field("hdr", Form::Struct(LEAF_HEADER, HEADER), 0).when(is_leaf),
    field("hdr", Form::Struct(da::ATTR_NODE, da::NODE), 0).when(|s| da::is(s, 0x3ebe)),
    field("hdr", Form::Struct(REMOTE_FIELDS, REMOTE_HEADER), 0).when(is_remote),
    field("data", Form::Text, REMOTE_HEADER * 8).of(value_length),
    field("entries", Form::Row(ENTRY, 8), HEADER * 8).list(count, 0),
    field("btree", Form::Row(da::ATTR_ENTRY, 8), da::NODE * 8).list(da::entries, 0),
    field("nvlist", Form::Struct(NAME, 0), 0).walk(names),
];

const LEAF_HEADER: &[Field] = &[
    field("info", Form::Struct(da::ATTR_INFO, 56), 0),
    dec("count", 56, 16),
    dec("usedbytes", 58, 16),
    dec("firstused", 60, 16),
    dec("holes", 62, 8),
    hex("pad1", 63, 8).asked(),
    field("freemap", Form::Row(FREE, 4), 64 * 8).times(3),
];
const FREE: &[Field] = &[dec("base", 0, 16), dec("size", 2, 16)];
const ENTRY: &[Field] = &[
    hex("hashval", 0, 32),
    dec("nameidx", 4, 16),
    hex("flags", 6, 8).asked(),
    flag("incomplete", 6, 8, 7),
    flag("root", 6, 8, 1),
    flag("secure", 6, 8, 2),
    flag("local", 6, 8, 0),
    flag("parent", 6, 8, 3).when(has_parents),
    hex("pad2", 7, 8).asked(),
];
/// The note of a name is the flags of its entry.
const NAME: &[Field] = &[
    dec("valuelen", 0, 16).when(is_local),
    dec("namelen", 2, 8).when(is_local),
    field("name", Form::Text, 3 * 8).of(|s| if is_local(s) { s.byte(2) } else { 0 }),
    field("value", Form::Text, 0).begins(|s| 3 + s.byte(2)).of(local_value),
    hex("valueblk", 0, 32).when(is_elsewhere).to(To::AttrBlock),
    dec("valuelen", 4, 32).when(is_elsewhere),
    dec("namelen", 8, 8).when(is_elsewhere),
    field("name", Form::Text, 9 * 8).of(|s| if is_local(s) { 0 } else { s.byte(8) }),
];
const REMOTE_FIELDS: &[Field] = &[
    hex("magic", 0, 32),
    dec("offset", 4, 32),
    dec("bytes", 8, 32),
    field("crc", Form::Crc, 12 * 8),
    field("uuid", Form::Uuid, 16 * 8),
    nul("owner", 32, 64).to(To::Ino),
    nul("bno", 40, 64).to(To::DiskAddr(Type::Attr3)),
    hex("lsn", 48, 64),
];

/// Attributes inside their inode.
pub const SHORT: &[Field] = &[
    field("hdr", Form::Struct(SHORT_HEADER, 0), 0),
    field("list", Form::Struct(SHORT_ENTRY, 0), 0).walk(short_entries),
];
const SHORT_HEADER: &[Field] = &[dec("totsize", 0, 16), dec("count", 2, 8)];
const SHORT_ENTRY: &[Field] = &[
    dec("namelen", 0, 8),
    dec("valuelen", 1, 8),
    hex("flags", 2, 8).asked(),
    flag("root", 2, 8, 1),
    flag("secure", 2, 8, 2),
    flag("parent", 2, 8, 3).when(has_parents),
    field("name", Form::Text, 3 * 8).of(|s| s.byte(0)),
    field("value", Form::Text, 0).begins(|s| 3 + s.byte(0)).of(|s| s.byte(1)),
];

fn short_entries(scope: &Scope<'_>) -> Vec<(usize, u32)> {
    let mut at = 4;
    let mut found = Vec::new();
    for _ in 0..scope.byte(2) {
        if scope.base + at >= scope.bytes.len() {
            break;
        }
        found.push((at, 0));
        at += 3 + scope.byte(at) + scope.byte(at + 1);
    }
    found
}

fn has_parents(scope: &Scope<'_>) -> bool {
    scope.shape.features.has_parent()
}
fn is_leaf(scope: &Scope<'_>) -> bool {
    da::is(scope, LEAF)
}
fn count(scope: &Scope<'_>) -> usize {
    if is_leaf(scope) { scope.half(56) } else { 0 }
}
fn names(scope: &Scope<'_>) -> Vec<(usize, u32)> {
    let entry = |index: usize| HEADER + index * 8;
    let inside = scope.bytes.len().saturating_sub(HEADER) / 8;
    let entries = (0..count(scope).min(inside)).map(entry);
    entries.map(|at| (scope.half(at + 4), scope.byte(at + 6) as u32)).collect()
}
fn is_local(scope: &Scope<'_>) -> bool {
    scope.note & 1 == 1
}
fn is_elsewhere(scope: &Scope<'_>) -> bool {
    !is_local(scope)
}
fn local_value(scope: &Scope<'_>) -> usize {
    if is_local(scope) { scope.half(0) } else { 0 }
}
fn is_remote(scope: &Scope<'_>) -> bool {
    scope.word(0) == REMOTE
}
fn value_length(scope: &Scope<'_>) -> usize {
    let room = scope.shape.geometry.block_size() - REMOTE_HEADER;
    if is_remote(scope) { scope.word(8).min(room) } else { 0 }
}
