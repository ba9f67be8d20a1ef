//! The begin step and the atomic write against a byte model, the checker and the block accounting.

mod background;
mod batches;
mod cached;
mod forks;
mod gate;
mod growing;
mod hazards;
mod later;
mod later_faults;
mod lazy;
mod matrix;
mod options;
mod picking;
mod points;
mod reviewed;
mod sharers;
mod sparse;

use self::gate::Gate;
use crate::ag::{Claim, Users, share};
use crate::core::Core;
use crate::inode::{CowPiece, CowState, Inode, core_of};
use crate::map;
use crate::mkfs;
use crate::{File, NewFile, OpenOptions, Sync, Volume};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::inode::InodeFlags2;
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{FileBlock, FsBlock};

pub(super) const BLOCK: u64 = 4096;

/// A small volume in memory with one file, and what the file must hold.
pub(super) struct Bench {
    pub device: Arc<MemoryDevice>,
    pub gate: Arc<Gate>,
    pub volume: Volume,
    pub file: File,
    pub model: Vec<u8>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(32 << 20, mkfs::Groups::Default)
    }

    pub fn with(size: u64, groups: mkfs::Groups) -> Self {
        Self::of(size, mkfs::Options { groups, ..mkfs::Options::default() })
    }

    pub fn of(size: u64, options: mkfs::Options) -> Self {
        let device = Arc::new(MemoryDevice::new(size));
        let (contents, uuid) = (mkfs::Contents::Zeroed, Some([3; 16]));
        let options = mkfs::Options { contents, uuid, ..options };
        mkfs::make(&*device, &options).unwrap();
        let gate = Gate::over(device.clone());
        let volume = Volume::open(gate.clone(), OpenOptions::default()).unwrap();
        let file = volume.create_file("/file", NewFile::default()).unwrap();
        Self { device, gate, volume, file, model: Vec::new() }
    }

    pub fn core(&self) -> &Arc<Core> {
        self.volume.core()
    }

    pub fn inode(&self) -> &Arc<Inode> {
        self.file.inode()
    }

    /// Writes to the file and to the model.
    pub fn write(&mut self, offset: u64, length: u64, byte: u8) {
        let bytes = vec![byte; length as usize];
        self.file.write_atomic(offset, &bytes, Sync::Visible).unwrap();
        self.expect(offset, &bytes);
    }

    pub fn expect(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset as usize + bytes.len();
        self.model.resize(self.model.len().max(end), 0);
        self.model[offset as usize..end].copy_from_slice(bytes);
    }

    /// Gives a hole of the file unwritten blocks.
    pub fn preallocate(&self, blocks: Range<u64>) {
        let core = self.core();
        let claims = core.claim(None, blocks.end - blocks.start).unwrap();
        let inode = self.inode();
        core.transact(65536, std::slice::from_ref(inode), |tx| {
            let mut at = blocks.start;
            for claim in &claims {
                let length = claim.extent().length;
                tx.take_claimed(claim.extent())?;
                let (file, start) = (FileBlock(at), claim.block(0));
                let extent = Extent { file, start, length, state: ExtentState::Unwritten };
                map::map(tx, inode.ino, Fork::Data, extent)?;
                at += u64::from(length);
            }
            Ok(())
        })
        .unwrap();
        claims.into_iter().for_each(crate::ag::Claim::settle);
    }

    /// Makes another file that shares all blocks of this one.
    pub fn share(&self) -> File {
        let other = self.volume.create_file("/other", NewFile::default()).unwrap();
        let (one, two) = (self.inode().clone(), other.inode().clone());
        let (core, size) = (self.core(), self.model.len() as u64);
        core.transact(65536, &[one.clone(), two.clone()], |tx| {
            let mut at = FileBlock(0);
            while let Some(extent) = map::next_extent(tx, one.ino, Fork::Data, at)? {
                share(tx, core.ag_extent(extent.start, extent.length)?)?;
                map::map(tx, two.ino, Fork::Data, extent)?;
                at = extent.file_end();
            }
            for inode in [&one, &two] {
                let mut dinode = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
                dinode.flags2 = dinode.flags2.with(InodeFlags2::REFLINK);
                dinode.size = size;
                dinode.encode(tx.inode_mut(inode.ino));
            }
            Ok(())
        })
        .unwrap();
        let _ = Users::Several;
        other
    }

    /// Puts idle blocks into the CoW fork.
    pub fn idle(&self, blocks: Range<u64>) {
        let count = blocks.end - blocks.start;
        let mut at = blocks.start;
        for claim in self.core().claim(None, count).unwrap() {
            let length = u64::from(claim.extent().length);
            let piece = CowPiece { length, state: CowState::Idle(claim) };
            self.inode().cow.lock().insert(FileBlock(at), piece);
            at += length;
        }
    }

    /// Puts a delayed allocation into the CoW fork.
    pub fn delalloc(&self, blocks: Range<u64>) {
        let reserve = self.core().reserve(blocks.end - blocks.start).unwrap();
        self.inode().cow.lock().reserve(blocks, reserve, |_| 0);
    }

    /// Leaves every AG `each` free blocks in one piece, for as long as the claims live.
    pub fn squeeze(&self, each: u64) -> Vec<Claim> {
        let core = self.core();
        core.settle_busy().unwrap();
        let mut held = Vec::new();
        while let Some(count) = core.free_for_data().ok().filter(|&count| count > 0) {
            held.extend(core.claim(None, count).unwrap());
        }
        for ag in 0..core.geometry.ag_count {
            let of_ag = |claim: &&mut Claim| claim.extent().ag.0 == ag;
            let largest = held.iter_mut().filter(of_ag).max_by_key(|c| c.extent().length).unwrap();
            let left = u64::from(largest.extent().length) - each;
            drop(largest.split(left));
        }
        held
    }

    pub fn contents(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.size().unwrap() as usize];
        assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
        bytes
    }

    /// Blocks that the file maps.
    pub fn extents(&self) -> Vec<(u64, FsBlock, u32, ExtentState)> {
        let image = self.inode().image();
        let mut extents =
            map::published(self.core(), self.inode().ino, &image, Fork::Data).unwrap();
        let (mut at, mut found) = (FileBlock(0), Vec::new());
        while let Some(e) = extents.at_or_after(at).unwrap() {
            found.push((e.file.0, e.start, e.length, e.state));
            at = e.file_end();
        }
        found
    }

    /// The file is what the model says, now and after the volume was closed and opened again, and
    /// the checker finds nothing.
    pub fn judge(self, what: &str) {
        let Self { device, gate, volume, file, model } = self;
        drop(gate);
        assert!(Self::contents(&file) == model, "{what}: the file differs from the model");
        drop(file);
        volume.close().unwrap();
        let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
        let findings = report.findings;
        assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
        let device: Arc<dyn BlockDevice> = device;
        let volume = Volume::open(device, OpenOptions::default()).unwrap();
        let file = volume.open_file("/file").unwrap();
        assert!(Self::contents(&file) == model, "{what}: the file differs after opening again");
    }
}
