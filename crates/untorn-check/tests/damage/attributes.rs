//! Damages of extended attributes.

use super::patient::{Patient, add32, position};
use super::why::{FLAGS, VALUES};
use super::{Damage, damage, subtle};
use untorn_check::Code;
use untorn_format::*;

/// Where index entries begin in leaves, and in nodes.
const ENTRIES: usize = 80;
const NODE_ENTRIES: usize = 64;

fn block(
    p: &Patient,
    (name, index): (&str, u64),
    kind: BlockKind,
    edit: impl FnOnce(&mut [u8]),
) -> Place {
    let addr = p.addr_of(name, Fork::Attr, FileBlock(index));
    p.edit(kind, addr, edit);
    Place { ino: Some(p.ino(name)), ..Place::at(addr) }
}

fn short(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    p.edit_inode_bytes(p.ino("attr-short"), |bytes| edit(inode::attr_fork_mut(bytes).unwrap()))
}

fn leaf(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("attr-leaf", 0), BlockKind::AttrLeaf, edit)
}

fn node(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("attr-node", 0), BlockKind::DaNode, edit)
}

fn remote_leaf(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("attr-remote", 0), BlockKind::AttrLeaf, edit)
}

/// A block of the remote value, which begins behind the leaf.
fn value(p: &Patient, index: u64, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("attr-remote", 1 + index), BlockKind::AttrRemote, edit)
}

pub const TABLE: &[Damage] = &[
    damage("attribute short form: size", Code::BadField, |p| short(p, |fork| fork[1] += 1)),
    damage("attribute short form: count", Code::BadField, |p| short(p, |fork| fork[2] = 0)),
    damage("attribute short form: length of a name", Code::BadField, |p| {
        short(p, |fork| fork[4] = 0)
    }),
    subtle(FLAGS, "attribute short form: namespaces", Code::BadField, |p| {
        short(p, |fork| fork[6] = 6)
    }),
    subtle(FLAGS, "attribute short form: a parent pointer", Code::ParentPointer, |p| {
        short(p, |fork| fork[6] = 8)
    }),
    subtle(VALUES, "attribute leaf: checksum", Code::BadChecksum, |p| {
        let addr = p.addr_of("attr-leaf", Fork::Attr, FileBlock(0));
        p.edit_raw(addr, 1024, |bytes| bytes[1000] ^= 1);
        Place { ino: Some(p.ino("attr-leaf")), ..Place::at(addr) }
    }),
    damage("attribute leaf: magic", Code::BadMagic, |p| leaf(p, |bytes| bytes[9] ^= 1)),
    damage("attribute leaf: owner", Code::BadOwner, |p| leaf(p, |bytes| bytes[55] ^= 1)),
    damage("attribute leaf: name", Code::AttributeHash, |p| {
        leaf(p, |bytes| {
            let at = position(bytes, b"name-3");
            bytes[at] = b'x';
        })
    }),
    damage("attribute leaf: hash", Code::BadOrder, |p| leaf(p, |bytes| bytes[ENTRIES] = 0xff)),
    damage("attribute leaf: last hash", Code::AttributeHash, |p| {
        leaf(p, |bytes| bytes[ENTRIES + 9 * 8] |= 0x80)
    }),
    damage("attribute leaf: name outside", Code::BadField, |p| {
        leaf(p, |bytes| bytes[ENTRIES + 4..ENTRIES + 6].fill(0))
    }),
    damage("attribute leaf: incomplete", Code::AttributeIncomplete, |p| {
        leaf(p, |bytes| bytes[ENTRIES + 6] |= 0x80)
    }),
    damage("attribute leaf: two of one name", Code::AttributeTwice, |p| {
        leaf(p, |bytes| bytes.copy_within(ENTRIES..ENTRIES + 8, ENTRIES + 8));
        Place::inode(p.ino("attr-leaf"))
    }),
    damage("attribute leaf: bytes in use", Code::BadField, |p| leaf(p, |bytes| bytes[59] ^= 4)),
    damage("attribute leaf: names over one another", Code::BadField, |p| {
        leaf(p, |bytes| bytes.copy_within(ENTRIES + 12..ENTRIES + 14, ENTRIES + 4))
    }),
    damage("attribute node: hash of a child", Code::IndexHash, |p| {
        node(p, |bytes| bytes[NODE_ENTRIES + 3] ^= 1)
    }),
    damage("attribute node: child that is not mapped", Code::BlockMissing, |p| {
        node(p, |bytes| add32(bytes, NODE_ENTRIES + 4, 0x100));
        Place::inode(p.ino("attr-node"))
    }),
    damage("attribute node: neighbour of a leaf", Code::IndexSibling, |p| {
        block(p, ("attr-node", 1), BlockKind::AttrLeaf, |bytes| add32(bytes, 0, 1));
        Place::inode(p.ino("attr-node"))
    }),
    damage("attribute value: checksum", Code::BadChecksum, |p| {
        let addr = p.addr_of("attr-remote", Fork::Attr, FileBlock(1));
        p.edit_raw(addr, 1024, |bytes| bytes[1000] ^= 1);
        Place { ino: Some(p.ino("attr-remote")), ..Place::at(addr) }
    }),
    damage("attribute value: magic", Code::BadMagic, |p| value(p, 0, |bytes| bytes[0] = 0)),
    subtle(VALUES, "attribute value: owner", Code::BadOwner, |p| {
        value(p, 1, |bytes| bytes[39] ^= 1)
    }),
    subtle(VALUES, "attribute value: offset", Code::AttributeValue, |p| {
        value(p, 1, |bytes| add32(bytes, 4, 1))
    }),
    subtle(VALUES, "attribute value: length of a part", Code::AttributeValue, |p| {
        value(p, 0, |bytes| bytes[11] -= 1)
    }),
    damage("attribute value: blocks that are not mapped", Code::BlockMissing, |p| {
        remote_leaf(p, |bytes| {
            let at = usize::from(wire::be16(bytes, ENTRIES + 4).unwrap());
            add32(bytes, at, 100);
        });
        Place::inode(p.ino("attr-remote"))
    }),
    subtle(VALUES, "attribute value: length", Code::AttributeValue, |p| {
        remote_leaf(p, |bytes| {
            let at = usize::from(wire::be16(bytes, ENTRIES + 4).unwrap());
            add32(bytes, at + 4, 1);
        });
        Place::inode(p.ino("attr-remote"))
    }),
];
