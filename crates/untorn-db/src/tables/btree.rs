//! Blocks of the eight btrees: one header for short pointers, one for long ones, and what each
//! tree keeps in records and keys.

use crate::field::{Field, Form, Scope, Style, To, bits, dec, field, hex, nul};
use crate::kind::Type;
use std::mem::offset_of;
use untorn_format::btree::{BtreeKind, LongHeader, ShortHeader};

const LEVEL: usize = offset_of!(ShortHeader, level);
const NUMRECS: usize = offset_of!(ShortHeader, numrecs);

/// Records of a leaf; none in a node.
fn records(scope: &Scope<'_>) -> usize {
    if scope.half(LEVEL) == 0 { scope.half(NUMRECS) } else { 0 }
}

/// Entries of a node; none in a leaf.
fn entries(scope: &Scope<'_>) -> usize {
    if scope.half(LEVEL) == 0 { 0 } else { scope.half(NUMRECS) }
}

const fn array(name: &'static str, row: &'static [Field], size: usize) -> Field {
    field(name, Form::Row(row, size), 0)
}

macro_rules! place {
    ($name:ident, $kind:ident, $offset:ident) => {
        fn $name(_: &Scope<'_>, index: usize) -> usize {
            BtreeKind::$kind.$offset(index)
        }
    };
}

/// The table of a tree in an AG.
macro_rules! short {
    ($table:ident, $kind:ident, $rec:expr, $rec_size:expr, $key:expr, $key_size:expr) => {
        pub const $table: &[Field] = {
            const TYPE: Type = Type::of_tree(BtreeKind::$kind);
            place!(record, $kind, record_offset);
            fn key(_: &Scope<'_>, index: usize) -> usize {
                BtreeKind::$kind.record_offset(0) + index * $key_size
            }
            fn pointer(scope: &Scope<'_>, index: usize) -> usize {
                BtreeKind::$kind.pointer_offset(scope.shape.geometry.block_size(), index)
            }
            &[
                hex("magic", offset_of!(ShortHeader, magic), 32),
                dec("level", LEVEL, 16),
                dec("numrecs", NUMRECS, 16),
                nul("leftsib", offset_of!(ShortHeader, leftsib), 32).to(To::AgBlock(TYPE)),
                nul("rightsib", offset_of!(ShortHeader, rightsib), 32).to(To::AgBlock(TYPE)),
                nul("bno", offset_of!(ShortHeader, blkno), 64).to(To::DiskAddr(TYPE)),
                hex("lsn", offset_of!(ShortHeader, lsn), 64),
                field("uuid", Form::Uuid, offset_of!(ShortHeader, uuid) * 8),
                nul("owner", offset_of!(ShortHeader, owner), 32),
                field("crc", Form::Crc, offset_of!(ShortHeader, crc) * 8),
                array("recs", $rec, $rec_size).each(record).list(records, 1),
                array("keys", $key, $key_size).each(key).list(entries, 1),
                dec("ptrs", 0, 32).each(pointer).list(entries, 1).to(To::AgBlock(TYPE)),
            ]
        };
    };
}

/// The table of a tree in an inode.
macro_rules! long {
    ($table:ident, $type:expr, $rec:expr, $key:expr) => {
        pub const $table: &[Field] = {
            place!(record, Bmbt, record_offset);
            place!(key, Bmbt, key_offset);
            fn pointer(scope: &Scope<'_>, index: usize) -> usize {
                BtreeKind::Bmbt.pointer_offset(scope.shape.geometry.block_size(), index)
            }
            &[
                hex("magic", offset_of!(LongHeader, magic), 32),
                dec("level", LEVEL, 16),
                dec("numrecs", NUMRECS, 16),
                nul("leftsib", offset_of!(LongHeader, leftsib), 64).to(To::FsBlock($type)),
                nul("rightsib", offset_of!(LongHeader, rightsib), 64).to(To::FsBlock($type)),
                nul("bno", offset_of!(LongHeader, blkno), 64).to(To::DiskAddr($type)),
                hex("lsn", offset_of!(LongHeader, lsn), 64),
                field("uuid", Form::Uuid, offset_of!(LongHeader, uuid) * 8),
                nul("owner", offset_of!(LongHeader, owner), 64).to(To::Ino),
                field("crc", Form::Crc, offset_of!(LongHeader, crc) * 8),
                array("recs", $rec, 16).each(record).list(records, 1),
                array("keys", $key, 8).each(key).list(entries, 1),
                dec("ptrs", 0, 64).each(pointer).list(entries, 1).to(To::FsBlock($type)),
            ]
        };
    };
}

