//! Damages of the structure of btrees.

use super::patient::{Patient, TreeBlock, add32, record};
use super::why::REBUILT;
use super::{Damage, damage, subtle};
use untorn_check::Code;
use untorn_format::btree::{BtreeKind, LongHeader, ShortHeader};
use untorn_format::*;

fn short(p: &Patient, kind: BtreeKind, block: TreeBlock, edit: fn(&mut ShortHeader)) -> Place {
    p.edit_tree(kind, block, |bytes| edit(wire::view_mut("block", bytes).unwrap()))
}

fn long(p: &Patient, block: TreeBlock, edit: fn(&mut LongHeader)) -> Place {
    p.edit_tree(BtreeKind::Bmbt, block, |bytes| edit(wire::view_mut("block", bytes).unwrap()))
}

fn flip(p: &Patient, block: TreeBlock) -> Place {
    p.edit_raw(block.addr, p.sb.geometry.block_size(), |bytes| bytes[100] ^= 1);
    p.at(block.addr)
}

/// Swaps the first two records of a leaf.
fn swap(p: &Patient, kind: BtreeKind, block: TreeBlock) -> Place {
    p.edit_tree(kind, block, |bytes| {
        let (at, size) = (kind.record_offset(0), kind.record_size());
        let (first, second) = bytes[at..at + 2 * size].split_at_mut(size);
        first.swap_with_slice(second);
    })
}

/// Changes the bytes of entry 1 of a node at `offset` of its key.
fn key(p: &Patient, kind: BtreeKind, offset: usize) -> Place {
    p.edit_tree(kind, p.node(kind), |bytes| add32(bytes, kind.key_offset(1) + offset, 1))
}

/// Points entry 1 of a node elsewhere.
fn pointer(p: &Patient, kind: BtreeKind, to: fn(u32) -> u32) -> Place {
    let size = p.sb.geometry.block_size();
    p.edit_tree(kind, p.node(kind), |bytes| {
        let at = kind.pointer_offset(size, 1);
        let block = to(wire::be32(bytes, at).unwrap());
        bytes[at..at + 4].copy_from_slice(&block.to_be_bytes());
    });
    Place { ag: Some(AgNumber(0)), ..Place::default() }
}

