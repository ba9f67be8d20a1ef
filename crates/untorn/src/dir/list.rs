//! Listing a directory from any position.

use super::{Directory, Form};
use crate::da::ForkBlocks;
use std::ops::ControlFlow;
use untorn_format::da::DaBlock;
use untorn_format::dir::{Block, Data, DirBlock, Entry, FileType, Short, Space, entry_size, short};
use untorn_format::{BlockKind, Fault, Geometry, Ino};

/// Where a listing resumes. Zero is the start. A cookie stays good while the directory changes, its
/// form included: entries that were neither added nor removed since are met exactly once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

impl Cookie {
    /// The beginning.
    pub const START: Self = Self(0);
}

/// One entry of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its name; `.` and `..` are listed like others.
    pub name: &'a [u8],
    /// The inode that it names.
    pub ino: Ino,
    /// Kind of that inode as the entry says it.
    pub file_type: FileType,
    /// Where a listing resumes after this entry.
    pub next: Cookie,
}

/// Bytes of the entries `.` and `..`, which lie first, in the order in which they lie.
const DOT: usize = 64;
const DOT_DOT: usize = 64 + 16;

impl<B: ForkBlocks> Directory<'_, B> {
    /// Shows the entries from `from` on to `visit`, until it breaks.
    pub fn list(
        &mut self,
        from: Cookie,
        mut visit: impl FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), B::Error> {
        match self.form()? {
            Form::Short(bytes) => self.list_short(bytes, from, visit),
            Form::Block => {
                let image = self.read(DaBlock(0), BlockKind::DirBlock)?;
                let block = Block::parse(&image);
                let block = block.map_err(|fault| self.blocks.corrupt(Some(DaBlock(0)), fault))?;
                let mut page = Page { geometry: self.blocks.geometry(), block: DirBlock(0), from };
                let shown = page.show(block.entries(), &mut visit);
                shown.map(drop).map_err(|fault| self.blocks.corrupt(Some(DaBlock(0)), fault))
            }
            Form::Indexed => self.list_indexed(from, visit),
        }
    }

    fn list_short(
        &self,
        bytes: &[u8],
        from: Cookie,
        mut visit: impl FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), B::Error> {
        let geometry = self.blocks.geometry();
        let mut show = || {
            short::verify(bytes, geometry)?;
            let short = Short::parse(bytes)?;
            let dot =
                |name, ino, offset| Entry { name, ino, file_type: FileType::Directory, offset };
            let dots = [dot(&b"."[..], self.ino, DOT), dot(b"..", short.parent(), DOT_DOT)];
            let entries = dots.into_iter().map(Ok).chain(short.entries());
            Page { geometry, block: DirBlock(0), from }.show(entries, &mut visit)
        };
        show().map(drop).map_err(|fault| self.blocks.corrupt(None, fault))
    }

    fn list_indexed(
        &mut self,
        from: Cookie,
        mut visit: impl FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), B::Error> {
        let Some(mut block) = start_block(self.blocks.geometry(), from) else { return Ok(()) };
        while let Some(found) = self.next_data_block(block)? {
            let at = self.da_block(Space::Data, found)?;
            let image = self.read(at, BlockKind::DirData)?;
            let data = Data::parse(&image);
            let data = data.map_err(|fault| self.blocks.corrupt(Some(at), fault))?;
            let mut page = Page { geometry: self.blocks.geometry(), block: found, from };
            let shown = page.show(data.entries(), &mut visit);
            let shown = shown.map_err(|fault| self.blocks.corrupt(Some(at), fault))?;
            let (ControlFlow::Continue(()), Some(next)) = (shown, found.0.checked_add(1)) else {
                return Ok(());
            };
            block = DirBlock(next);
        }
        Ok(())
    }

    /// The first data block at or after `from` that is mapped.
    fn next_data_block(&mut self, from: DirBlock) -> Result<Option<DirBlock>, B::Error> {
        let geometry = self.blocks.geometry();
        let start = geometry.dir_file_block(Space::Data, from);
        if start >= geometry.dir_space(Space::Leaf) {
            return Ok(None);
        }
        let Some(start) = DaBlock::of(start) else { return Ok(None) };
        let Some(mapped) = self.blocks.next_mapped(start)? else { return Ok(None) };
        match self.blocks.geometry().dir_block_of(mapped.file_block()) {
            Some((Space::Data, block)) => Ok(Some(block)),
            _ => Ok(None),
        }
    }
}

fn start_block(geometry: &Geometry, from: Cookie) -> Option<DirBlock> {
    let ptr = u32::try_from(from.0).ok()?;
    Some(geometry.dir_place(untorn_format::dir::DataPtr(ptr)).0)
}

/// One data block of a listing.
struct Page<'g> {
    geometry: &'g Geometry,
    block: DirBlock,
    from: Cookie,
}

impl Page<'_> {
    fn show<'e>(
        &mut self,
        entries: impl Iterator<Item = Result<Entry<'e>, Fault>>,
        visit: &mut impl FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Fault> {
        for entry in entries {
            let Entry { name, ino, file_type, offset } = entry?;
            let position = self.geometry.dir_ptr(self.block, offset);
            let outside = Fault::Field { what: "directory", field: "offset", value: offset as u64 };
            let position = u64::from(position.ok_or(outside)?.0);
            if position < self.from.0 {
                continue;
            }
            let next = Cookie(position + entry_size(name.len()) as u64 / 8);
            if visit(Listed { name, ino, file_type, next }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
