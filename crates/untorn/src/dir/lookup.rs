//! Looking up one name.

use super::{Directory, Form};
use crate::da::{ForkBlocks, Index, Leaves};
use std::sync::Arc;
use untorn_format::da::{DaBlock, hash_name};
use untorn_format::dir::leaf::Role;
use untorn_format::dir::{
    Block, Data, DataPtr, DirBlock, Entry, FileType, Leaf, Short, Space, short,
};
use untorn_format::{BlockKind, Fault, Ino};

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The inode.
    pub ino: Ino,
    /// Its kind as the entry says it.
    pub file_type: FileType,
}

impl From<Entry<'_>> for Found {
    fn from(entry: Entry<'_>) -> Self {
        Self { ino: entry.ino, file_type: entry.file_type }
    }
}

impl<B: ForkBlocks> Directory<'_, B> {
    /// What `name` names here, `.` and `..` included; `None` where there is no such entry.
    pub fn lookup(&mut self, name: &[u8]) -> Result<Option<Found>, B::Error> {
        match self.form()? {
            Form::Short(bytes) => self.lookup_short(bytes, name),
            Form::Block => {
                let image = self.read(DaBlock(0), BlockKind::DirBlock)?;
                let found = Block::parse(&image).and_then(|block| block.find(name));
                let found = found.map_err(|fault| self.blocks.corrupt(Some(DaBlock(0)), fault))?;
                Ok(found.map(Found::from))
            }
            Form::Indexed => self.lookup_indexed(name),
        }
    }

    fn lookup_short(&self, bytes: &[u8], name: &[u8]) -> Result<Option<Found>, B::Error> {
        let find = || {
            short::verify(bytes, self.blocks.geometry())?;
            let short = Short::parse(bytes)?;
            let directory = |ino| Found { ino, file_type: FileType::Directory };
            match name {
                b"." => Ok(Some(directory(self.ino))),
                b".." => Ok(Some(directory(short.parent()))),
                _ => Ok(short.find(name)?.map(Found::from)),
            }
        };
        find().map_err(|fault| self.blocks.corrupt(None, fault))
    }

    fn lookup_indexed(&mut self, name: &[u8]) -> Result<Option<Found>, B::Error> {
        let hash = hash_name(name);
        let Some(mut leaves) = self.index()?.leaf_for(&mut self.blocks, hash)? else {
            return Ok(None);
        };
        loop {
            let image = leaves.image().clone();
            let leaf = self.leaf(&leaves, &image)?;
            for ptr in leaf.positions(hash) {
                if let Some(found) = self.match_at(ptr, name)? {
                    return Ok(Some(found));
                }
            }
            match leaf.next_for(hash) {
                Some(next) => leaves.step(&mut self.blocks, next)?,
                None => return Ok(None),
            }
        }
    }

    fn index(&self) -> Result<Index, B::Error> {
        let root = self.da_block(Space::Leaf, DirBlock(0))?;
        Ok(Index { root, leaf: BlockKind::DirLeafN })
    }

    fn leaf<'i>(&self, leaves: &Leaves, image: &'i Arc<[u8]>) -> Result<Leaf<'i>, B::Error> {
        let role = match leaves.kind() {
            BlockKind::DirLeaf1 => Role::Single,
            _ => Role::BelowNode,
        };
        Leaf::parse(role, image).map_err(|fault| self.blocks.corrupt(Some(leaves.at()), fault))
    }

    fn match_at(&mut self, ptr: DataPtr, name: &[u8]) -> Result<Option<Found>, B::Error> {
        let (block, offset) = self.blocks.geometry().dir_place(ptr);
        let at = self.da_block(Space::Data, block)?;
        let image = self.read(at, BlockKind::DirData)?;
        let entry = Data::parse(&image).and_then(|data| data.entry(offset));
        let entry = entry.map_err(|fault| self.blocks.corrupt(Some(at), fault))?;
        Ok((entry.name == name).then(|| entry.into()))
    }

    pub(super) fn da_block(&self, space: Space, block: DirBlock) -> Result<DaBlock, B::Error> {
        let file = self.blocks.geometry().dir_file_block(space, block);
        DaBlock::of(file).ok_or_else(|| self.wrong("address", file.0))
    }

    pub(super) fn read(&mut self, at: DaBlock, kind: BlockKind) -> Result<Arc<[u8]>, B::Error> {
        match self.blocks.read(at, kind)? {
            Some(image) => Ok(image),
            None => Err(self.wrong("hole", at.0.into())),
        }
    }

    fn wrong(&self, field: &'static str, value: u64) -> B::Error {
        self.blocks.corrupt(None, Fault::Field { what: "directory", field, value })
    }
}
