//! Damages of superblocks and AG headers.

use super::patient::{Patient, add32};
use super::why::{COPY, LIST};
use super::{Damage, damage, subtle};
use untorn_check::Code;
use untorn_format::ag::{AgfDisk, AgflDisk, AgiDisk, agfl_slot_offset};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{BlockKind, Ino, Place, wire};

fn superblock(p: &Patient, ag: u32, edit: fn(&mut SuperblockDisk)) -> Place {
    let addr = p.header(ag, 0);
    p.edit(BlockKind::Superblock, addr, |bytes| edit(SuperblockDisk::of_mut(bytes).unwrap()));
    Place::at(addr)
}

fn agf(p: &Patient, edit: fn(&mut AgfDisk)) -> Place {
    let addr = p.header(0, 1);
    p.edit(BlockKind::Agf, addr, |bytes| edit(AgfDisk::of_mut(bytes).unwrap()));
    Place { ag: p.at(addr).ag, ..Place::default() }
}

fn agi(p: &Patient, edit: impl FnOnce(&mut AgiDisk)) -> Place {
    let addr = p.header(0, 2);
    p.edit(BlockKind::Agi, addr, |bytes| edit(AgiDisk::of_mut(bytes).unwrap()));
    Place { ag: p.at(addr).ag, ..Place::default() }
}

fn agfl(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    let addr = p.header(0, 3);
    p.edit(BlockKind::Agfl, addr, edit);
    p.at(addr)
}

fn flip(p: &Patient, ag: u32, index: u32, at: usize) -> Place {
    let addr = p.header(ag, index);
    p.edit_raw(addr, 512, |bytes| bytes[at] ^= 1);
    p.at(addr)
}

macro_rules! plus {
    ($field:expr) => {
        $field.set($field.get() + 1)
    };
}
macro_rules! minus {
    ($field:expr) => {
        $field.set($field.get() - 1)
    };
}

