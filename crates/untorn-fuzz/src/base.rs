//! Volumes to begin with, and where their metadata lies.
//!
//! They are made once a process: files with one and with many extents, shared blocks, directories,
//! attributes of every form, a file that was removed while open. One is left as a power cut would
//! leave it, so that its journal is full of changes.

use crate::exercise::options;
use std::sync::{Arc, OnceLock};
use untorn::attr::SetMode;
use untorn::{Access, NewFile, SizeRule, Sync, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::attr::Namespace;
use untorn_format::btree::BtreeKind;
use untorn_format::{AgNumber, BlockKind, DiskAddr, Superblock};

/// Bytes of a sector of addresses.
pub(crate) const SECTOR: u64 = 512;

/// A metadata block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) addr: DiskAddr,
    pub(crate) length: usize,
    pub(crate) kind: BlockKind,
}

/// A volume and its metadata.
pub(crate) struct Base {
    pub(crate) device: MemoryDevice,
    pub(crate) superblock: Superblock,
    pub(crate) spots: Vec<Spot>,
}

/// Whether a base was closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Closed,
    Cut,
}

/// All bases.
pub(crate) fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| {
        // Holes of a file cost the most time: with 140, trees of 1 KiB have several leaves.
        let shapes = [
            (4096, 40, Ending::Closed),
            (1024, 140, Ending::Closed),
            (4096, 40, Ending::Cut),
            (1024, 140, Ending::Cut),
        ];
        let make = |(block, holes, ending)| Base::make(block, |device| fill(device, holes, ending));
        shapes.into_iter().map(make).collect()
    })
}

/// Those whose journal holds changes.
pub(crate) fn cut_bases() -> &'static [Base] {
    &bases()[2..]
}

impl Base {
    /// A volume of `block_size` that `fill` has filled.
    pub(crate) fn make(
        block_size: u32,
        fill: impl FnOnce(Arc<MemoryDevice>) -> untorn::Result<()>,
    ) -> Self {
        let device = Arc::new(MemoryDevice::new(48 << 20));
        let options = mkfs::Options {
            uuid: Some([7; 16]),
            block_size,
            log: mkfs::Log { size: Some(14 << 20), ..mkfs::Log::default() },
            ..mkfs::Options::default()
        };
        let made = mkfs::make(&*device, &options);
        made.unwrap_or_else(|error| panic!("the base cannot be made: {error}"));
        let filled = fill(Arc::clone(&device));
        filled.unwrap_or_else(|error| panic!("the base cannot be filled: {error}"));
        Self::of(device.snapshot())
    }

    fn of(device: MemoryDevice) -> Self {
        let superblock = read(&device, 0, SECTOR as usize);
        let superblock = Superblock::decode(&superblock);
        let superblock = superblock.unwrap_or_else(|fault| panic!("the base: {fault}"));
        let spots = spots(&device, &superblock);
        Self { device, superblock, spots }
    }
}

pub(crate) fn read(device: &MemoryDevice, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let done = device.read_at(offset, &mut bytes);
    done.unwrap_or_else(|error| panic!("memory can be read: {error}"));
    bytes
}

fn fill(device: Arc<MemoryDevice>, holes: u64, ending: Ending) -> untorn::Result<()> {
    let volume = Volume::open(device, options(Access::ReadWrite))?;
    let block = u64::from(volume.space()?.block_size);
    let single = volume.create_file("/single", NewFile::default())?;
    single.write_atomic(0, &vec![1; 5 * block as usize], Sync::Visible)?;
    let many = volume.create_file("/many", NewFile::default())?;
    many.write_atomic(0, &vec![2; (2 * holes * block) as usize], Sync::Visible)?;
    for hole in 0..holes {
        many.punch_hole((2 * hole + 1) * block..(2 * hole + 2) * block)?;
    }
    many.allocate(700 * block..710 * block, SizeRule::Grow)?;
    volume.clone_file("/single", "/sharer")?;
    volume.create_dir("/short", NewFile::default())?;
    volume.create_file("/short/file", NewFile::default())?;
    volume.create_dir("/block", NewFile::default())?;
    for name in 0..12 {
        let name = format!("/block/{}{name}", "long".repeat(8));
        volume.create_file(name, NewFile::default())?;
    }
    attributes(&volume)?;
    let open = volume.create_file("/removed", NewFile::default())?;
    open.write_atomic(0, &[3; 9000], Sync::Visible)?;
    volume.sync()?;
    match ending {
        Ending::Closed => {
            drop(open);
            volume.close()
        }
        Ending::Cut => {
            volume.remove("/removed")?;
            single.write_atomic(block, &[4; 100], Sync::Durable)?;
            volume.abandon();
            Ok(())
        }
    }
}

fn attributes(volume: &Volume) -> untorn::Result<()> {
    let forms = [("/short-attrs", 2, 10), ("/leaf-attrs", 8, 60), ("/node-attrs", 90, 400)];
    for (path, count, length) in forms {
        let ino = volume.create_file(path, NewFile::default())?.ino();
        for index in 0..count {
            let name = format!("name-{index}");
            let name = (Namespace::User, name.as_bytes());
            volume.set_attribute(ino, name, &vec![index as u8; length], SetMode::Upsert)?;
        }
    }
    let ino = volume.create_file("/remote-attrs", NewFile::default())?.ino();
    let name = (Namespace::User, b"far".as_slice());
    volume.set_attribute(ino, name, &vec![5; 20_000], SetMode::Upsert)
}

/// The metadata of a volume, by its magic numbers; what is free may look like it too.
fn spots(device: &MemoryDevice, superblock: &Superblock) -> Vec<Spot> {
    let geometry = &superblock.geometry;
    let (block, sector) = (geometry.block_size(), geometry.sector_size());
    let mut spots = Vec::new();
    for ag in 0..geometry.ag_count {
        let kinds = [BlockKind::Superblock, BlockKind::Agf, BlockKind::Agi, BlockKind::Agfl];
        for (index, kind) in kinds.into_iter().enumerate() {
            let addr = geometry.header_addr(AgNumber(ag), index as u32);
            spots.push(Spot { addr, length: sector, kind });
        }
    }
    for offset in (0..device.geometry().size).step_by(block) {
        let bytes = read(device, offset, block);
        let addr = DiskAddr(offset / SECTOR);
        spots.extend(kind_of(&bytes).map(|kind| Spot { addr, length: block, kind }));
    }
    spots
}

fn kind_of(bytes: &[u8]) -> Option<BlockKind> {
    let magic = bytes.first_chunk::<4>()?;
    let inner = bytes.get(8..10)?;
    match (magic, inner) {
        (b"XDB3", _) => Some(BlockKind::DirBlock),
        (b"XDD3", _) => Some(BlockKind::DirData),
        (b"XDF3", _) => Some(BlockKind::DirFree),
        (b"XARM", _) => Some(BlockKind::AttrRemote),
        (b"XSLM", _) => Some(BlockKind::Symlink),
        ([b'I', b'N', ..], _) => Some(BlockKind::Inodes),
        (_, [0x3e, 0xbe]) => Some(BlockKind::DaNode),
        (_, [0x3b, 0xee]) => Some(BlockKind::AttrLeaf),
        (_, [0x3d, 0xf1]) => Some(BlockKind::DirLeaf1),
        (_, [0x3d, 0xff]) => Some(BlockKind::DirLeafN),
        _ => BtreeKind::from_magic(u32::from_be_bytes(*magic)).map(BtreeKind::block_kind),
    }
}
