//! Attribute blocks that lie, with checksums that are right: writers end with an answer or a fault.

use super::*;
use crate::map;
use untorn_format::attr::leaf_edit;
use untorn_format::da::kind_of;
use untorn_format::records::Fork;
use untorn_format::{BlockKind, FileBlock, FsBlock, Lsn, kind};

/// A volume with a tree of attributes and values in blocks of their own.
fn tree() -> (Arc<MemoryDevice>, Ino, Vec<u64>) {
    let mut bench = Bench::new(&options(1024, 512));
    for number in 0..260u32 {
        bench.set(format!("attribute-{number:03}").as_bytes(), &[1; 40]);
    }
    for number in 0..4 {
        bench.set(format!("value-{number}").as_bytes(), &[2; 5000]);
    }
    closed(bench)
}

/// A volume that was closed, and where the index blocks of its file's attributes lie on the device.
fn closed(bench: Bench) -> (Arc<MemoryDevice>, Ino, Vec<u64>) {
    let core = bench.volume.core().clone();
    let inode = core.inodes.load(&core, bench.ino).unwrap();
    let mut extents = map::published(&core, bench.ino, &inode.image(), Fork::Attr).unwrap();
    let (mut at, mut blocks) = (FileBlock(0), Vec::new());
    while let Some(extent) = extents.at_or_after(at).unwrap() {
        let starts = (0..u64::from(extent.length)).map(|i| FsBlock(extent.start.0 + i));
        blocks.extend(
            starts.map(|block| core.geometry.byte_of(core.geometry.addr_of(block).unwrap())),
        );
        at = extent.file_end();
    }
    drop((extents, inode));
    drop(core);
    let Bench { device, volume, ino, .. } = bench;
    volume.close().unwrap();
    let index = |at: &u64| {
        let mut bytes = vec![0; 1024];
        device.read_at(*at, &mut bytes).unwrap();
        kind_of(&bytes).is_some()
    };
    blocks.retain(index);
    (device, ino, blocks)
}

/// Changes a few bytes of an index block, most of them where structure is, and seals it again.
fn hurt(device: &MemoryDevice, at: u64, dice: &mut Dice) {
    let mut bytes = vec![0; 1024];
    device.read_at(at, &mut bytes).unwrap();
    let kind = kind_of(&bytes).unwrap();
    for _ in 0..1 + dice.below(3) {
        let place = match dice.below(4) {
            0 => dice.below(8),
            1 => 56 + dice.below(24),
            2 => 64 + dice.below(200),
            _ => dice.below(1024),
        };
        let old = bytes[place as usize];
        bytes[place as usize] =
            [dice.below(256) as u8, old ^ 1, old.wrapping_add(4), 0][dice.below(4) as usize];
    }
    if kind_of(&bytes).is_some() {
        kind::seal(kind, &mut bytes, Lsn(1 << 32));
    }
    device.write_at(at, &bytes).unwrap();
}

#[test]
fn two_values_in_the_same_blocks_are_found_check() {
    let mut bench = Bench::new(&options(1024, 512));
    bench.set(b"one", &[1; 5000]);
    bench.set(b"two", &[1; 5000]);
    let (device, _, blocks) = closed(bench);
    let [leaf] = blocks[..] else { panic!("one leaf: {blocks:?}") };
    let mut bytes = vec![0; 1024];
    device.read_at(leaf, &mut bytes).unwrap();
    let mut entries = leaf_edit::entries(&bytes).unwrap();
    entries[1].value = entries[0].value.clone();
    leaf_edit::fill(&mut bytes, &entries).unwrap();
    kind::seal(BlockKind::AttrLeaf, &mut bytes, Lsn(1 << 32));
    device.write_at(leaf, &bytes).unwrap();
    let report = untorn_check::check(&*device, &Default::default()).unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [untorn_check::Code::AttributeValue]);
}

fn tolerable<T>(result: Result<T, Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(Error::Corrupt(_)) => true,
        Err(Error::NoAttribute(_) | Error::Exists(_) | Error::Unsupported { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn index_blocks_that_lie_are_refused_or_harmless() {
    let (device, ino, blocks) = tree();
    assert!(blocks.len() > 20);
    let mut faults = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let copy = Arc::new(device.snapshot());
        for _ in 0..1 + dice.below(2) {
            let at = blocks[dice.below(blocks.len() as u64) as usize];
            hurt(&copy, at, &mut dice);
        }
        let opened: Arc<dyn BlockDevice> = copy.clone();
        let volume = Volume::open(opened, OpenOptions::default()).unwrap();
        for _ in 0..120 {
            let name = format!("attribute-{:03}", dice.below(300));
            let key = (Namespace::User, name.as_bytes());
            let length = [0, 40, 700, 3000][dice.below(4) as usize];
            let value = dice.bytes(length);
            let done = match dice.below(3) {
                0 => volume.set_attribute(ino, key, &value, SetMode::Upsert),
                _ => volume.remove_attribute(ino, key),
            };
            faults += u32::from(tolerable(done));
        }
        for number in 0..4 {
            let name = format!("value-{number}");
            let removed = volume.remove_attribute(ino, (Namespace::User, name.as_bytes()));
            faults += u32::from(tolerable(removed));
        }
        tolerable(volume.attributes(ino));
        volume.abandon();
    }
    assert!(faults > 100, "{faults} faults were met");
}

#[test]
fn a_data_fork_without_room_for_a_root_is_refused() {
    let bench = Bench::new(&options(4096, 512));
    let core = bench.volume.core().clone();
    let inode = core.inodes.load(&core, bench.ino).unwrap();
    core.transact(4096, std::slice::from_ref(&inode), |tx| {
        let mut dinode = crate::inode::core_of(bench.ino, tx.inode_bytes(bench.ino))?;
        dinode.fork_offset = 1;
        dinode.encode(tx.inode_mut(bench.ino));
        Ok(())
    })
    .unwrap();
    drop((inode, core));
    let Bench { device, volume, .. } = bench;
    volume.close().unwrap();
    let volume = Volume::open(device, OpenOptions::default()).unwrap();
    let file = volume.open_file("/file").unwrap();
    let written = file.write_at(0, &[1; 4096], Sync::Durable);
    assert!(matches!(written, Err(Error::Corrupt(_))), "{written:?}");
    drop(file);
    volume.abandon();
}
