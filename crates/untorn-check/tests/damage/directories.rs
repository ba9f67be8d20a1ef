//! Damages of directories.

use super::patient::{Patient, add32, position};
use super::why::SIZE;
use super::{Damage, damage, subtle};
use untorn_check::Code;
use untorn_format::dir::Space;
use untorn_format::*;

/// Where index entries begin in leaves, and bests in free index blocks.
const ENTRIES: usize = 64;

/// Changes a block of a directory; the finding is expected at its address.
fn block(
    p: &Patient,
    (name, space, index): (&str, Space, u32),
    kind: BlockKind,
    edit: impl FnOnce(&mut [u8]),
) -> Place {
    let addr = p.dir_addr(name, space, index);
    p.edit_sized(kind, (addr, p.sb.geometry.dir_block_size()), edit);
    Place { ino: Some(p.ino(name)), ..Place::at(addr) }
}

/// The finding is told of the directory alone.
fn somewhere(place: Place) -> Place {
    Place { addr: None, ..place }
}

fn entry(p: &Patient, entry: &str, edit: impl FnOnce(&mut [u8], usize)) -> Place {
    block(p, ("block", Space::Data, 0), BlockKind::DirBlock, |bytes| {
        let at = position(bytes, entry.as_bytes());
        edit(bytes, at);
    })
}

fn leaf_data(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("leaf", Space::Data, 0), BlockKind::DirData, edit)
}

fn leaf(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("leaf", Space::Leaf, 0), BlockKind::DirLeaf1, edit)
}

fn node_leaf(p: &Patient, index: u32, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("node", Space::Leaf, index), BlockKind::DirLeafN, edit)
}

fn node(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("node", Space::Leaf, 0), BlockKind::DaNode, edit)
}

fn free(p: &Patient, edit: impl FnOnce(&mut [u8])) -> Place {
    block(p, ("node", Space::Free, 0), BlockKind::DirFree, edit)
}

