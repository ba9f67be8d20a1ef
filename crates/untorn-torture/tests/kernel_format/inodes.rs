//! Every inode of the volume, its forks and its bmbt.

use crate::database::{Database, Fields};
use crate::image::Image;
use crate::trees::all_inodes;
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use untorn_format::btree::{BtreeKind, Header, root::Root};
use untorn_format::inode::*;
use untorn_format::wire::be64;
use untorn_format::*;

/// Inodes of which xfs_db is asked.
const ASKED: usize = 250;

/// What Linux said of a file.
pub type Told = Metadata;

/// Everything below `root`, as `lstat` says it.
pub fn told_by_linux(root: &Path) -> Vec<Told> {
    settle(root);
    let mut told = vec![std::fs::symlink_metadata(root).unwrap()];
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
            }
            told.push(metadata);
        }
    }
    told
}

/// Delayed allocation decides how many blocks a file has.
fn settle(root: &Path) {
    std::process::Command::new("sync").arg("-f").arg(root).status().unwrap();
}

/// Decodes every inode and compares.
pub fn compare(image: &Image, database: &Database, told: &[Told]) {
    let inodes = all_inodes(image, database);
    let mut cores = HashMap::new();
    for (ino, free) in &inodes {
        let (core, bytes) = read(image, *ino);
        assert_eq!(core.mode == 0, *free, "inode {ino}");
        again(&core, &bytes);
        cores.insert(*ino, (core, bytes));
    }
    for metadata in told {
        let (core, _) = &cores[&Ino(metadata.ino())];
        as_linux_said(image, core, metadata);
    }
    let step = (inodes.len() / ASKED).max(1);
    let rare = |ino: &Ino| cores[ino].0.format == ForkFormat::Btree;
    let asked: Vec<Ino> = inodes
        .iter()
        .enumerate()
        .filter(|(index, (ino, free))| !free && (index % step == 0 || rare(ino)))
        .map(|(_, (ino, _))| *ino)
        .collect();
    as_xfs_db_prints(database, &cores, &asked);
    extents(image, database, &cores, &asked);
}

type Cores = HashMap<Ino, (InodeCore, Vec<u8>)>;

fn read(image: &Image, ino: Ino) -> (InodeCore, Vec<u8>) {
    let geometry = image.geometry();
    let (ag, in_ag) = geometry.split_ino(ino).unwrap();
    let (block, index) = geometry.inode_block(in_ag);
    let bytes = image.read(geometry.addr(ag, block), geometry.block_size());
    let size = geometry.inode_size();
    let bytes = bytes[index as usize * size..][..size].to_vec();
    let identity = image.superblock.inode_identity(ino, Some(image.superblock.lsn));
    let core = InodeCore::decode(&bytes, &identity);
    (core.unwrap_or_else(|fault| panic!("inode {ino}: {fault}")), bytes)
}

/// Written again, an inode is what it was. (Linux keeps no creation time in free inodes' place.)
fn again(core: &InodeCore, bytes: &[u8]) {
    let mut copy = bytes.to_vec();
    copy[..CORE_SIZE].fill(0);
    core.encode(&mut copy);
    seal(&mut copy, core.lsn);
    assert_eq!(copy, bytes, "inode {}", core.ino);
}

fn as_linux_said(image: &Image, core: &InodeCore, told: &Metadata) {
    let time = |time: Timestamp| (time.seconds, i64::from(time.nanos));
    assert_eq!(u32::from(core.mode), told.mode());
    assert_eq!((core.uid, core.gid), (told.uid(), told.gid()));
    assert_eq!((u64::from(core.nlink), core.size), (told.nlink(), told.size()));
    assert_eq!(time(core.mtime), (told.mtime(), told.mtime_nsec()), "inode {}", core.ino);
    assert_eq!(time(core.ctime), (told.ctime(), told.ctime_nsec()), "inode {}", core.ino);
    let sectors = core.blocks * image.geometry().sectors_per_block();
    // Blocks past the end of a file are taken back when it is let go.
    assert!(sectors <= told.blocks(), "inode {}", core.ino);
}

fn as_xfs_db_prints(database: &Database, cores: &Cores, asked: &[Ino]) {
    let commands: Vec<_> =
        asked.iter().map(|ino| vec![format!("inode {ino}"), "print".to_owned()]).collect();
    for (ino, text) in asked.iter().zip(database.texts(&commands)) {
        fields(&cores[ino].0, &Fields::parse(&text));
    }
}

fn fields(core: &InodeCore, fields: &Fields) {
    let pairs = [
        ("core.mode", core.mode.into()),
        ("core.version", core.version.into()),
        ("core.format", core.format.to_disk().into()),
        ("core.aformat", core.attr_format.to_disk().into()),
        ("core.uid", core.uid.into()),
        ("core.gid", core.gid.into()),
        ("core.nlinkv2", core.nlink.into()),
        ("core.projid_lo", u64::from(core.project & 0xffff)),
        ("core.projid_hi", u64::from(core.project >> 16)),
        ("core.size", core.size),
        ("core.nblocks", core.blocks),
        ("core.extsize", core.extent_size.into()),
        ("core.nextents", core.extents),
        ("core.naextents", core.attr_extents.into()),
        ("core.forkoff", core.fork_offset.into()),
        ("core.gen", core.generation.into()),
        ("v3.change_count", core.change_count),
        ("v3.lsn", core.lsn.0),
        ("v3.flags2", core.flags2.0),
        ("v3.cowextsize", core.cow_extent_size.into()),
        ("v3.inumber", core.ino.0),
        ("core.mtime.nsec", core.mtime.nanos.into()),
        ("core.atime.nsec", core.atime.nanos.into()),
        ("v3.crtime.nsec", core.crtime.nanos.into()),
        ("core.prealloc", u64::from(core.flags.has(InodeFlags::PREALLOC))),
        ("core.immutable", u64::from(core.flags.has(InodeFlags::IMMUTABLE))),
        ("core.append", u64::from(core.flags.has(InodeFlags::APPEND))),
        ("core.extsz", u64::from(core.flags.has(InodeFlags::EXTSIZE))),
        ("core.extszinherit", u64::from(core.flags.has(InodeFlags::EXTSZINHERIT))),
        ("core.noatime", u64::from(core.flags.has(InodeFlags::NOATIME))),
        ("core.nodump", u64::from(core.flags.has(InodeFlags::NODUMP))),
    ];
    for (name, value) in pairs {
        assert_eq!(fields.number(name), value, "inode {} {name}", core.ino);
    }
    assert_eq!(fields.text("next_unlinked"), "null");
    assert_eq!(core.next_unlinked, None);
}

