//! A closed image read block by block, with nothing between the format and the test: inodes by
//! arithmetic, extents by walking, every block verified.

use crate::attr::Attributes;
use crate::da::ForkBlocks;
use crate::dir::Directory;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use untorn_format::btree::root::Root;
use untorn_format::btree::{BtreeKind, Header};
use untorn_format::da::DaBlock;
use untorn_format::inode::{self, ForkFormat, InodeCore, InodeIdentity};
use untorn_format::kind::{self, Identity};
use untorn_format::records::{Extent, Fork};
use untorn_format::{
    BlockKind, Corrupt, Fault, FileBlock, FsBlock, Geometry, Ino, Lsn, Place, Superblock,
};

/// An image that nobody has mounted.
pub(crate) struct RawVolume {
    file: File,
    pub superblock: Superblock,
    /// How many blocks of each kind were read.
    pub read: RefCell<BTreeMap<String, u32>>,
    verified: RefCell<HashMap<FsBlock, Verified>>,
}

/// A block that was verified, as what.
type Verified = (BlockKind, Arc<[u8]>);

/// One inode of it.
pub(crate) struct RawInode {
    pub ino: Ino,
    pub core: InodeCore,
    pub bytes: Vec<u8>,
}

impl RawVolume {
    pub fn open(image: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(image).unwrap();
        let mut sector = vec![0; 4096];
        file.read_exact_at(&mut sector, 0).unwrap();
        let superblock = Superblock::decode(&sector).unwrap();
        Self { file, superblock, read: RefCell::default(), verified: RefCell::default() }
    }

    pub fn geometry(&self) -> &Geometry {
        self.superblock.geometry()
    }

    fn inode_offset(&self, ino: Ino) -> u64 {
        let geometry = self.geometry();
        let (ag, in_ag) = geometry.split_ino(ino).unwrap();
        let (block, index) = geometry.inode_block(in_ag);
        let start = geometry.byte_of(geometry.addr(ag, block));
        start + u64::from(index) * geometry.inode_size() as u64
    }

    pub fn inode(&self, ino: Ino) -> RawInode {
        let mut bytes = vec![0; self.geometry().inode_size()];
        self.file.read_exact_at(&mut bytes, self.inode_offset(ino)).unwrap();
        let identity = InodeIdentity {
            geometry: self.geometry(),
            features: self.superblock.features,
            uuid: self.superblock.meta_uuid,
            ino,
            newest: None,
        };
        let core = InodeCore::decode(&bytes, &identity).unwrap();
        RawInode { ino, core, bytes }
    }

    /// Writes an inode home with the LSN that it had.
    pub fn write_inode(&self, inode: &mut RawInode) {
        inode.core.encode(&mut inode.bytes);
        inode::seal(&mut inode.bytes, inode.core.lsn);
        self.file.write_all_at(&inode.bytes, self.inode_offset(inode.ino)).unwrap();
    }

    /// Writes a block home.
    pub fn write_block(&self, block: FsBlock, kind: BlockKind, bytes: &mut [u8], lsn: Lsn) {
        kind::seal(kind, bytes, lsn);
        let addr = self.geometry().addr_of(block).unwrap();
        self.file.write_all_at(bytes, self.geometry().byte_of(addr)).unwrap();
    }

