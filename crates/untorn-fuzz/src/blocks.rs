//! Single blocks and items: decoders without a volume around them.

use crate::base::{SECTOR, bases, read};
use crate::script::Script;
use untorn_format::btree::{BtreeKind, Header, root};
use untorn_format::da::Node;
use untorn_format::dir::leaf::Role;
use untorn_format::dir::{Block, Data, Free, Leaf};
use untorn_format::inode::{self, DinodeDisk, InodeCore};
use untorn_format::log::{Item, Operation, RecordHeader, TransactionHeader, check_record};
use untorn_format::records::{AllocRec, Extent, InobtRec, RefcountRec, RmapRec};
use untorn_format::{
    BlockKind, DiskAddr, Identity, Superblock, attr, checksum, dir, kind, parent, symlink,
};

const KINDS: [BlockKind; 22] = [
    BlockKind::Superblock,
    BlockKind::Agf,
    BlockKind::Agi,
    BlockKind::Agfl,
    BlockKind::Bnobt,
    BlockKind::Cntbt,
    BlockKind::Inobt,
    BlockKind::Finobt,
    BlockKind::Rmapbt,
    BlockKind::Refcountbt,
    BlockKind::Bmbt,
    BlockKind::Inodes,
    BlockKind::DirBlock,
    BlockKind::DirData,
    BlockKind::DirLeaf1,
    BlockKind::DirLeafN,
    BlockKind::DirFree,
    BlockKind::DaNode,
    BlockKind::AttrLeaf,
    BlockKind::AttrRemote,
    BlockKind::Symlink,
    BlockKind::Dquot,
];

/// Reads bytes as every structure: as they are, or as edits of a block that is right.
pub fn blocks(input: &[u8]) {
    let mut script = Script::new(input);
    match script.byte() % 4 {
        0 => as_everything(script.rest(), DiskAddr(u64::from(script.byte()))),
        1 => {
            let size = 512 << (script.byte() % 8);
            let mut bytes = script.rest().to_vec();
            bytes.resize(size, 0);
            as_everything(&bytes, DiskAddr(8));
        }
        _ => edited(&mut script),
    }
}

fn edited(script: &mut Script<'_>) {
    let base = &bases()[script.below(bases().len())];
    let spot = base.spots[script.below(base.spots.len())];
    let mut bytes = read(&base.device, spot.addr.0 * SECTOR, spot.length);
    while !script.is_over() {
        script.edit(&mut bytes);
    }
    as_everything(&bytes, spot.addr);
    if let Some(seal) = spot.kind.seal_at() {
        checksum::stamp(&mut bytes, seal.crc);
    }
    as_everything(&bytes, spot.addr);
}

fn as_everything(bytes: &[u8], addr: DiskAddr) {
    let base = &bases()[0];
    let identity = Identity {
        geometry: base.superblock.geometry(),
        uuid: base.superblock.meta_uuid,
        addr,
        owner: None,
        newest: None,
    };
    for kind in KINDS {
        let _ = kind::verify(kind, bytes, &identity);
    }
    as_superblock(bytes);
    as_btrees(bytes);
    as_directory(bytes, &identity);
    as_attributes(bytes);
    as_inode(bytes, base.superblock.geometry().inode_size());
    as_journal(bytes);
    let _ = symlink::parse(bytes);
    let _ = symlink::verify_target(bytes);
    let _ = parent::decode_value(bytes);
}

fn as_superblock(bytes: &[u8]) {
    let _ = Superblock::sector_size(bytes);
    let _ = Superblock::decode_copy(bytes);
    if let Ok(superblock) = Superblock::decode(bytes) {
        let limits = superblock.limits();
        let _ = (limits.inode_layout(), limits.root_ino(), limits.reserve_pool());
        let _ = (limits.set_aside(), limits.first_free_list());
        BtreeKind::ALL.into_iter().for_each(|kind| assert!(limits.max_levels(kind) > 0));
    }
}

fn as_btrees(bytes: &[u8]) {
    for kind in BtreeKind::ALL {
        let _ = Header::decode(kind, bytes);
        let _ = Header::shape(kind, bytes);
    }
    let _ = root::Root::decode(bytes);
    let _ = root::shape(bytes);
    for record in bytes.chunks(24).take(64) {
        let _ = (AllocRec::decode(record), Extent::decode(record), RefcountRec::decode(record));
        let _ = RmapRec::decode(record);
        for form in
            [untorn_format::records::ChunkForm::Full, untorn_format::records::ChunkForm::Sparse]
        {
            let _ =
                InobtRec::decode(record, form).map(|chunk| (chunk.verify(), chunk.first_free()));
        }
    }
}

fn as_directory(bytes: &[u8], identity: &Identity<'_>) {
    let _ = dir::short::verify(bytes, identity.geometry);
    if let Ok(short) = dir::Short::parse(bytes) {
        short.entries().for_each(drop);
        let _ = short.find(b"file");
    }
    if let Ok(block) = Block::parse(bytes) {
        block.items().for_each(drop);
        block.entries().for_each(drop);
        let _ = block.find(b"file");
    }
    if let Ok(data) = Data::parse(bytes) {
        data.items().for_each(drop);
        for offset in (0..bytes.len() + 8).step_by(8) {
            let _ = data.entry(offset);
        }
    }
    for role in [Role::Single, Role::BelowNode] {
        if let Ok(leaf) = Leaf::parse(role, bytes) {
            let _ = leaf.entries().iter().map(|entry| entry.hash()).max();
        }
    }
    if let Ok(free) = Free::parse(bytes) {
        free.bests().for_each(drop);
    }
    if let Ok(node) = Node::parse(bytes) {
        let _ = (node.child_for(0x1234_5678), node.first_child(), node.level());
    }
}

fn as_attributes(bytes: &[u8]) {
    let _ = attr::short::verify(bytes);
    if let Ok(short) = attr::Short::parse(bytes) {
        short.attrs().for_each(drop);
    }
    let _ = attr::remote::parse(bytes);
    if let Ok(leaf) = attr::Leaf::parse(bytes) {
        leaf.attrs().for_each(drop);
        let _ = attr::leaf_edit::entries(bytes);
    }
}

fn as_inode(bytes: &[u8], size: usize) {
    for inode in bytes.chunks(size) {
        let _ = DinodeDisk::of(inode).and_then(InodeCore::from_disk);
        let _ = (inode::data_fork(inode), inode::attr_fork(inode));
    }
}

fn as_journal(bytes: &[u8]) {
    if let Ok(header) = RecordHeader::decode(bytes) {
        let _ = check_record(&header, bytes);
    }
    let _ = TransactionHeader::decode(bytes);
    let mut rest = bytes;
    let mut regions = Vec::new();
    while let Ok((_, data, behind)) = Operation::decode(rest) {
        regions.push(data);
        if behind.len() >= rest.len() {
            break;
        }
        rest = behind;
    }
    let _ = Item::decode(&regions);
    // As one region, and cut in regions of a few sizes: an item says itself what it expects.
    let _ = Item::decode(&[bytes]);
    for size in [16, 24, 56, 176] {
        let regions: Vec<&[u8]> = bytes.chunks(size).take(32).collect();
        let _ = Item::decode(&regions);
    }
}