/// Data and attribute extents against `bmap` of xfs_db.
fn extents(image: &Image, database: &Database, cores: &Cores, asked: &[Ino]) {
    for (fork, command) in [(Fork::Data, "bmap -d"), (Fork::Attr, "bmap -a")] {
        let mapped = |ino: &&Ino| {
            let (core, _) = &cores[*ino];
            let listed = matches!(core.fork_format(fork), ForkFormat::Extents | ForkFormat::Btree);
            listed && (fork == Fork::Data || core.has_attr_fork())
        };
        let asked: Vec<Ino> = asked.iter().filter(mapped).copied().collect();
        let commands: Vec<_> =
            asked.iter().map(|ino| vec![format!("inode {ino}"), command.to_owned()]).collect();
        for (ino, text) in asked.iter().zip(database.texts(&commands)) {
            let (core, bytes) = &cores[ino];
            let found = fork_extents(image, core, bytes, fork);
            assert_eq!(found, printed(&text), "inode {ino}, {fork:?} fork");
            assert_eq!(found.len() as u64, core.fork_extents(fork));
        }
    }
}

/// `data offset 0 startblock 12 (0/12) count 1 flag 0` a line.
fn printed(text: &str) -> Vec<Extent> {
    let parse = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, "offset", file, "startblock", start, _, "count", length, "flag", flag] = words[..]
        else {
            panic!("bmap prints {line}");
        };
        Extent {
            file: FileBlock(file.parse().unwrap()),
            start: FsBlock(start.parse().unwrap()),
            length: length.parse().unwrap(),
            state: if flag == "0" { ExtentState::Written } else { ExtentState::Unwritten },
        }
    };
    text.lines().filter(|line| line.contains("offset")).map(parse).collect()
}

fn fork_extents(image: &Image, core: &InodeCore, bytes: &[u8], fork: Fork) -> Vec<Extent> {
    let room = match fork {
        Fork::Data => data_fork(bytes).unwrap(),
        Fork::Attr => attr_fork(bytes).unwrap(),
    };
    let mut extents = Vec::new();
    match core.fork_format(fork) {
        ForkFormat::Extents => {
            let count = core.fork_extents(fork) as usize;
            extents
                .extend(room.chunks(Extent::SIZE).take(count).map(|b| Extent::decode(b).unwrap()));
        }
        _ => {
            let root = Root::decode(room).unwrap();
            assert!(root.level < image.superblock.limits().bmbt_levels(fork));
            for (key, child) in &root.children {
                let first = bmbt(image, core.ino, *child, root.level - 1, &mut extents);
                assert_eq!(*key, first);
            }
            let mut again = vec![0; room.len()];
            root.encode(&mut again);
            let used = btree::root::pointer_offset(room.len(), root.children.len());
            let keys = btree::root::key_offset(root.children.len());
            assert_eq!(again[..keys], room[..keys]);
            let pointers = btree::root::pointer_offset(room.len(), 0);
            assert_eq!(again[pointers..used], room[pointers..used]);
        }
    }
    assert!(extents.windows(2).all(|pair| pair[0].file_end() <= pair[1].file));
    assert!(extents.iter().all(|e| {
        let inside = image.geometry().extent(e.start, e.length.into());
        inside.is_some() && Extent::decode(&e.encode()).as_ref() == Ok(e)
    }));
    extents
}

/// Walks a subtree of a bmbt; returns its first file block.
fn bmbt(image: &Image, ino: Ino, block: FsBlock, level: u16, out: &mut Vec<Extent>) -> FileBlock {
    let kind = BtreeKind::Bmbt;
    let addr = image.geometry().addr_of(block).unwrap();
    let bytes = image.block(kind.block_kind(), addr, ino.0);
    let header = Header::decode(kind, &bytes).unwrap();
    assert_eq!(header.level, level);
    let count = usize::from(header.numrecs);
    if level == 0 {
        let leaf: Vec<_> =
            (0..count).map(|i| Extent::decode(&bytes[kind.record_offset(i)..]).unwrap()).collect();
        let first = leaf[0].file;
        out.extend(leaf);
        return first;
    }
    for index in 0..count {
        let child = be64(&bytes, kind.pointer_offset(bytes.len(), index)).unwrap();
        let first = bmbt(image, ino, FsBlock(child), level - 1, out);
        assert_eq!(be64(&bytes, kind.key_offset(index)), Some(first.0));
    }
    FileBlock(be64(&bytes, kind.key_offset(0)).unwrap())
}
