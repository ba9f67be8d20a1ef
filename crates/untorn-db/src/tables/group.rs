//! The headers of an AG.

use crate::field::{Field, Form, Odd, Scope, To, dec, field, hex, nul, odd};
use crate::kind::Type;
use std::mem::offset_of;
use untorn_format::ag::{AgfDisk, AgflDisk, AgiDisk, UNLINKED_BUCKETS};

macro_rules! agf {
    ($field:ident) => {
        offset_of!(AgfDisk, $field)
    };
}
macro_rules! agi {
    ($field:ident) => {
        offset_of!(AgiDisk, $field)
    };
}
macro_rules! agfl {
    ($field:ident) => {
        offset_of!(AgflDisk, $field)
    };
}

/// Free space of an AG.
pub const AGF: &[Field] = &[
    hex("magicnum", agf!(magic), 32),
    dec("versionnum", agf!(version), 32),
    nul("seqno", agf!(seqno), 32),
    nul("length", agf!(length), 32),
    nul("bnoroot", agf!(bno_root), 32).to(To::AgBlock(Type::Bnobt)),
    nul("cntroot", agf!(cnt_root), 32).to(To::AgBlock(Type::Cntbt)),
    odd(dec("rmaproot", agf!(rmap_root), 32), Odd::NullSkipZero).to(To::AgBlock(Type::Rmapbt)),
    odd(dec("refcntroot", agf!(refcount_root), 32), Odd::NullSkipZero)
        .to(To::AgBlock(Type::Refcntbt)),
    dec("bnolevel", agf!(bno_level), 32),
    dec("cntlevel", agf!(cnt_level), 32),
    dec("rmaplevel", agf!(rmap_level), 32),
    dec("refcntlevel", agf!(refcount_level), 32),
    dec("rmapblocks", agf!(rmap_blocks), 32),
    dec("refcntblocks", agf!(refcount_blocks), 32),
    dec("flfirst", agf!(flfirst), 32),
    dec("fllast", agf!(fllast), 32),
    dec("flcount", agf!(flcount), 32),
    dec("freeblks", agf!(freeblks), 32),
    dec("longest", agf!(longest), 32),
    dec("btreeblks", agf!(btreeblks), 32),
    field("uuid", Form::Uuid, agf!(uuid) * 8),
    hex("lsn", agf!(lsn), 64),
    field("crc", Form::Crc, agf!(crc) * 8),
];

/// Inodes of an AG.
pub const AGI: &[Field] = &[
    hex("magicnum", agi!(magic), 32),
    dec("versionnum", agi!(version), 32),
    nul("seqno", agi!(seqno), 32),
    nul("length", agi!(length), 32),
    dec("count", agi!(count), 32),
    nul("root", agi!(root), 32).to(To::AgBlock(Type::Inobt)),
    dec("level", agi!(level), 32),
    dec("freecount", agi!(freecount), 32),
    nul("newino", agi!(newino), 32).to(To::AgIno),
    nul("dirino", agi!(dirino), 32).to(To::AgIno),
    odd(dec("unlinked", agi!(unlinked), 32), Odd::SkipNull).times(UNLINKED_BUCKETS).to(To::AgIno),
    field("uuid", Form::Uuid, agi!(uuid) * 8),
    field("crc", Form::Crc, agi!(crc) * 8),
    hex("lsn", agi!(lsn), 64),
    nul("free_root", agi!(free_root), 32).to(To::AgBlock(Type::Finobt)),
    dec("free_level", agi!(free_level), 32),
    dec("ino_blocks", agi!(iblocks), 32),
    dec("fino_blocks", agi!(fblocks), 32),
];

/// Free list of an AG.
pub const AGFL: &[Field] = &[
    hex("magicnum", agfl!(magic), 32),
    nul("seqno", agfl!(seqno), 32),
    field("uuid", Form::Uuid, agfl!(uuid) * 8),
    hex("lsn", agfl!(lsn), 64),
    field("crc", Form::Crc, agfl!(crc) * 8),
    nul("bno", size_of::<AgflDisk>(), 32).list(slots, 0).to(To::AgBlock(Type::Data)),
];

fn slots(scope: &Scope<'_>) -> usize {
    (scope.shape.geometry.sector_size() - size_of::<AgflDisk>()) / 4
}
