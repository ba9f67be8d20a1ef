//! What directories and attributes share: the header of a block, the node of the hashed index.

use crate::field::{Field, Form, Scope, To, dec, field, hex, nul};
use crate::kind::Type;
use std::mem::offset_of;
use untorn_format::da::{BlockInfo, NodeHeader};

/// Where a block of the index keeps its magic.
const MAGIC: usize = offset_of!(BlockInfo, magic);
/// Bytes of the header of a node.
pub const NODE: usize = size_of::<NodeHeader>();

/// Whether the block's magic is this.
pub fn is(scope: &Scope<'_>, magic: usize) -> bool {
    scope.at(0, 0).half(MAGIC) == magic
}

/// Entries of a node.
pub fn entries(scope: &Scope<'_>) -> usize {
    if is(scope, 0x3ebe) { scope.half(offset_of!(NodeHeader, count)) } else { 0 }
}

macro_rules! info {
    ($info:ident, $links:ident, $to:expr) => {
        const $links: &[Field] = &[
            dec("forw", offset_of!(BlockInfo, forw), 32).to($to),
            dec("back", offset_of!(BlockInfo, back), 32).to($to),
            hex("magic", MAGIC, 16),
            hex("pad", offset_of!(BlockInfo, pad), 16).asked(),
        ];
        pub const $info: &[Field] = &[
            field("hdr", Form::Struct($links, 12), 0),
            field("crc", Form::Crc, offset_of!(BlockInfo, crc) * 8),
            nul("bno", offset_of!(BlockInfo, addr), 64).to(To::DiskAddr(Type::Data)),
            hex("lsn", offset_of!(BlockInfo, lsn), 64),
            field("uuid", Form::Uuid, offset_of!(BlockInfo, uuid) * 8),
            nul("owner", offset_of!(BlockInfo, owner), 64).to(To::Ino),
        ];
    };
}
info!(DIR_INFO, DIR_LINKS, To::DataBlock);
info!(ATTR_INFO, ATTR_LINKS, To::AttrBlock);

macro_rules! node {
    ($header:ident, $entry:ident, $info:expr, $to:expr) => {
        pub const $header: &[Field] = &[
            field("info", Form::Struct($info, size_of::<BlockInfo>()), 0),
            dec("count", offset_of!(NodeHeader, count), 16),
            dec("level", offset_of!(NodeHeader, level), 16),
        ];
        pub const $entry: &[Field] = &[hex("hashval", 0, 32), dec("before", 4, 32).to($to)];
    };
}
node!(DIR_NODE, DIR_ENTRY, DIR_INFO, To::DataBlock);
node!(ATTR_NODE, ATTR_ENTRY, ATTR_INFO, To::AttrBlock);
