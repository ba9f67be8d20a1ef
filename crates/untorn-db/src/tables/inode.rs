//! An inode: core, both forks in each of their forms.

use crate::field::{Field, Form, Scope, Style, To, bits, dec, field, flag, hex, nul};
use crate::kind::Type;
use crate::tables::btree::{ATTR_EXTENT, ATTR_EXTENT_KEY, EXTENT, EXTENT_KEY};
use crate::tables::{attr, dir};
use std::mem::offset_of;
use untorn_format::btree::root;
use untorn_format::inode::{CORE_SIZE, CORE_SIZE_V2, DinodeDisk, ForkFormat};

macro_rules! at {
    ($field:ident) => {
        offset_of!(DinodeDisk, $field)
    };
}

/// An inode.
pub const INODE: &[Field] = &[
    field("core", Form::Struct(CORE, CORE_SIZE_V2), 0),
    nul("next_unlinked", at!(next_unlinked), 32).to(To::AgIno),
    field("v3", Form::Struct(V3, CORE_SIZE), 0).when(is_v3),
    field("u", Form::Union(DATA), 0).begins(data_fork).when(is_old),
    field("u3", Form::Union(DATA), 0).begins(data_fork).when(is_v3),
    field("a", Form::Union(ATTR), 0).begins(attr_fork).when(has_attr_fork),
];

const fn fork_format(name: &'static str, byte: usize) -> Field {
    field(name, Form::ForkFormat, byte * 8)
}

const fn time(name: &'static str, byte: usize) -> Field {
    field(name, Form::Struct(TIME, 8), byte * 8)
}

const TIME: &[Field] = &[field("sec", Form::Seconds, 0), field("nsec", Form::Nanoseconds, 0)];

const CORE: &[Field] = &[
    hex("magic", at!(magic), 16),
    bits("mode", at!(mode) * 8, 16, Style::Octal),
    bits("version", at!(version) * 8, 8, Style::Signed),
    fork_format("format", at!(format)),
    dec("nlinkv1", at!(metatype), 16).when(|s| version(s) == 1),
    dec("onlink", at!(metatype), 16).when(|s| version(s) >= 2),
    dec("uid", at!(uid), 32),
    dec("gid", at!(gid), 32),
    dec("nlinkv2", at!(nlink), 32).when(|s| version(s) >= 2),
    dec("projid_lo", at!(projid_lo), 16).when(|s| version(s) >= 2),
    dec("projid_hi", at!(projid_hi), 16).when(|s| version(s) >= 2),
    dec("nextents", at!(big_nextents), 64).when(has_large_counters),
    dec("flushiter", at!(big_nextents) + 6, 16).when(is_old),
    time("atime", at!(atime)),
    time("mtime", at!(mtime)),
    time("ctime", at!(ctime)),
    bits("size", at!(size) * 8, 64, Style::Signed),
    nul("nblocks", at!(nblocks), 64),
    dec("extsize", at!(extsize), 32),
    dec("naextents", at!(nextents), 32).when(has_large_counters),
    dec("nextents", at!(nextents), 32).when(has_small_counters),
    dec("naextents", at!(anextents), 16).when(has_small_counters),
    dec("forkoff", at!(forkoff), 8),
    fork_format("aformat", at!(aformat)),
    hex("dmevmask", at!(dmevmask), 32),
    dec("dmstate", at!(dmstate), 16),
    hex("flags", at!(flags), 16).asked(),
    flag("newrtbm", at!(flags), 16, 2),
    flag("prealloc", at!(flags), 16, 1),
    flag("realtime", at!(flags), 16, 0),
    flag("immutable", at!(flags), 16, 3),
    flag("append", at!(flags), 16, 4),
    flag("sync", at!(flags), 16, 5),
    flag("noatime", at!(flags), 16, 6),
    flag("nodump", at!(flags), 16, 7),
    flag("rtinherit", at!(flags), 16, 8),
    flag("projinherit", at!(flags), 16, 9),
    flag("nosymlinks", at!(flags), 16, 10),
    flag("extsz", at!(flags), 16, 11),
    flag("extszinherit", at!(flags), 16, 12),
    flag("nodefrag", at!(flags), 16, 13),
    flag("filestream", at!(flags), 16, 14),
    dec("gen", at!(generation), 32),
];

const V3: &[Field] = &[
    field("crc", Form::Crc, at!(crc) * 8),
    dec("change_count", at!(changecount), 64),
    hex("lsn", at!(lsn), 64),
    hex("flags2", at!(flags2), 64),
    dec("cowextsize", at!(cowextsize), 32),
    time("crtime", at!(crtime)),
    nul("inumber", at!(ino), 64).to(To::Ino),
    field("uuid", Form::Uuid, at!(uuid) * 8),
    flag("reflink", at!(flags2), 64, 1),
    flag("cowextsz", at!(flags2), 64, 2),
    flag("dax", at!(flags2), 64, 0),
    flag("bigtime", at!(flags2), 64, 3),
    flag("nrext64", at!(flags2), 64, 4),
];