    fn identity(&self, block: FsBlock, owner: Ino) -> Identity<'_> {
        let addr = self.geometry().addr_of(block).unwrap();
        Identity { owner: Some(owner.0), ..self.superblock.identity(addr, None) }
    }

    fn read_blocks(&self, block: FsBlock, bytes: &mut [u8]) {
        let addr = self.geometry().addr_of(block).unwrap();
        self.file.read_exact_at(bytes, self.geometry().byte_of(addr)).unwrap();
    }

    pub fn note(&self, what: impl Into<String>) {
        *self.read.borrow_mut().entry(what.into()).or_default() += 1;
    }

    /// The fork of an inode that has it in blocks.
    pub fn fork(&self, inode: &RawInode, fork: Fork) -> RawFork<'_> {
        let bytes = fork_bytes(inode, fork);
        let extents = match inode.core.fork_format(fork) {
            ForkFormat::Extents => {
                let count = inode.core.fork_extents(fork) as usize;
                bytes.chunks(16).take(count).map(|record| Extent::decode(record).unwrap()).collect()
            }
            ForkFormat::Btree => self.walk(inode.ino, &Root::decode(bytes).unwrap()),
            other => panic!("a fork of form {other:?} has no blocks"),
        };
        RawFork { volume: self, ino: inode.ino, fork, extents }
    }

    fn walk(&self, ino: Ino, root: &Root) -> Vec<Extent> {
        let mut found = Vec::new();
        let mut pointers: Vec<_> = root.children.iter().map(|&(_, block)| block).collect();
        while let Some(block) = pointers.pop() {
            let mut bytes = vec![0; self.geometry().block_size()];
            self.read_blocks(block, &mut bytes);
            kind::verify(BlockKind::Bmbt, &bytes, &self.identity(block, ino)).unwrap();
            let header = Header::decode(BtreeKind::Bmbt, &bytes).unwrap();
            for index in 0..usize::from(header.numrecs) {
                if header.level == 0 {
                    let at = BtreeKind::Bmbt.record_offset(index);
                    found.push(Extent::decode(&bytes[at..at + 16]).unwrap());
                } else {
                    let at = BtreeKind::Bmbt.pointer_offset(bytes.len(), index);
                    let pointer = bytes[at..at + 8].try_into().unwrap();
                    pointers.push(FsBlock(u64::from_be_bytes(pointer)));
                }
            }
        }
        found.sort_by_key(|extent| extent.file);
        found
    }

    /// The target of a symlink.
    pub fn target(&self, inode: &RawInode) -> Vec<u8> {
        let size = inode.core.size as usize;
        if inode.core.format == ForkFormat::Local {
            self.note("inline symlink");
            let target = fork_bytes(inode, Fork::Data)[..size].to_vec();
            untorn_format::symlink::verify_target(&target).unwrap();
            return target;
        }
        let mut target = Vec::new();
        for extent in self.fork(inode, Fork::Data).extents {
            let mut bytes = vec![0; (extent.length as usize) << self.geometry().block_log];
            self.read_blocks(extent.start, &mut bytes);
            let identity = self.identity(extent.start, inode.ino);
            kind::verify(BlockKind::Symlink, &bytes, &identity).unwrap();
            self.note("remote symlink");
            let part = untorn_format::symlink::parse(&bytes).unwrap();
            assert_eq!(part.offset, target.len());
            target.extend(part.bytes);
        }
        assert_eq!(target.len(), size);
        target
    }
}

pub(crate) fn fork_bytes(inode: &RawInode, fork: Fork) -> &[u8] {
    match fork {
        Fork::Data => inode::data_fork(&inode.bytes).unwrap(),
        Fork::Attr => inode::attr_fork(&inode.bytes).unwrap(),
    }
}

/// One fork of one inode of the image.
pub(crate) struct RawFork<'v> {
    volume: &'v RawVolume,
    ino: Ino,
    fork: Fork,
    pub extents: Vec<Extent>,
}

impl RawFork<'_> {
    fn find(&self, at: FileBlock) -> Option<FsBlock> {
        let holds = |extent: &&Extent| extent.file <= at && at < extent.file_end();
        let extent = self.extents.iter().find(holds)?;
        Some(FsBlock(extent.start.0 + (at.0 - extent.file.0)))
    }
}