pub const TABLE: &[Damage] = &[
    damage("short form: parent", Code::DirectoryParent, |p| {
        let wrong = p.ino("leaf");
        p.edit_fork("short", |fork| fork[2..6].copy_from_slice(&(wrong.0 as u32).to_be_bytes()))
    }),
    damage("short form: parent that is free", Code::DirectoryDots, |p| {
        p.edit_fork("short", |fork| fork[5] = 0xff)
    }),
    damage("short form: count", Code::BadField, |p| p.edit_fork("short", |fork| fork[0] -= 1)),
    damage("short form: offset", Code::BadOrder, |p| {
        p.edit_fork("short", |fork| {
            let at = position(fork, b"b");
            fork[at - 2..at].fill(0);
        })
    }),
    damage("short form: name with a slash", Code::BadField, |p| {
        p.edit_fork("short", |fork| {
            let at = position(fork, b"hard");
            fork[at] = b'/';
        })
    }),
    damage("short form: entry of a free inode", Code::EntryDangling, |p| {
        p.edit_fork("short", |fork| {
            let at = position(fork, b"hard");
            fork[at + 8] = 0xff;
        })
    }),
    damage("short form: name twice", Code::EntryTwice, |p| {
        p.edit_fork("short", |fork| {
            let at = position(fork, b"b");
            fork[at] = b'a';
        })
    }),
    damage("short form: kind of file", Code::EntryType, |p| {
        p.edit_fork("short", |fork| {
            let at = position(fork, b"hard");
            fork[at + 4] = 2;
        })
    }),
    damage("short form: size", Code::BadField, |p| {
        p.edit_inode("short", |i| i.size.set(i.size.get() + 1))
    }),
    damage("block form: checksum", Code::BadChecksum, |p| {
        let addr = p.dir_addr("block", Space::Data, 0);
        p.edit_raw(addr, 4096, |bytes| bytes[200] ^= 1);
        Place { ino: Some(p.ino("block")), ..Place::at(addr) }
    }),
    damage("block form: owner", Code::BadOwner, |p| {
        block(p, ("block", Space::Data, 0), BlockKind::DirBlock, |bytes| bytes[47] ^= 1)
    }),
    damage("block form: entry of a free inode", Code::EntryDangling, |p| {
        entry(p, "name-03", |bytes, at| bytes[at - 2] = 0xff)
    }),
    damage("block form: entry outside the volume", Code::BadField, |p| {
        entry(p, "name-03", |bytes, at| bytes[at - 6] = 0xff)
    }),
    damage("block form: kind of file", Code::EntryType, |p| {
        entry(p, "name-04", |bytes, at| bytes[at + 7] = 7)
    }),
    damage("block form: no such kind of file", Code::BadField, |p| {
        entry(p, "name-04", |bytes, at| bytes[at + 7] = 77)
    }),
    damage("block form: a name against the index", Code::BadOrder, |p| {
        entry(p, "name-05", |bytes, at| bytes[at] = b'x')
    }),
    damage("block form: tag", Code::BadField, |p| {
        entry(p, "name-05", |bytes, at| bytes[at + 14] ^= 8)
    }),
    damage("block form: `.`", Code::DirectoryDots, |p| {
        let other = p.ino("leaf");
        block(p, ("block", Space::Data, 0), BlockKind::DirBlock, |bytes| {
            bytes[64..72].copy_from_slice(&other.0.to_be_bytes());
        })
    }),
    damage("block form: `..`", Code::DirectoryParent, |p| {
        let other = p.ino("leaf");
        let place = block(p, ("block", Space::Data, 0), BlockKind::DirBlock, |bytes| {
            bytes[80..88].copy_from_slice(&other.0.to_be_bytes());
        });
        somewhere(place)
    }),
    damage("block form: best", Code::BadField, |p| {
        block(p, ("block", Space::Data, 0), BlockKind::DirBlock, |bytes| bytes[51] ^= 8)
    }),
    damage("block form: stale", Code::BadField, |p| {
        block(p, ("block", Space::Data, 0), BlockKind::DirBlock, |bytes| bytes[4095] += 1)
    }),
    subtle(SIZE, "block form: size", Code::DirectorySize, |p| {
        p.edit_inode("block", |i| i.size.set(8192))
    }),
    damage("block form: another directory's block", Code::BadField, |p| {
        let other = p.extents("leaf", Fork::Data)[0].start;
        p.edit_extent("block", 0, |e| e.start = other);
        Place::inode(p.ino("block"))
    }),
    damage("leaf form: name twice", Code::EntryTwice, |p| {
        leaf_data(p, |bytes| {
            let at = position(bytes, b"number-004");
            bytes[at + 9] = b'5';
        });
        Place::inode(p.ino("leaf"))
    }),
    damage("leaf form: a name against the index", Code::IndexDisagrees, |p| {
        somewhere(leaf_data(p, |bytes| {
            let at = position(bytes, b"number-004");
            bytes[at] = b'x';
        }))
    }),
    damage("leaf form: hash", Code::BadOrder, |p| leaf(p, |bytes| bytes[ENTRIES] ^= 0x80)),
    damage("leaf form: a hash that is another's", Code::IndexDisagrees, |p| {
        somewhere(leaf(p, |bytes| bytes.copy_within(ENTRIES + 8..ENTRIES + 12, ENTRIES)))
    }),
    damage("leaf form: address", Code::IndexDisagrees, |p| {
        somewhere(leaf(p, |bytes| add32(bytes, ENTRIES + 4, 1)))
    }),
    damage("leaf form: stale", Code::BadField, |p| leaf(p, |bytes| bytes[59] += 1)),
    damage("leaf form: best", Code::FreeIndex, |p| {
        leaf(p, |bytes| {
            let end = bytes.len();
            bytes[end - 5] ^= 8;
        })
    }),
    damage("leaf form: no best of the last data block", Code::FreeIndex, |p| {
        leaf(p, |bytes| {
            let end = bytes.len() - 4;
            let count = usize::from(bytes[end + 3]);
            bytes.copy_within(end - 2 * count..end - 2, end - 2 * (count - 1));
            bytes[end + 3] -= 1;
        })
    }),
    damage("leaf form: magic", Code::IndexLevel, |p| {
        // As if it were a leaf below a node.
        leaf(p, |bytes| bytes[8..10].copy_from_slice(&0x3dffu16.to_be_bytes()))
    }),
    damage("leaf form: best of a data block", Code::BadField, |p| {
        leaf_data(p, |bytes| bytes[51] ^= 8)
    }),
    damage("leaf form: free region's length", Code::BadField, |p| {
        leaf_data(p, |bytes| {
            let at = position(bytes, b"long-name-number-000");
            bytes[at - 9..at - 5].copy_from_slice(&[0xff, 0xff, 0, 4]);
        })
    }),
    subtle(SIZE, "leaf form: size", Code::DirectorySize, |p| {
        p.edit_inode("leaf", |i| i.size.set(i.size.get() - 4096))
    }),
    damage("node form: hash of a child", Code::IndexHash, |p| {
        node(p, |bytes| bytes[ENTRIES + 3] ^= 1)
    }),
    damage("node form: hashes fall", Code::BadOrder, |p| node(p, |bytes| bytes[ENTRIES] = 0xff)),
    damage("node form: level", Code::IndexLevel, |p| {
        node(p, |bytes| bytes[59] = 2);
        Place::inode(p.ino("node"))
    }),
    damage("node form: child that is not mapped", Code::BlockMissing, |p| {
        node(p, |bytes| add32(bytes, ENTRIES + 4, 0x100));
        Place::inode(p.ino("node"))
    }),
    damage("node form: one child twice", Code::IndexLoop, |p| {
        node(p, |bytes| bytes.copy_within(ENTRIES + 4..ENTRIES + 8, ENTRIES + 12));
        Place::inode(p.ino("node"))
    }),
    damage("node form: neighbour", Code::IndexSibling, |p| {
        node_leaf(p, 1, |bytes| add32(bytes, 0, 1));
        Place::inode(p.ino("node"))
    }),
    damage("node form: neighbour before", Code::IndexSibling, |p| {
        node_leaf(p, 2, |bytes| add32(bytes, 4, 3));
        Place::inode(p.ino("node"))
    }),
    damage("node form: address", Code::IndexDisagrees, |p| {
        somewhere(node_leaf(p, 1, |bytes| add32(bytes, ENTRIES + 12, 2)))
    }),
    damage("node form: best of the free index", Code::FreeIndex, |p| {
        free(p, |bytes| bytes[ENTRIES + 1] ^= 8)
    }),
    damage("node form: used count of the free index", Code::BadField, |p| {
        free(p, |bytes| bytes[59] += 1)
    }),
    damage("node form: free index of other blocks", Code::BadField, |p| {
        free(p, |bytes| add32(bytes, 48, 1))
    }),
    damage("node form: hashes fall from leaf to leaf", Code::IndexOrder, |p| {
        node_leaf(p, 1, |bytes| bytes[ENTRIES..ENTRIES + 4].fill(0));
        Place::inode(p.ino("node"))
    }),
    damage("node form: a leaf that no node names", Code::IndexUnreached, |p| {
        node(p, |bytes| bytes[57] -= 1);
        Place::inode(p.ino("node"))
    }),
    damage("block form: a hole before the block", Code::DirectoryForm, |p| {
        p.edit_extent("block", 0, |e| e.file.0 += 4)
    }),
    damage("tree: `..` makes a ring", Code::Disconnected, |p| {
        let deep = p.ino("above/below/deep");
        p.edit_fork("above", |fork| fork[2..6].copy_from_slice(&(deep.0 as u32).to_be_bytes()));
        Place::default()
    }),
    damage("tree: a directory without a name", Code::Disconnected, |p| {
        let plain = p.ino("plain");
        p.edit_fork("above", |fork| {
            let at = position(fork, b"below");
            fork[at + 6..at + 10].copy_from_slice(&(plain.0 as u32).to_be_bytes());
        });
        Place::inode(p.ino("above/below"))
    }),
    damage("tree: a file without a name", Code::Disconnected, |p| {
        let plain = p.ino("plain");
        p.edit_fork("lone", |fork| {
            let at = position(fork, b"file");
            fork[at + 5..at + 9].copy_from_slice(&(plain.0 as u32).to_be_bytes());
        });
        Place::inode(p.ino("lone/file"))
    }),
];