const DATA: &[Field] = &[
    field("bmbt", Form::Struct(DATA_ROOT, 0), 0).when(|s| data(s) == ForkFormat::Btree as usize),
    field("bmx", Form::Row(EXTENT, 16), 0).list(data_extents, 0),
    field("c", Form::Text, 0).of(|s| local(s, 0o100_000)),
    hex("dev", 0, 32).when(|s| data(s) == 0),
    field("muuid", Form::Uuid, 0).when(|s| data(s) == 4),
    field("sfdir3", Form::Struct(dir::SHORT, 0), 0).when(|s| is_v3(s) && local(s, 0o040_000) > 0),
    field("symlink", Form::Text, 0).of(|s| local(s, 0o120_000)),
];

const ATTR: &[Field] = &[
    field("bmbt", Form::Struct(ATTR_ROOT, 0), 0).when(|s| attr(s) == 3),
    field("bmx", Form::Row(ATTR_EXTENT, 16), 0).list(attr_extents, 0),
    field("sfattr", Form::Struct(attr::SHORT, 0), 0).when(|s| attr(s) == 1),
];

macro_rules! root {
    ($table:ident, $key:expr, $to:expr, $fork:ident) => {
        const $table: &[Field] = {
            fn key(_: &Scope<'_>, index: usize) -> usize {
                root::key_offset(index)
            }
            fn pointer(scope: &Scope<'_>, index: usize) -> usize {
                root::pointer_offset($fork(scope), index)
            }
            &[
                dec("level", 0, 16),
                dec("numrecs", 2, 16),
                field("keys", Form::Row($key, 8), 0).each(key).list(|s| s.half(2), 1),
                dec("ptrs", 0, 64).each(pointer).list(|s| s.half(2), 1).to(To::FsBlock($to)),
            ]
        };
    };
}
root!(DATA_ROOT, EXTENT_KEY, Type::Bmapbtd, data_size);
root!(ATTR_ROOT, ATTR_EXTENT_KEY, Type::Bmapbta, attr_size);

/// The inode that a structure lies in: always at the start of its place.
fn inode<'a>(scope: &Scope<'a>) -> Scope<'a> {
    scope.at(0, 0)
}
fn version(scope: &Scope<'_>) -> usize {
    inode(scope).byte(at!(version))
}
fn is_v3(scope: &Scope<'_>) -> bool {
    scope.shape.version == 5
}
fn is_old(scope: &Scope<'_>) -> bool {
    !is_v3(scope)
}
fn has_large_counters(scope: &Scope<'_>) -> bool {
    is_v3(scope) && inode(scope).long(at!(flags2)) >> 4 & 1 == 1
}
fn has_small_counters(scope: &Scope<'_>) -> bool {
    !has_large_counters(scope)
}
fn data(scope: &Scope<'_>) -> usize {
    inode(scope).byte(at!(format))
}
fn attr(scope: &Scope<'_>) -> usize {
    inode(scope).byte(at!(aformat))
}
fn data_fork(scope: &Scope<'_>) -> usize {
    if is_v3(scope) { CORE_SIZE } else { CORE_SIZE_V2 }
}
fn fork_offset(scope: &Scope<'_>) -> usize {
    inode(scope).byte(at!(forkoff)) * 8
}
fn has_attr_fork(scope: &Scope<'_>) -> bool {
    fork_offset(scope) > 0
}
fn attr_fork(scope: &Scope<'_>) -> usize {
    data_fork(scope) + fork_offset(scope)
}
fn literal(scope: &Scope<'_>) -> usize {
    scope.shape.geometry.inode_size().saturating_sub(data_fork(scope))
}
fn data_size(scope: &Scope<'_>) -> usize {
    let literal = literal(scope);
    if has_attr_fork(scope) { fork_offset(scope).min(literal) } else { literal }
}
fn attr_size(scope: &Scope<'_>) -> usize {
    literal(scope).saturating_sub(fork_offset(scope))
}
fn data_extents(scope: &Scope<'_>) -> usize {
    let inode = inode(scope);
    match (data(scope), has_large_counters(scope)) {
        (2, true) => usize::try_from(inode.long(at!(big_nextents))).unwrap_or(usize::MAX),
        (2, false) => inode.word(at!(nextents)),
        _ => 0,
    }
}
fn attr_extents(scope: &Scope<'_>) -> usize {
    match (attr(scope), has_large_counters(scope)) {
        (2, true) => inode(scope).word(at!(nextents)),
        (2, false) => inode(scope).half(at!(anextents)),
        _ => 0,
    }
}
/// Bytes of a local fork of files of this kind.
fn local(scope: &Scope<'_>, kind: usize) -> usize {
    let inode = inode(scope);
    let is_local = data(scope) == 1 && inode.half(at!(mode)) & 0o170_000 == kind;
    if is_local { usize::try_from(inode.long(at!(size))).unwrap_or(usize::MAX) } else { 0 }
}