impl ForkBlocks for RawFork<'_> {
    type Error = Corrupt;

    fn geometry(&self) -> &Geometry {
        self.volume.geometry()
    }

    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>, Corrupt> {
        let geometry = self.volume.geometry();
        let Some(first) = self.find(at.file_block()) else { return Ok(None) };
        if let Some((as_kind, bytes)) = self.volume.verified.borrow().get(&first)
            && *as_kind == kind
        {
            return Ok(Some(bytes.clone()));
        }
        let blocks = match self.fork {
            Fork::Data => 1 << geometry.dir_block_log,
            Fork::Attr => 1,
        };
        let mut bytes = vec![0; blocks << geometry.block_log];
        for (index, piece) in bytes.chunks_mut(geometry.block_size()).enumerate() {
            let block = self.find(FileBlock(at.file_block().0 + index as u64)).unwrap();
            if block.0 != first.0 + index as u64 {
                self.volume.note("block in several extents");
            }
            self.volume.read_blocks(block, piece);
        }
        let identity = self.volume.identity(first, self.ino);
        let place = Place { ino: Some(self.ino), ..Place::at(identity.addr) };
        kind::verify(kind, &bytes, &identity).map_err(|fault| fault.at(place))?;
        let actual = match kind {
            BlockKind::DaNode => untorn_format::da::kind_of(&bytes).unwrap(),
            other => other,
        };
        self.volume.note(format!("{:?} {actual:?}", self.fork));
        let bytes: Arc<[u8]> = bytes.into();
        self.volume.verified.borrow_mut().insert(first, (kind, bytes.clone()));
        Ok(Some(bytes))
    }

    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>, Corrupt> {
        let from = from.file_block();
        let next = self.extents.iter().find(|extent| extent.file_end() > from);
        Ok(next.map(|extent| DaBlock::of(extent.file.max(from)).unwrap()))
    }

    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> Corrupt {
        let offset = at.map(|at| u64::from(at.0) << self.volume.geometry().block_log);
        fault.at(Place { ino: Some(self.ino), offset, ..Place::default() })
    }
}

/// A directory of the image, whatever its form.
pub(crate) fn directory<'a>(
    volume: &'a RawVolume,
    inode: &'a RawInode,
) -> Directory<'a, Source<'a>> {
    let (inline, blocks) = match inode.core.format {
        ForkFormat::Local => {
            volume.note("Data short");
            let bytes = &fork_bytes(inode, Fork::Data)[..inode.core.size as usize];
            (Some(bytes), None)
        }
        _ => (None, Some(volume.fork(inode, Fork::Data))),
    };
    let blocks = blocks.map_or(Source::Inline(volume), Source::Blocks);
    Directory { ino: inode.ino, size: inode.core.size, inline, blocks }
}

/// The attributes of an inode of the image that has a fork for them.
pub(crate) fn attributes<'a>(
    volume: &'a RawVolume,
    inode: &'a RawInode,
) -> Option<Attributes<'a, Source<'a>>> {
    if !inode.core.has_attr_fork() {
        return None;
    }
    Some(match inode.core.attr_format {
        ForkFormat::Local => {
            volume.note("Attr short");
            let inline = Some(fork_bytes(inode, Fork::Attr));
            Attributes { inline, blocks: Source::Inline(volume) }
        }
        _ => Attributes { inline: None, blocks: Source::Blocks(volume.fork(inode, Fork::Attr)) },
    })
}

/// Blocks where there are some.
pub(crate) enum Source<'a> {
    Inline(&'a RawVolume),
    Blocks(RawFork<'a>),
}

impl ForkBlocks for Source<'_> {
    type Error = Corrupt;

    fn geometry(&self) -> &Geometry {
        match self {
            Self::Inline(volume) => volume.geometry(),
            Self::Blocks(fork) => fork.geometry(),
        }
    }
    fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Option<Arc<[u8]>>, Self::Error> {
        match self {
            Self::Inline(_) => panic!("an inline fork has no blocks"),
            Self::Blocks(fork) => fork.read(at, kind),
        }
    }
    fn next_mapped(&mut self, from: DaBlock) -> Result<Option<DaBlock>, Self::Error> {
        match self {
            Self::Inline(_) => panic!("an inline fork has no blocks"),
            Self::Blocks(fork) => fork.next_mapped(from),
        }
    }
    fn corrupt(&self, at: Option<DaBlock>, fault: Fault) -> Self::Error {
        match self {
            Self::Inline(_) => fault.at(Place::default()),
            Self::Blocks(fork) => fork.corrupt(at, fault),
        }
    }
}