pub const TABLE: &[Damage] = &[
    damage("bnobt: checksum", Code::BadChecksum, |p| flip(p, p.leaf(BtreeKind::Bnobt, 0))),
    damage("rmapbt: checksum of a node", Code::BadChecksum, |p| flip(p, p.node(BtreeKind::Rmapbt))),
    damage("inobt: checksum", Code::BadChecksum, |p| flip(p, p.leaf(BtreeKind::Inobt, 0))),
    damage("cntbt: magic", Code::BadMagic, |p| {
        short(p, BtreeKind::Cntbt, p.leaf(BtreeKind::Cntbt, 1), |h| h.magic.set(7))
    }),
    damage("refcountbt: uuid", Code::BadUuid, |p| {
        short(p, BtreeKind::Refcountbt, p.leaf(BtreeKind::Refcountbt, 0), |h| h.uuid[0] ^= 1)
    }),
    damage("rmapbt: owner", Code::BadOwner, |p| {
        short(p, BtreeKind::Rmapbt, p.leaf(BtreeKind::Rmapbt, 2), |h| h.owner.set(1))
    }),
    damage("bnobt: position", Code::BadPosition, |p| {
        short(p, BtreeKind::Bnobt, p.leaf(BtreeKind::Bnobt, 1), |h| h.blkno.set(8))
    }),
    damage("bnobt: LSN ahead", Code::LsnAhead, |p| {
        short(p, BtreeKind::Bnobt, p.leaf(BtreeKind::Bnobt, 1), |h| h.lsn.set(1 << 60))
    }),
    damage("bnobt: level", Code::BtreeLevel, |p| {
        short(p, BtreeKind::Bnobt, p.node(BtreeKind::Bnobt), |h| h.level.set(2))
    }),
    damage("cntbt: too many entries", Code::BadField, |p| {
        short(p, BtreeKind::Cntbt, p.leaf(BtreeKind::Cntbt, 0), |h| h.numrecs.set(999))
    }),
    damage("rmapbt: empty leaf", Code::BtreeUnderfull, |p| {
        short(p, BtreeKind::Rmapbt, p.leaf(BtreeKind::Rmapbt, 3), |h| h.numrecs.set(0))
    }),
    damage("cntbt: leaf not half full", Code::BtreeUnderfull, |p| {
        short(p, BtreeKind::Cntbt, p.leaf(BtreeKind::Cntbt, 1), |h| h.numrecs.set(3))
    }),
    subtle(REBUILT, "bnobt: left neighbour", Code::BtreeSibling, |p| {
        short(p, BtreeKind::Bnobt, p.leaf(BtreeKind::Bnobt, 1), |h| h.leftsib.set(NULL_AG_BLOCK))
    }),
    subtle(REBUILT, "rmapbt: right neighbour", Code::BtreeSibling, |p| {
        short(p, BtreeKind::Rmapbt, p.leaf(BtreeKind::Rmapbt, 1), |h| {
            h.rightsib.set(h.rightsib.get() + 1);
        })
    }),
    subtle(REBUILT, "refcountbt: neighbour after the last", Code::BtreeSibling, |p| {
        let last = p.tree(BtreeKind::Refcountbt).iter().filter(|b| b.level == 0).count() - 1;
        let leaf = p.leaf(BtreeKind::Refcountbt, last);
        short(p, BtreeKind::Refcountbt, leaf, |h| h.rightsib.set(99))
    }),
    damage("bnobt: neighbour outside", Code::BadField, |p| {
        let leaf = p.leaf(BtreeKind::Bnobt, 0);
        short(p, BtreeKind::Bnobt, leaf, |h| h.rightsib.set(1 << 30))
    }),
    subtle(REBUILT, "bnobt: key", Code::BtreeKey, |p| key(p, BtreeKind::Bnobt, 0)),
    subtle(REBUILT, "cntbt: key", Code::BtreeKey, |p| key(p, BtreeKind::Cntbt, 4)),
    damage("rmapbt: key", Code::BtreeKey, |p| key(p, BtreeKind::Rmapbt, 0)),
    subtle(REBUILT, "rmapbt: high key", Code::BtreeHighKey, |p| {
        key(p, BtreeKind::Rmapbt, BtreeKind::Rmapbt.key_size())
    }),
    damage("refcountbt: key", Code::BtreeKey, |p| key(p, BtreeKind::Refcountbt, 0)),
    damage("bnobt: records swapped", Code::BtreeOrder, |p| {
        swap(p, BtreeKind::Bnobt, p.leaf(BtreeKind::Bnobt, 0))
    }),
    damage("rmapbt: records swapped", Code::BtreeOrder, |p| {
        swap(p, BtreeKind::Rmapbt, p.leaf(BtreeKind::Rmapbt, 1))
    }),
    damage("refcountbt: records swapped", Code::BtreeOrder, |p| {
        swap(p, BtreeKind::Refcountbt, p.leaf(BtreeKind::Refcountbt, 0))
    }),
    damage("bnobt: pointer outside", Code::BtreePointer, |p| {
        pointer(p, BtreeKind::Bnobt, |_| 1 << 29)
    }),
    damage("cntbt: pointer to the AG's start", Code::BtreePointer, |p| {
        pointer(p, BtreeKind::Cntbt, |_| 0)
    }),
    damage("rmapbt: pointer elsewhere", Code::BadMagic, |p| {
        pointer(p, BtreeKind::Rmapbt, |block| block + 4000)
    }),
    damage("bnobt: two pointers to one block", Code::BlockOwnedTwice, |p| {
        let (kind, size) = (BtreeKind::Bnobt, p.sb.geometry.block_size());
        let (from, to) = (kind.pointer_offset(size, 0), kind.pointer_offset(size, 1));
        p.edit_tree(kind, p.node(kind), |bytes| bytes.copy_within(from..from + 4, to));
        Place { ag: Some(AgNumber(0)), ..Place::default() }
    }),
    damage("bmbt: checksum", Code::BadChecksum, |p| {
        flip(p, p.bmbt("frag")[1]);
        Place { ino: Some(p.ino("frag")), ..Place::at(p.bmbt("frag")[1].addr) }
    }),
    damage("bmbt: owner", Code::BadOwner, |p| long(p, p.bmbt("frag")[1], |h| h.owner.set(70))),
    damage("bmbt: level", Code::BtreeLevel, |p| long(p, p.bmbt("frag")[1], |h| h.level.set(1))),
    damage("bmbt: right neighbour", Code::BtreeSibling, |p| {
        long(p, p.bmbt("frag")[1], |h| h.rightsib.set(NULL_FS_BLOCK))
    }),
    damage("bmbt: leaf not half full", Code::BtreeUnderfull, |p| {
        long(p, p.bmbt("frag")[2], |h| h.numrecs.set(5))
    }),
    damage("bmbt: key in the inode", Code::BtreeKey, |p| {
        p.edit_fork("frag", |fork| fork[btree::root::key_offset(1) + 7] ^= 1)
    }),
    damage("bmbt: records swapped", Code::BtreeOrder, |p| {
        swap(p, BtreeKind::Bmbt, p.bmbt("frag")[1]);
        Place { ino: Some(p.ino("frag")), ..Place::at(p.bmbt("frag")[1].addr) }
    }),
    damage("bmbt: pointer outside", Code::BtreePointer, |p| {
        p.edit_fork("frag", |fork| {
            let at = btree::root::pointer_offset(fork.len(), 1);
            fork[at] = 1;
        })
    }),
    damage("bmbt: a record's length", Code::ExtentOrder, |p| {
        let block = p.bmbt("frag")[1];
        p.edit_tree(BtreeKind::Bmbt, block, |bytes| {
            let bytes = record(BtreeKind::Bmbt, bytes, 3);
            let mut extent = Extent::decode(bytes).unwrap();
            extent.length += 2;
            bytes.copy_from_slice(&extent.encode());
        });
        Place { ino: Some(p.ino("frag")), ..Place::at(block.addr) }
    }),
];