pub const TABLE: &[Damage] = &[
    damage("sb: more AGs than the device has", Code::DeviceTooSmall, |p| {
        superblock(p, 0, |sb| {
            plus!(sb.agcount);
            sb.dblocks.set(u64::from(sb.agcount.get()) * u64::from(sb.agblocks.get()));
        })
    }),
    damage("sb copy: blocks", Code::SuperblockCopy, |p| superblock(p, 1, |sb| minus!(sb.dblocks))),
    damage("sb copy: AG size", Code::SuperblockCopy, |p| superblock(p, 1, |sb| plus!(sb.agblocks))),
    damage("sb copy: features", Code::SuperblockCopy, |p| {
        superblock(p, 1, |sb| sb.features_ro_compat.set(0))
    }),
    damage("sb copy: checksum", Code::BadChecksum, |p| flip(p, 1, 0, 300)),
    damage("sb copy: magic", Code::BadMagic, |p| superblock(p, 1, |sb| plus!(sb.magicnum))),
    damage("sb copy: version", Code::SuperblockCopy, |p| {
        superblock(p, 1, |sb| sb.versionnum.set(sb.versionnum.get() ^ 1))
    }),
    damage("sb copy: size of a block", Code::BadField, |p| superblock(p, 1, |sb| sb.blocklog += 1)),
    damage("sb copy: half a stripe", Code::BadField, |p| superblock(p, 1, |sb| sb.unit.set(8))),
    damage("sb copy: free realtime extents", Code::BadField, |p| {
        superblock(p, 1, |sb| sb.frextents.set(1))
    }),
    damage("sb copy: flags", Code::BadField, |p| superblock(p, 1, |sb| sb.flags = 1)),
    damage("sb copy: quota flags", Code::BadField, |p| {
        superblock(p, 1, |sb| {
            sb.inprogress = 1;
            sb.qflags.set(1);
        })
    }),
    damage("sb copy: a quota inode", Code::BadField, |p| {
        superblock(p, 1, |sb| {
            sb.inprogress = 1;
            sb.gquotino.set(sb.rootino.get() + 3);
        })
    }),
    damage("sb copy: unused bytes", Code::SuperblockUnused, |p| {
        superblock(p, 1, |sb| sb.meta_uuid[7] = 1)
    }),
    subtle(COPY, "sb copy: uuid", Code::BadUuid, |p| superblock(p, 1, |sb| sb.uuid[0] ^= 1)),
    subtle(COPY, "sb copy: LSN ahead", Code::LsnAhead, |p| {
        superblock(p, 1, |sb| sb.lsn.set(1 << 60))
    }),
    damage("sb: size of a block", Code::BadField, |p| superblock(p, 0, |sb| sb.blocklog += 1)),
    damage("sb: half a stripe", Code::BadField, |p| superblock(p, 0, |sb| sb.unit.set(8))),
    damage("sb: free realtime extents", Code::BadField, |p| {
        superblock(p, 0, |sb| sb.frextents.set(1))
    }),
    damage("sb: magic", Code::BadMagic, |p| superblock(p, 0, |sb| plus!(sb.magicnum))),
    damage("sb: checksum", Code::BadChecksum, |p| flip(p, 0, 0, 300)),
    damage("sb: misplaced features", Code::BadField, |p| {
        superblock(p, 0, |sb| plus!(sb.bad_features2))
    }),
    damage("sb: flags", Code::BadField, |p| superblock(p, 0, |sb| sb.flags = 2)),
    damage("sb: unused bytes", Code::SuperblockUnused, |p| {
        superblock(p, 0, |sb| sb.rtreserved.set(1))
    }),
    damage("sb: a free inode for quota", Code::QuotaInode, |p| {
        superblock(p, 0, |sb| sb.pquotino.set(sb.rootino.get() | 63));
        Place::inode(Ino(p.sb.root_ino.0 | 63))
    }),
    damage("sb: quota and no inodes", Code::QuotaInode, |p| {
        superblock(p, 0, |sb| sb.versionnum.set(sb.versionnum.get() | 0x40))
    }),
    damage("sb: free blocks", Code::SuperblockFreeBlocks, |p| {
        superblock(p, 0, |sb| plus!(sb.fdblocks))
    }),
    damage("sb: inodes", Code::SuperblockInodes, |p| superblock(p, 0, |sb| plus!(sb.icount))),
    damage("sb: free inodes", Code::SuperblockFreeInodes, |p| {
        superblock(p, 0, |sb| minus!(sb.ifree))
    }),
    damage("agf: checksum", Code::BadChecksum, |p| flip(p, 1, 1, 40)),
    damage("agf: magic", Code::BadMagic, |p| agf(p, |agf| plus!(agf.magic))),
    damage("agf: version", Code::BadField, |p| agf(p, |agf| plus!(agf.version))),
    damage("agf: number", Code::BadOwner, |p| agf(p, |agf| plus!(agf.seqno))),
    damage("agf: uuid", Code::BadUuid, |p| agf(p, |agf| agf.uuid[5] ^= 1)),
    damage("agf: LSN ahead", Code::LsnAhead, |p| agf(p, |agf| agf.lsn.set(1 << 60))),
    damage("agf: length", Code::BadField, |p| agf(p, |agf| minus!(agf.length))),
    damage("agf: bnobt root", Code::BadField, |p| agf(p, |agf| agf.bno_root.set(0))),
    damage("agf: cntbt root outside", Code::BadField, |p| agf(p, |agf| agf.cnt_root.set(1 << 30))),
    damage("agf: bnobt levels", Code::BtreeLevel, |p| agf(p, |agf| plus!(agf.bno_level))),
    damage("agf: rmapbt levels", Code::BtreeLevel, |p| agf(p, |agf| minus!(agf.rmap_level))),
    damage("agf: no refcountbt", Code::BadField, |p| {
        agf(p, |agf| {
            agf.refcount_root.set(0);
            agf.refcount_level.set(0);
        })
    }),
    damage("agf: roots swapped", Code::BadMagic, |p| {
        agf(p, |agf| std::mem::swap(&mut agf.bno_root, &mut agf.cnt_root))
    }),
    damage("agf: freeblks", Code::AgfFreeBlocks, |p| agf(p, |agf| minus!(agf.freeblks))),
    damage("agf: longest", Code::AgfLongest, |p| agf(p, |agf| minus!(agf.longest))),
    damage("agf: btreeblks", Code::AgfBtreeBlocks, |p| agf(p, |agf| plus!(agf.btreeblks))),
    damage("agf: rmap blocks", Code::AgfRmapBlocks, |p| agf(p, |agf| plus!(agf.rmap_blocks))),
    damage("agf: refcount blocks", Code::AgfRefcountBlocks, |p| {
        agf(p, |agf| plus!(agf.refcount_blocks))
    }),
    damage("agf: flcount", Code::BadField, |p| agf(p, |agf| plus!(agf.flcount))),
    damage("agf: flfirst", Code::BadField, |p| agf(p, |agf| agf.flfirst.set(1 << 20))),
    damage("agi: checksum", Code::BadChecksum, |p| flip(p, 1, 2, 40)),
    damage("agi: magic", Code::BadMagic, |p| agi(p, |agi| plus!(agi.magic))),
    damage("agi: number", Code::BadOwner, |p| agi(p, |agi| plus!(agi.seqno))),
    damage("agi: length", Code::BadField, |p| agi(p, |agi| minus!(agi.length))),
    damage("agi: count", Code::AgiCount, |p| agi(p, |agi| plus!(agi.count))),
    damage("agi: freecount", Code::AgiFreeCount, |p| agi(p, |agi| minus!(agi.freecount))),
    damage("agi: inobt root", Code::BadField, |p| agi(p, |agi| agi.root.set(0))),
    damage("agi: inobt levels", Code::BtreeLevel, |p| agi(p, |agi| plus!(agi.level))),
    damage("agi: iblocks", Code::AgiInobtBlocks, |p| agi(p, |agi| plus!(agi.iblocks))),
    damage("agi: fblocks", Code::AgiFinobtBlocks, |p| agi(p, |agi| plus!(agi.fblocks))),
    damage("agi: chain to a file with links", Code::UnlinkedChain, |p| {
        let ino = p.ino("plain");
        let (_, in_ag) = p.sb.geometry.split_ino(ino).unwrap();
        agi(p, |agi| agi.unlinked[in_ag.0 as usize % 64].set(in_ag.0));
        Place::inode(ino)
    }),
    damage("agi: chain to nowhere", Code::UnlinkedChain, |p| {
        agi(p, |agi| agi.unlinked[7].set(0x2007))
    }),
    damage("agfl: checksum", Code::BadChecksum, |p| flip(p, 1, 3, 40)),
    subtle(LIST, "agfl: magic", Code::BadMagic, |p| agfl(p, |bytes| bytes[0] ^= 1)),
    subtle(LIST, "agfl: uuid", Code::BadUuid, |p| {
        agfl(p, |bytes| wire::view_mut::<AgflDisk>("AGFL", bytes).unwrap().uuid[3] ^= 1)
    }),
    damage("agfl: block outside", Code::BadField, |p| {
        let first = p.agf(0).free_list.first;
        agfl(p, |bytes| add32(bytes, agfl_slot_offset(first), 1 << 24))
    }),
    damage("agfl: block listed twice", Code::BlockOwnedTwice, |p| {
        let ring = p.agf(0).free_list;
        let slots: Vec<u32> = ring.in_use().take(2).collect();
        let (from, to) = (agfl_slot_offset(slots[0]), agfl_slot_offset(slots[1]));
        let place = agfl(p, |bytes| bytes.copy_within(from..from + 4, to));
        Place { ag: place.ag, ..Place::default() }
    }),
];
