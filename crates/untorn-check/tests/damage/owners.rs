//! Damages of what btrees say of blocks and inodes: free space, reverse mappings, reference counts,
//! inode chunks.

use super::patient::{Patient, add32, record};
use super::{Damage, damage};
use untorn_check::Code;
use untorn_format::btree::{BtreeKind, ShortHeader};
use untorn_format::records::{AllocRec, ChunkForm, InobtRec, RefcountDomain, RefcountRec, RmapRec};
use untorn_format::records::{RmapOwner, RmapRole};
use untorn_format::*;

const AG0: Place = Place { ag: Some(AgNumber(0)), addr: None, ino: None, offset: None };

/// Changes the record at `index` of the leaf at `leaf`.
macro_rules! editor {
    ($name:ident, $record:ty) => {
        fn $name(
            p: &Patient,
            kind: BtreeKind,
            (leaf, index): (usize, usize),
            edit: fn(&mut $record),
        ) {
            let block = p.leaf(kind, leaf);
            p.edit_tree(kind, block, |bytes| {
                let bytes = record(kind, bytes, index);
                let mut rec = <$record>::decode(bytes).unwrap();
                edit(&mut rec);
                bytes.copy_from_slice(&rec.encode());
            });
        }
    };
}
editor!(free, AllocRec);
editor!(refcount, RefcountRec);
editor!(rmap, RmapRec);

fn chunk(p: &Patient, kind: BtreeKind, edit: fn(&mut InobtRec)) -> Place {
    let block = p.leaf(kind, 0);
    p.edit_tree(kind, block, |bytes| {
        let bytes = record(kind, bytes, 0);
        let mut rec = InobtRec::decode(bytes, ChunkForm::Sparse).unwrap();
        edit(&mut rec);
        bytes.copy_from_slice(&rec.encode(ChunkForm::Sparse));
    });
    AG0
}

/// Drops the last record of the last leaf.
fn drop_last(p: &Patient, kind: BtreeKind) -> Place {
    let last = p.tree(kind).iter().filter(|block| block.level == 0).count() - 1;
    p.edit_tree(kind, p.leaf(kind, last), |bytes| {
        let header: &mut ShortHeader = wire::view_mut("block", bytes).unwrap();
        header.numrecs.set(header.numrecs.get() - 1);
    });
    AG0
}

/// The free record of the last leaf of the bnobt: the long run at the end of the AG.
fn long_run(p: &Patient) -> (usize, usize) {
    let leaves: Vec<_> =
        p.tree(BtreeKind::Bnobt).into_iter().filter(|block| block.level == 0).collect();
    (leaves.len() - 1, leaves[leaves.len() - 1].count - 1)
}

/// The first mapping of the rmapbt that `wanted` accepts.
fn find_rmap(p: &Patient, wanted: fn(&RmapRec) -> bool) -> (usize, usize) {
    let size = p.sb.geometry.block_size();
    let kind = BtreeKind::Rmapbt;
    let leaves = p.tree(kind).into_iter().filter(|block| block.level == 0);
    for (leaf, block) in leaves.enumerate() {
        let mut bytes = p.read(block.addr, size);
        let records = 0..block.count;
        let found = records
            .into_iter()
            .find(|&i| wanted(&RmapRec::decode(record(kind, &mut bytes, i)).unwrap()));
        if let Some(index) = found {
            return (leaf, index);
        }
    }
    panic!("no such mapping");
}

