//! Directories: short form, block form, data, leaves, node, free index.

use crate::field::{Field, Form, Odd, Scope, To, dec, field, hex, nul, odd};
use crate::kind::Type;
use crate::tables::da;

const BLOCK: u32 = 0x5844_4233;
const DATA: u32 = 0x5844_4433;
const FREE: u32 = 0x5844_4633;
const LEAF_1: usize = 0x3df1;
const LEAF_N: usize = 0x3dff;
/// Bytes of the header of data blocks, leaves and free blocks.
const HEADER: usize = 64;

/// A block of a directory.
pub const DIR3: &[Field] = &[
    field("bhdr", Form::Struct(DATA_HEADER, HEADER), 0).when(|s| is(s, BLOCK)),
    field("bu", Form::Struct(SLOT, 0), 0).walk(|s| slots(s, BLOCK, block_leaves(s))),
    field("bleaf", Form::Struct(LEAF_ENTRY, 8), 0).each(block_leaf).list(block_count, 0),
    field("btail", Form::Struct(BLOCK_TAIL, 8), 0).begins(|s| end(s, 8)).when(|s| is(s, BLOCK)),
    field("dhdr", Form::Struct(DATA_HEADER, HEADER), 0).when(|s| is(s, DATA)),
    field("du", Form::Struct(SLOT, 0), 0).walk(|s| slots(s, DATA, s.bytes.len())),
    field("lhdr", Form::Struct(LEAF_HEADER, HEADER), 0).when(is_leaf),
    hex("lbests", 0, 16).each(best).list(bests, 0),
    field("lents", Form::Struct(LEAF_ENTRY, 8), HEADER * 8).list(leaf_count, 0),
    field("ltail", Form::Struct(LEAF_TAIL, 4), 0).begins(|s| end(s, 4)).when(|s| da::is(s, LEAF_1)),
    field("nhdr", Form::Struct(da::DIR_NODE, da::NODE), 0).when(|s| da::is(s, 0x3ebe)),
    field("nbtree", Form::Row(da::DIR_ENTRY, 8), da::NODE * 8).list(da::entries, 0),
    field("fhdr", Form::Struct(FREE_HEADER, HEADER), 0).when(|s| is(s, FREE)),
    odd(hex("fbests", HEADER, 16), Odd::SkipZero).list(free_count, 0),
];

const BLOCK_HEADER: &[Field] = &[
    hex("magic", 0, 32),
    field("crc", Form::Crc, 4 * 8),
    nul("bno", 8, 64).to(To::DiskAddr(Type::Dir3)),
    hex("lsn", 16, 64),
    field("uuid", Form::Uuid, 24 * 8),
    nul("owner", 40, 64).to(To::Ino),
];
const BEST: &[Field] = &[hex("offset", 0, 16), hex("length", 2, 16)];
const DATA_HEADER: &[Field] = &[
    field("hdr", Form::Struct(BLOCK_HEADER, 48), 0),
    field("bestfree", Form::Struct(BEST, 4), 48 * 8).times(3),
];
const FREE_HEADER: &[Field] = &[
    field("hdr", Form::Struct(BLOCK_HEADER, 48), 0),
    dec("firstdb", 48, 32),
    dec("nvalid", 52, 32),
    dec("nused", 56, 32),
];
const LEAF_HEADER: &[Field] =
    &[field("info", Form::Struct(da::DIR_INFO, 56), 0), dec("count", 56, 16), dec("stale", 58, 16)];
const LEAF_ENTRY: &[Field] = &[hex("hashval", 0, 32), hex("address", 4, 32)];
const BLOCK_TAIL: &[Field] = &[dec("count", 0, 32), dec("stale", 4, 32)];
const LEAF_TAIL: &[Field] = &[dec("bestcount", 0, 32)];

/// What lies in a data block: an entry, or space. The note of a slot is its size.
const SLOT: &[Field] = &[
    hex("freetag", 0, 16).when(is_free),
    nul("inumber", 0, 64).when(is_entry).to(To::Ino),
    hex("length", 2, 16).when(is_free),
    dec("namelen", 8, 8).when(is_entry),
    field("name", Form::Text, 9 * 8).of(name_length),
    dec("filetype", 0, 8).begins(file_type),
    hex("tag", 0, 16).begins(tag),
];

/// A directory inside its inode.
pub const SHORT: &[Field] = &[
    field("hdr", Form::Struct(SHORT_HEADER, 0), 0),
    field("list", Form::Struct(SHORT_ENTRY, 0), 0).walk(short_entries),
];
const SHORT_HEADER: &[Field] =
    &[dec("count", 0, 8), dec("i8count", 1, 8), field("parent", Form::Struct(SHORT_INO, 0), 2 * 8)];
/// The note of an entry is how wide its inode number is.
const SHORT_ENTRY: &[Field] = &[
    dec("namelen", 0, 8),
    hex("offset", 1, 16),
    field("name", Form::Text, 3 * 8).of(|s| s.byte(0)),
    field("inumber", Form::Struct(SHORT_INO, 0), 0).begins(|s| 3 + s.byte(0) + 1),
    dec("filetype", 0, 8).begins(|s| 3 + s.byte(0)),
];
const SHORT_INO: &[Field] = &[
    dec("i8", 0, 64).when(has_wide_inos).to(To::Ino),
    dec("i4", 0, 32).when(|s| !has_wide_inos(s)).to(To::Ino),
];

/// Where the short form begins: behind the core, at the start of the data fork.
fn has_wide_inos(scope: &Scope<'_>) -> bool {
    scope.at(untorn_format::inode::CORE_SIZE, 0).byte(1) > 0
}