const START: Field = nul("startblock", 0, 32).to(To::AgBlock(Type::Data));
const ALLOC: &[Field] = &[START, dec("blockcount", 4, 32)];
const BY_LENGTH: &[Field] = &[dec("blockcount", 4, 32), START];

short!(BNOBT, Bnobt, ALLOC, 8, ALLOC, 8);
short!(CNTBT, Cntbt, ALLOC, 8, BY_LENGTH, 8);

const CHUNK: Field = nul("startino", 0, 32).to(To::AgIno);
const FREE: Field = hex("free", 8, 64);
const INODES: &[Field] = &[
    CHUNK,
    hex("holemask", 4, 16).when(is_sparse),
    dec("count", 6, 8).when(is_sparse),
    dec("freecount", 7, 8).when(is_sparse),
    bits("freecount", 32, 32, Style::Signed).when(is_full),
    FREE,
];

fn is_sparse(scope: &Scope<'_>) -> bool {
    scope.shape.features.has_sparse_inodes()
}
fn is_full(scope: &Scope<'_>) -> bool {
    !is_sparse(scope)
}

short!(INOBT, Inobt, INODES, 16, &[CHUNK], 4);
short!(FINOBT, Finobt, INODES, 16, &[CHUNK], 4);

/// The second key of a node's entry is the highest below it, 20 bytes on.
const RMAP_KEY: &[Field] = &[
    START,
    bits("owner", 32, 64, Style::Signed),
    bits("offset", 106, 54, Style::Decimal),
    bits("attrfork", 96, 1, Style::Decimal),
    bits("bmbtblock", 97, 1, Style::Decimal),
    nul("startblock_hi", 20, 32).to(To::AgBlock(Type::Data)),
    bits("owner_hi", 192, 64, Style::Signed),
    bits("offset_hi", 266, 54, Style::Decimal),
    bits("attrfork_hi", 256, 1, Style::Decimal),
    bits("bmbtblock_hi", 257, 1, Style::Decimal),
];
const RMAP: &[Field] = &[
    START,
    dec("blockcount", 4, 32),
    bits("owner", 64, 64, Style::Signed),
    bits("offset", 138, 54, Style::Decimal),
    bits("extentflag", 130, 1, Style::Decimal),
    bits("attrfork", 128, 1, Style::Decimal),
    bits("bmbtblock", 129, 1, Style::Decimal),
];
short!(RMAPBT, Rmapbt, RMAP, 24, RMAP_KEY, 40);

const COUNTED: Field = bits("startblock", 1, 31, Style::Decimal).to(To::AgBlock(Type::Data));
const COW: Field = bits("cowflag", 0, 1, Style::Decimal);
const REFCOUNT: &[Field] = &[COUNTED, dec("blockcount", 4, 32), dec("refcount", 8, 32), COW];
short!(REFCNTBT, Refcountbt, REFCOUNT, 12, &[COUNTED, COW], 4);

/// An extent of a data fork.
pub const EXTENT: &[Field] = &[
    bits("startoff", 1, 54, Style::Decimal).to(To::DataBlock),
    bits("startblock", 55, 52, Style::Decimal).to(To::Data),
    bits("blockcount", 107, 21, Style::Decimal),
    bits("extentflag", 0, 1, Style::Decimal),
];
/// An extent of an attribute fork.
pub const ATTR_EXTENT: &[Field] = &[
    bits("startoff", 1, 54, Style::Decimal).to(To::AttrBlock),
    bits("startblock", 55, 52, Style::Decimal).to(To::FsBlock(Type::Attr3)),
    bits("blockcount", 107, 21, Style::Decimal),
    bits("extentflag", 0, 1, Style::Decimal),
];
/// A key of the tree of a data fork.
pub const EXTENT_KEY: &[Field] = &[dec("startoff", 0, 64).to(To::DataBlock)];
/// A key of the tree of an attribute fork.
pub const ATTR_EXTENT_KEY: &[Field] = &[dec("startoff", 0, 64).to(To::AttrBlock)];
long!(BMAPBTD, Type::Bmapbtd, EXTENT, EXTENT_KEY);
long!(BMAPBTA, Type::Bmapbta, ATTR_EXTENT, ATTR_EXTENT_KEY);
