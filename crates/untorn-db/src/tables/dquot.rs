//! What a quota block keeps of one owner.

use crate::field::{Field, Form, Style, bits, dec, field, hex};
use std::mem::offset_of;
use untorn_format::dquot::DquotDisk;

macro_rules! at {
    ($field:ident) => {
        offset_of!(DquotDisk, $field)
    };
}

/// Quota of an owner.
pub const DQBLK: &[Field] = &[
    field("diskdq", Form::Struct(DISK, at!(fill)), 0),
    field("fill", Form::Text, at!(fill) * 8).of(|_| 4).asked(),
    field("crc", Form::Crc, at!(crc) * 8),
    hex("lsn", at!(lsn), 64),
    field("uuid", Form::Uuid, at!(uuid) * 8),
];

const DISK: &[Field] = &[
    hex("magic", at!(magic), 16),
    hex("version", at!(version), 8),
    hex("type", at!(kind), 8),
    bits("id", at!(id) * 8, 32, Style::Signed),
    dec("blk_hardlimit", at!(blk_hardlimit), 64),
    dec("blk_softlimit", at!(blk_softlimit), 64),
    dec("ino_hardlimit", at!(ino_hardlimit), 64),
    dec("ino_softlimit", at!(ino_softlimit), 64),
    dec("bcount", at!(bcount), 64),
    dec("icount", at!(icount), 64),
    field("itimer", Form::Timer, at!(itimer) * 8),
    field("btimer", Form::Timer, at!(btimer) * 8),
    dec("iwarns", at!(iwarns), 16),
    dec("bwarns", at!(bwarns), 16),
    dec("pad0", at!(pad0), 32).asked(),
    dec("rtb_hardlimit", at!(rtb_hardlimit), 64),
    dec("rtb_softlimit", at!(rtb_softlimit), 64),
    dec("rtbcount", at!(rtbcount), 64),
    field("rtbtimer", Form::Timer, at!(rtbtimer) * 8),
    dec("rtbwarns", at!(rtbwarns), 16),
    dec("pad", at!(pad), 16).asked(),
];