fn short_entries(scope: &Scope<'_>) -> Vec<(usize, u32)> {
    let wide = if scope.byte(1) > 0 { 8 } else { 4 };
    let mut at = 2 + wide;
    let mut found = Vec::new();
    for _ in 0..scope.byte(0) {
        if scope.base + at >= scope.bytes.len() {
            break;
        }
        found.push((at, wide as u32));
        at += 3 + scope.byte(at) + 1 + wide;
    }
    found
}

fn is(scope: &Scope<'_>, magic: u32) -> bool {
    scope.at(0, 0).word(0) == magic as usize
}
fn is_leaf(scope: &Scope<'_>) -> bool {
    da::is(scope, LEAF_1) || da::is(scope, LEAF_N)
}
/// Where the last `size` bytes of the block begin.
fn end(scope: &Scope<'_>, size: usize) -> usize {
    scope.bytes.len().saturating_sub(size)
}
fn block_count(scope: &Scope<'_>) -> usize {
    if is(scope, BLOCK) { scope.word(end(scope, 8)) } else { 0 }
}
/// Where the entries of the index of a block form begin.
fn block_leaves(scope: &Scope<'_>) -> usize {
    end(scope, 8).saturating_sub(block_count(scope).saturating_mul(8))
}
fn block_leaf(scope: &Scope<'_>, index: usize) -> usize {
    block_leaves(scope).saturating_add(index * 8)
}
fn leaf_count(scope: &Scope<'_>) -> usize {
    if is_leaf(scope) { scope.half(56) } else { 0 }
}
fn bests(scope: &Scope<'_>) -> usize {
    if da::is(scope, LEAF_1) { scope.word(end(scope, 4)) } else { 0 }
}
fn best(scope: &Scope<'_>, index: usize) -> usize {
    end(scope, 4).saturating_sub(bests(scope).saturating_mul(2)).saturating_add(index * 2)
}
fn free_count(scope: &Scope<'_>) -> usize {
    if is(scope, FREE) { scope.word(52) } else { 0 }
}

/// Slots of a block with this magic, up to byte `end`. A slot of no size ends the walk.
fn slots(scope: &Scope<'_>, magic: u32, end: usize) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    let mut at = HEADER;
    while is(scope, magic) && at < end {
        let slot = scope.at(scope.base + at, 0);
        let size = if is_free(&slot) { slot.half(2) } else { entry_size(&slot) };
        found.push((at, size as u32));
        if size < 8 {
            break;
        }
        at += size;
    }
    found
}
fn is_free(scope: &Scope<'_>) -> bool {
    scope.half(0) == 0xffff
}
fn is_entry(scope: &Scope<'_>) -> bool {
    !is_free(scope)
}
fn name_length(scope: &Scope<'_>) -> usize {
    if is_entry(scope) { scope.byte(8) } else { 0 }
}
/// Number, length, name, type, tag; whole units of eight bytes.
fn entry_size(scope: &Scope<'_>) -> usize {
    (9 + scope.byte(8) + 1 + 2).next_multiple_of(8)
}
/// Where an entry keeps its type. Of free space xfs_db shows the first byte of the tag as such.
fn file_type(scope: &Scope<'_>) -> usize {
    if is_free(scope) { tag(scope) } else { 9 + scope.byte(8) }
}
fn tag(scope: &Scope<'_>) -> usize {
    (scope.note as usize).saturating_sub(2)
}

/// A name in a directory.
pub struct Name {
    /// The name itself.
    pub bytes: Vec<u8>,
    /// What it names.
    pub ino: u64,
    /// Kind of file.
    pub file_type: usize,
    /// Byte of its directory block.
    pub at: usize,
}

/// Names in a data block, or in one of block form.
pub fn data_names(scope: &Scope<'_>) -> Vec<Name> {
    let mut slots = slots(scope, DATA, scope.bytes.len());
    slots.extend(self::slots(scope, BLOCK, block_leaves(scope)));
    let entries = slots.into_iter().map(|(at, _)| (at, scope.at(at, 0)));
    let name = |(at, entry): (usize, Scope<'_>)| Name {
        bytes: run(&entry, 9, entry.byte(8)),
        ino: entry.long(0),
        file_type: entry.byte(9 + entry.byte(8)),
        at,
    };
    entries.filter(|(_, entry)| is_entry(entry)).map(name).collect()
}

/// The parent of a directory inside its inode.
pub fn short_parent(inode: &Scope<'_>) -> u64 {
    wide_or_narrow(inode, untorn_format::inode::CORE_SIZE + 2)
}

/// Names of a directory inside its inode.
pub fn short_names(inode: &Scope<'_>) -> Vec<Name> {
    let fork = inode.at(untorn_format::inode::CORE_SIZE, 0);
    let name = |(at, _): (usize, u32)| {
        let entry = fork.at(fork.base + at, 0);
        let length = entry.byte(0);
        Name {
            bytes: run(&entry, 3, length),
            ino: wide_or_narrow(&entry, 3 + length + 1),
            file_type: entry.byte(3 + length),
            at: entry.half(1),
        }
    };
    short_entries(&fork).into_iter().map(name).collect()
}

fn wide_or_narrow(scope: &Scope<'_>, at: usize) -> u64 {
    if has_wide_inos(scope) { scope.long(at) } else { scope.word(at) as u64 }
}

fn run(scope: &Scope<'_>, from: usize, length: usize) -> Vec<u8> {
    let from = scope.base + from;
    let end = (from + length).min(scope.bytes.len());
    scope.bytes.get(from..end).unwrap_or_default().to_vec()
}
