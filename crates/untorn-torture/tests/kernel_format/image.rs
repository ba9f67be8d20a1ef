//! Reads blocks of an image and verifies each as it is read.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use untorn_format::kind::verify;
use untorn_format::*;

/// A volume in a file.
pub struct Image {
    file: File,
    pub superblock: Superblock,
}

impl Image {
    pub fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap();
        let mut first = vec![0; 65536];
        file.read_exact_at(&mut first, 0).unwrap();
        let superblock = Superblock::decode(&first).unwrap();
        superblock.check(Access::Write).unwrap();
        Self { file, superblock }
    }
    pub fn geometry(&self) -> &Geometry {
        self.superblock.geometry()
    }
    pub fn read(&self, addr: DiskAddr, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, self.geometry().byte_of(addr)).unwrap();
        bytes
    }
    /// Sector `index` of an AG, not verified, and its address.
    pub fn header(&self, ag: AgNumber, index: u32) -> (DiskAddr, Vec<u8>) {
        let addr = self.geometry().header_addr(ag, index);
        (addr, self.read(addr, self.geometry().sector_size()))
    }
    pub fn identity(&self, addr: DiskAddr) -> Identity<'_> {
        self.superblock.identity(addr, Some(self.superblock.lsn))
    }
    /// A block that must verify.
    pub fn block(&self, kind: BlockKind, addr: DiskAddr, owner: u64) -> Vec<u8> {
        let bytes = self.read(addr, self.geometry().block_size());
        let identity = Identity { owner: Some(owner), ..self.identity(addr) };
        verify(kind, &bytes, &identity).unwrap_or_else(|fault| panic!("{addr}: {fault}"));
        bytes
    }
}