pub const TABLE: &[Damage] = &[
    damage("bnobt: a free extent is shorter", Code::FreeTreesDisagree, |p| {
        free(p, BtreeKind::Bnobt, long_run(p), |rec| rec.length -= 1);
        AG0
    }),
    damage("bnobt: block lost", Code::BlockUnowned, |p| {
        free(p, BtreeKind::Bnobt, long_run(p), |rec| rec.length -= 1);
        AG0
    }),
    damage("cntbt: a free extent is elsewhere", Code::FreeTreesDisagree, |p| {
        free(p, BtreeKind::Cntbt, (0, 0), |rec| rec.start.0 -= 1);
        AG0
    }),
    damage("bnobt: a free extent is longer", Code::BlockFreeAndOwned, |p| {
        free(p, BtreeKind::Bnobt, (0, 3), |rec| rec.length += 1);
        AG0
    }),
    damage("bnobt: free extents overlap", Code::RecordOverlap, |p| {
        free(p, BtreeKind::Bnobt, (0, 3), |rec| rec.length += 40);
        AG0
    }),
    damage("bnobt: a free extent past the end", Code::RecordOutside, |p| {
        free(p, BtreeKind::Bnobt, long_run(p), |rec| rec.length += 1);
        AG0
    }),
    damage("bnobt: an empty record", Code::BadField, |p| {
        p.edit_tree(BtreeKind::Bnobt, p.leaf(BtreeKind::Bnobt, 0), |bytes| {
            record(BtreeKind::Bnobt, bytes, 2)[4..].fill(0);
        })
    }),
    damage("bnobt and cntbt: a free extent is gone", Code::BlockUnowned, |p| {
        drop_last(p, BtreeKind::Bnobt);
        drop_last(p, BtreeKind::Cntbt)
    }),
    damage("refcountbt: one more", Code::RefcountWrong, |p| {
        refcount(p, BtreeKind::Refcountbt, (0, 1), |rec| rec.refs += 1);
        AG0
    }),
    damage("refcountbt: a record is gone", Code::RefcountMissing, |p| {
        drop_last(p, BtreeKind::Refcountbt)
    }),
    damage("refcountbt: a longer record", Code::RefcountExtra, |p| {
        refcount(p, BtreeKind::Refcountbt, (0, 1), |rec| rec.length += 1);
        AG0
    }),
    damage("refcountbt: a count of one", Code::BadField, |p| {
        let leaf = p.leaf(BtreeKind::Refcountbt, 0);
        p.edit_tree(BtreeKind::Refcountbt, leaf, |bytes| {
            record(BtreeKind::Refcountbt, bytes, 0)[11] = 1;
        })
    }),
    damage("refcountbt: records overlap", Code::RecordOverlap, |p| {
        refcount(p, BtreeKind::Refcountbt, (0, 1), |rec| rec.length += 3);
        AG0
    }),
    damage("refcountbt: blocks staged", Code::CowLeftover, |p| {
        let leaves = p.tree(BtreeKind::Refcountbt);
        let last = leaves.iter().rfind(|block| block.level == 0).unwrap();
        let index = leaves.iter().filter(|block| block.level == 0).count() - 1;
        refcount(p, BtreeKind::Refcountbt, (index, last.count - 1), |rec| {
            (rec.domain, rec.refs) = (RefcountDomain::Cow, 1);
        });
        AG0
    }),
    damage("rmapbt: another owner", Code::RmapExtra, |p| {
        let at = find_rmap(p, |rec| rec.owner.is_inode() && rec.fork == Fork::Attr);
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.owner = RmapOwner::Inode(Ino(200)));
        AG0
    }),
    damage("rmapbt: the owner's mapping is gone", Code::RmapMissing, |p| {
        let at = find_rmap(p, |rec| rec.owner.is_inode() && rec.fork == Fork::Attr);
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.owner = RmapOwner::Inode(Ino(200)));
        AG0
    }),
    damage("rmapbt: another offset", Code::RmapMissing, |p| {
        let at = find_rmap(p, |rec| rec.owner.is_inode() && rec.offset.0 > 3);
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.offset.0 += 1);
        AG0
    }),
    damage("rmapbt: unwritten", Code::RmapMissing, |p| {
        let at = find_rmap(p, |rec| {
            rec.owner.is_inode() && rec.fork == Fork::Data && rec.role == RmapRole::Mapped
        });
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.state = ExtentState::Unwritten);
        AG0
    }),
    damage("rmapbt: written", Code::RmapMissing, |p| {
        let at = find_rmap(p, |rec| rec.state == ExtentState::Unwritten);
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.state = ExtentState::Written);
        AG0
    }),
    damage("rmapbt: a bmbt block is contents", Code::RmapMissing, |p| {
        let at = find_rmap(p, |rec| rec.role == RmapRole::BmbtBlock);
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.role = RmapRole::Mapped);
        AG0
    }),
    damage("rmapbt: the headers' mapping is longer", Code::RmapExtra, |p| {
        let at = find_rmap(p, |rec| rec.owner == RmapOwner::Fs);
        rmap(p, BtreeKind::Rmapbt, at, |rec| rec.length += 1);
        AG0
    }),
    damage("rmapbt: a mapping past the last", Code::RmapMissing, |p| {
        drop_last(p, BtreeKind::Rmapbt)
    }),
    damage("inobt: a used inode is free", Code::InodeInUse, |p| {
        chunk(p, BtreeKind::Inobt, |rec| {
            rec.free |= 1 << 4;
            rec.free_count += 1;
        });
        Place::default()
    }),
    damage("inobt: a free inode is used", Code::InodeNotInUse, |p| {
        chunk(p, BtreeKind::Inobt, |rec| {
            rec.free &= !(1 << 63);
            rec.free_count -= 1;
        });
        Place::default()
    }),
    damage("inobt: count of free inodes", Code::BadField, |p| {
        p.edit_tree(BtreeKind::Inobt, p.leaf(BtreeKind::Inobt, 0), |bytes| {
            record(BtreeKind::Inobt, bytes, 0)[7] ^= 1;
        })
    }),
    damage("inobt: a chunk that is not aligned", Code::ChunkMisaligned, |p| {
        p.edit_tree(BtreeKind::Inobt, p.leaf(BtreeKind::Inobt, 0), |bytes| {
            add32(record(BtreeKind::Inobt, bytes, 0), 0, 2);
        })
    }),
    damage("inobt: a chunk past the end", Code::RecordOutside, |p| {
        p.edit_tree(BtreeKind::Inobt, p.leaf(BtreeKind::Inobt, 0), |bytes| {
            record(BtreeKind::Inobt, bytes, 0)[0] = 0x10;
        })
    }),
    damage("finobt: another free inode", Code::InodeTreesDisagree, |p| {
        chunk(p, BtreeKind::Finobt, |rec| {
            rec.free &= !(1 << 63);
            rec.free_count -= 1;
        })
    }),
    damage("finobt: a chunk is gone", Code::InodeTreesDisagree, |p| {
        drop_last(p, BtreeKind::Finobt)
    }),
];
