//! Damages of inodes, their forks and their links.

use super::patient::Patient;
use super::why::{FREE, LSN};
use super::{Damage, damage, subtle};
use untorn_check::Code;
use untorn_format::btree::{BtreeKind, LongHeader};
use untorn_format::inode::{InodeFlags, InodeFlags2};
use untorn_format::*;

/// A free inode: the last of the chunk that holds the root.
fn free_inode(p: &Patient) -> Ino {
    Ino(p.sb.root_ino.0 / 64 * 64 + 63)
}

/// Takes the only name of `lone/file` away, and its link.
fn orphan(p: &Patient) -> Ino {
    p.edit_fork("lone", |fork| fork[0] = 0);
    p.edit_inode("lone", |i| i.size.set(6));
    p.edit_inode("lone/file", |i| i.nlink.set(0));
    p.ino("lone/file")
}

/// Puts an inode of AG 0 at the head of its chain of unlinked inodes.
fn chain(p: &Patient, ino: Ino) {
    p.edit(BlockKind::Agi, p.header(0, 2), |bytes| {
        let chains = &mut ag::AgiDisk::of_mut(bytes).unwrap().unlinked;
        chains[ino.0 as usize % chains.len()].set(ino.0 as u32);
    });
}

/// Leaves three extents in the bmbt of `frag`, which would fit into the inode.
fn shrink_bmbt(p: &Patient) -> Place {
    let (kind, leaf) = (BtreeKind::Bmbt, p.bmbt("frag")[0]);
    p.edit_tree(kind, leaf, |bytes| {
        let header: &mut LongHeader = wire::view_mut("block", bytes).unwrap();
        header.numrecs.set(3);
        header.rightsib.set(NULL_FS_BLOCK);
    });
    p.edit_fork("frag", |fork| fork[2..4].copy_from_slice(&[0, 1]));
    p.edit_inode("frag", |i| {
        i.big_nextents.set(3);
        i.nblocks.set(4);
    })
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
    damage("inode: checksum", Code::BadChecksum, |p| {
        let ino = p.ino("plain");
        p.edit_raw(p.inode_addr(ino), 512, |bytes| bytes[8] ^= 1);
        Place::inode(ino)
    }),
    damage("inode: magic", Code::BadMagic, |p| p.edit_inode("plain", |i| plus!(i.magic))),
    damage("inode: version", Code::BadField, |p| p.edit_inode("plain", |i| i.version = 2)),
    damage("inode: uuid", Code::BadUuid, |p| p.edit_inode("plain", |i| i.uuid[1] ^= 1)),
    damage("inode: number", Code::BadField, |p| p.edit_inode("plain", |i| plus!(i.ino))),
    subtle(LSN, "inode: LSN ahead", Code::LsnAhead, |p| {
        p.edit_inode("plain", |i| i.lsn.set(1 << 60))
    }),
    damage("inode: mode 0", Code::InodeNotInUse, |p| p.edit_inode("plain", |i| i.mode.set(0))),
    damage("inode: no kind of file", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.mode.set(0o170000))
    }),
    damage("inode: form of the fork", Code::BadField, |p| p.edit_inode("plain", |i| i.format = 1)),
    damage("inode: no such form", Code::BadField, |p| p.edit_inode("plain", |i| i.format = 9)),
    damage("inode: one block more", Code::InodeBlocks, |p| {
        p.edit_inode("plain", |i| plus!(i.nblocks))
    }),
    damage("inode: one block less", Code::InodeBlocks, |p| {
        p.edit_inode("clone", |i| minus!(i.nblocks))
    }),
    damage("inode: one extent less in a list", Code::InodeBlocks, |p| {
        p.edit_inode("few", |i| i.big_nextents.set(i.big_nextents.get() - 1))
    }),
    damage("inode: one extent less in a bmbt", Code::ExtentCount, |p| {
        p.edit_inode("frag", |i| i.big_nextents.set(i.big_nextents.get() - 1))
    }),
    damage("inode: more extents than fit", Code::BadField, |p| {
        p.edit_inode("few", |i| i.big_nextents.set(400))
    }),
    damage("inode: attribute fork past the end", Code::BadField, |p| {
        p.edit_inode("attr-short", |i| i.forkoff = 200)
    }),
    damage("inode: attribute fork gone", Code::BadField, |p| {
        p.edit_inode("attr-leaf", |i| i.forkoff = 0)
    }),
    damage("inode: size below zero", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.size.set(1 << 63))
    }),
    damage("inode: a fifo with a size", Code::BadField, |p| {
        p.edit_inode("fifo", |i| i.size.set(5))
    }),
    damage("inode: extent size without a flag", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.extsize.set(4))
    }),
    damage("inode: flag without extent size", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.flags.set(InodeFlags::EXTSIZE.0))
    }),
    damage("inode: extent size on a fifo", Code::BadField, |p| {
        p.edit_inode("fifo", |i| {
            i.flags.set(InodeFlags::EXTSIZE.0);
            i.extsize.set(4);
        })
    }),
    damage("inode: cow extent size without a flag", Code::BadField, |p| {
        p.edit_inode("clone", |i| i.cowextsize.set(4))
    }),
    damage("inode: realtime without such a section", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.flags.set(InodeFlags::REALTIME.0))
    }),
    damage("inode: a bitmap of no realtime section", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.flags.set(InodeFlags::NEWRTBM.0))
    }),
    damage("inode: a fifo with DAX", Code::BadField, |p| {
        p.edit_inode("fifo", |i| i.flags2.set(i.flags2.get() | InodeFlags2::DAX.0))
    }),
    damage("inode: shares and does not say so", Code::ReflinkFlagMissing, |p| {
        p.edit_inode("shared", |i| i.flags2.set(i.flags2.get() & !InodeFlags2::REFLINK.0))
    }),
    damage("inode: a directory that shares", Code::BadField, |p| {
        p.edit_inode("leaf", |i| i.flags2.set(i.flags2.get() | InodeFlags2::REFLINK.0))
    }),
    subtle(FREE, "inode: free and holding blocks", Code::BadField, |p| {
        p.edit_inode_bytes(free_inode(p), |bytes| {
            inode::DinodeDisk::of_mut(bytes).unwrap().nblocks.set(3);
        })
    }),
    damage("inode: free and of some kind", Code::InodeInUse, |p| {
        p.edit_inode_bytes(free_inode(p), |bytes| {
            inode::DinodeDisk::of_mut(bytes).unwrap().mode.set(0o010644);
        })
    }),
    damage("inode: free with another magic", Code::BadMagic, |p| {
        p.edit_inode_bytes(free_inode(p), |bytes| bytes[0] = 0)
    }),
    damage("extent: outside the volume", Code::ExtentOutside, |p| {
        p.edit_extent("few", 1, |e| e.start.0 += 1 << 40)
    }),
    damage("extent: across the end of the AG", Code::ExtentOutside, |p| {
        p.edit_extent("few", 2, |e| e.length = 1 << 20)
    }),
    damage("extent: empty", Code::BadField, |p| {
        p.edit_fork("few", |fork| {
            fork[13] &= 0xe0;
            fork[14..16].fill(0);
        })
    }),
    damage("extent: overlaps the next", Code::ExtentOrder, |p| {
        p.edit_extent("few", 1, |e| e.file.0 = 0)
    }),
    damage("extent: blocks of another file", Code::BlockOwnedTwice, |p| {
        let other = p.extents("unwritten", Fork::Data)[0].start;
        p.edit_fork("few", |fork| {
            let mut extent = Extent::decode(fork).unwrap();
            extent.start = other;
            fork[..16].copy_from_slice(&extent.encode());
        });
        Place::default()
    }),
    damage("extent: blocks of another file, shareable", Code::RefcountMissing, |p| {
        let other = p.extents("plain", Fork::Data)[0].start;
        p.edit_fork("few", |fork| {
            let mut extent = Extent::decode(fork).unwrap();
            extent.start = other;
            fork[..16].copy_from_slice(&extent.encode());
        });
        Place::default()
    }),
    damage("extent: free blocks", Code::BlockFreeAndOwned, |p| {
        p.edit_extent("few", 0, |e| e.start.0 += 2000);
        Place { ag: Some(AgNumber(0)), ..Place::default() }
    }),
    damage("extent: unwritten in a directory", Code::ExtentUnwritten, |p| {
        p.edit_extent("leaf", 0, |e| e.state = ExtentState::Unwritten)
    }),
    damage("extent: unwritten in a symlink", Code::ExtentUnwritten, |p| {
        p.edit_extent("link-long", 0, |e| e.state = ExtentState::Unwritten)
    }),
    damage("extent: unwritten against its reverse mapping", Code::RmapExtra, |p| {
        p.edit_extent("few", 0, |e| e.state = ExtentState::Unwritten);
        Place::default()
    }),
    damage("inode: flags of a directory on a file", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.flags.set(InodeFlags::NOSYMLINKS.0))
    }),
    damage("inode: a flag that nobody knows", Code::BadField, |p| {
        p.edit_inode("plain", |i| i.flags2.set(i.flags2.get() | 1 << 30))
    }),
    damage("inode: linked, and before another without links", Code::UnlinkedChain, |p| {
        p.edit_inode("plain", |i| i.next_unlinked.set(70))
    }),
    damage("extent: a bmbt for three", Code::ExtentForm, shrink_bmbt),
    damage("symlink: size", Code::SymlinkTarget, |p| p.edit_inode("link-long", |i| minus!(i.size))),
    damage("symlink: inline size", Code::SymlinkTarget, |p| {
        p.edit_inode("link-short", |i| plus!(i.size))
    }),
    damage("symlink: NUL in the target", Code::SymlinkTarget, |p| {
        p.edit_fork("link-short", |fork| fork[2] = 0)
    }),
    damage("symlink: magic", Code::BadMagic, |p| {
        let addr = p.addr_of("link-long", Fork::Data, FileBlock(0));
        p.edit(BlockKind::Symlink, addr, |bytes| bytes[0] = 0);
        Place { ino: Some(p.ino("link-long")), ..Place::at(addr) }
    }),
    damage("symlink: part at another offset", Code::SymlinkTarget, |p| {
        let addr = p.addr_of("link-long", Fork::Data, FileBlock(0));
        p.edit(BlockKind::Symlink, addr, |bytes| bytes[7] = 1);
        Place::at(addr)
    }),
    damage("links: one more", Code::LinkCount, |p| p.edit_inode("plain", |i| plus!(i.nlink))),
    damage("links: one less", Code::LinkCount, |p| p.edit_inode("short/c", |i| minus!(i.nlink))),
    damage("links: of a directory", Code::LinkCount, |p| p.edit_inode("above", |i| plus!(i.nlink))),
    damage("links: none, on no chain", Code::LinkCount, |p| {
        p.edit_inode("few", |i| i.nlink.set(0))
    }),
    damage("links: none, no name, on no chain", Code::UnlinkedMissing, |p| Place::inode(orphan(p))),
    damage("links: none, no name, on its chain", Code::UnlinkedInodeLeft, |p| {
        let ino = orphan(p);
        chain(p, ino);
        Place::inode(ino)
    }),
    damage("links: no root", Code::RootDirectory, |p| {
        let root = p.sb.root_ino;
        p.edit_inode_bytes(root, |bytes| {
            let core = inode::DinodeDisk::of_mut(bytes).unwrap();
            core.mode.set(0o010644);
            core.format = 0;
            core.big_nextents.set(0);
        })
    }),
];
