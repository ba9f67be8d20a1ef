//! Chains of deleted files that somebody damaged.

use super::{BLOCK, made, open};
use std::sync::Arc;
use untorn::{Access, Error, NewFile, OpenOptions, Sync, Volume};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::ag::{Agi, AgiDisk};
use untorn_format::inode::{InodeCore, seal};
use untorn_format::{AgIno, AgNumber, BlockKind, Ino, Lsn, Superblock, kind};

/// A closed volume with files whose inodes can be put on chains.
struct Patient {
    device: Arc<MemoryDevice>,
    sb: Superblock,
    files: Vec<Ino>,
}

impl Patient {
    fn new() -> Self {
        let device = made();
        let volume = open(&device);
        let sb = volume.superblock().clone();
        let make = |index| {
            let file = volume.create_file(format!("/{index}"), NewFile::default()).unwrap();
            file.write_atomic(0, &[index; 2 * BLOCK], Sync::Visible).unwrap();
            file.ino()
        };
        let files = (0..80).map(make).collect();
        volume.close().unwrap();
        Self { device, sb, files }
    }
    /// Number in AG 0 of a file.
    fn number(&self, file: usize) -> AgIno {
        let (ag, number) = self.sb.geometry.split_ino(self.files[file]).unwrap();
        assert_eq!(ag, AgNumber(0));
        number
    }
    fn bucket(&self, file: usize) -> usize {
        Agi::bucket_of(self.number(file))
    }
    /// Two files whose inodes belong to the same chain.
    fn pair(&self) -> (usize, usize) {
        let twin = (1..self.files.len()).find(|&other| self.bucket(other) == self.bucket(0));
        (0, twin.unwrap())
    }
    fn edit(&self, at: u64, length: usize, edit: impl FnOnce(&mut [u8])) {
        let mut bytes = vec![0; length];
        self.device.read_at(at, &mut bytes).unwrap();
        edit(&mut bytes);
        self.device.write_at(at, &bytes).unwrap();
    }
    fn set_head(&self, bucket: usize, head: AgIno) {
        let addr = self.sb.geometry.header_addr(AgNumber(0), 2);
        self.edit(addr.0 << 9, self.sb.geometry.sector_size(), |bytes| {
            AgiDisk::of_mut(bytes).unwrap().unlinked[bucket].set(head.0);
            kind::seal(BlockKind::Agi, bytes, Lsn(1 << 32));
        });
    }
    /// Takes the last name of a file from its inode and puts it before `next` on its chain.
    fn delete(&self, file: usize, next: Option<AgIno>) {
        let ino = self.files[file];
        let (block, index) = self.sb.geometry.inode_block(self.number(file));
        let size = self.sb.geometry.inode_size();
        let at =
            (self.sb.geometry.addr(AgNumber(0), block).0 << 9) + u64::from(index) * size as u64;
        self.edit(at, size, |bytes| {
            let mut core = InodeCore::decode(bytes, &self.sb.inode_identity(ino, None)).unwrap();
            (core.nlink, core.next_unlinked) = (0, next);
            core.encode(bytes);
            seal(bytes, Lsn(1 << 32));
        });
    }
    /// The volume is refused for writing, with the chain named and nothing changed, and can be
    /// read.
    fn refused(self, what: &str, bucket: usize) {
        let before = self.device.content_hash();
        let refused = Volume::open(self.device.clone(), OpenOptions::default()).err().unwrap();
        assert!(matches!(refused, Error::UnlinkedChain { .. }), "{what}: {refused:?}");
        let told = refused.to_string();
        assert!(told.contains(&format!("bucket {bucket} of AG 0")), "{what}: {told}");
        assert!(told.contains("xfs_repair"), "{what}: {told}");
        assert_eq!(before, self.device.content_hash(), "{what}: opening changed the volume");
        self.readable();
    }
    fn readable(&self) {
        let before = self.device.content_hash();
        let options = OpenOptions { access: Access::ReadOnly, ..OpenOptions::default() };
        let volume = Volume::open(self.device.clone(), options).unwrap();
        let mut bytes = vec![0; 2 * BLOCK];
        let file = volume.open_file("/40").unwrap();
        assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
        assert!(bytes.iter().all(|&byte| byte == 40));
        assert_eq!(before, self.device.content_hash(), "reading changed the volume");
    }
}

#[test]
fn deleted_files_on_a_sound_chain_are_freed() {
    let patient = Patient::new();
    let before = open(&patient.device).space().unwrap();
    let (one, two) = patient.pair();
    patient.delete(one, Some(patient.number(two)));
    patient.delete(two, None);
    patient.set_head(patient.bucket(one), patient.number(one));
    let volume = open(&patient.device);
    assert_eq!(volume.recovery().unlinked, 2);
    let after = volume.space().unwrap();
    assert_eq!((after.free, after.free_inodes), (before.free + 4, before.free_inodes + 2));
}

#[test]
fn a_chain_that_leads_to_a_file_in_use_is_refused_for_writing_only() {
    let patient = Patient::new();
    let bucket = patient.bucket(3);
    patient.set_head(bucket, patient.number(3));
    patient.refused("in use", bucket);
}

#[test]
fn a_chain_that_goes_in_circles_is_refused_for_writing_only() {
    let patient = Patient::new();
    let (one, two) = patient.pair();
    let bucket = patient.bucket(one);
    patient.delete(one, Some(patient.number(two)));
    patient.delete(two, Some(patient.number(one)));
    patient.set_head(bucket, patient.number(one));
    patient.refused("circle of two", bucket);
    let patient = Patient::new();
    patient.delete(5, Some(patient.number(5)));
    let bucket = patient.bucket(5);
    patient.set_head(bucket, patient.number(5));
    patient.refused("circle of one", bucket);
}

#[test]
fn a_chain_that_leads_outside_is_refused_for_writing_only() {
    let patient = Patient::new();
    for (what, head) in [("the superblock", 9), ("free space", agi_inodes(&patient) / 2 + 9)] {
        let patient = Patient::new();
        patient.set_head(9, AgIno(head));
        patient.refused(what, 9);
    }
    let patient = Patient::new();
    let strange = (patient.bucket(6) + 1) % 64;
    patient.delete(6, None);
    patient.set_head(strange, patient.number(6));
    patient.refused("an inode of another chain", strange);
}

fn agi_inodes(patient: &Patient) -> u32 {
    patient.sb.geometry.blocks_of(AgNumber(0)) * 8 / 128 * 128
}

#[test]
fn a_header_that_no_agi_can_be_is_refused_for_writing_only() {
    for head in [agi_inodes(&Patient::new()) + 73, 1 << 30 | 137] {
        let patient = Patient::new();
        patient.set_head(9, AgIno(head));
        let refused = Volume::open(patient.device.clone(), OpenOptions::default()).err().unwrap();
        assert!(matches!(refused, Error::Corrupt(_)), "{refused:?}");
        assert!(refused.to_string().contains("AGI: agi_unlinked"), "{refused}");
        patient.readable();
    }
}
