//! Free space within a data part: taking and giving back regions, keeping tags and `best`.
//!
//! `end` is where the data part ends: the block's size for data blocks, the start of the index for
//! the block form. Bytes have been verified when they were read; a fault here means that they were
//! not.

use super::data::{Best, FREE_TAG, FreeHeader, FreeSlot, HEADER_SIZE, Header, Item, short};
use super::entry::{NewEntry, entry_size};
use crate::Fault;
use crate::bytes::{put, view, view_mut};
use crate::wire::U16;
use zerocopy::IntoBytes;

/// A data part being changed.
pub(crate) struct Editor<'a> {
    pub(crate) what: &'static str,
    pub(crate) magic: u32,
    pub(crate) bytes: &'a mut [u8],
    pub(crate) end: usize,
    /// Free regions that `best` does not name may be as long as this.
    unlisted: u16,
}

impl<'a> Editor<'a> {
    pub(crate) fn new(what: &'static str, magic: u32, bytes: &'a mut [u8], end: usize) -> Self {
        Self { what, magic, bytes, end, unlisted: 0 }
    }

    /// What lies between the header and `end`.
    pub(crate) fn area(&self) -> Result<super::data::Area<'_>, Fault> {
        super::data::Area::parse(self.what, self.magic, self.bytes, self.end)
    }

    /// Makes the region free and joins it to free neighbours. `best` may be wrong until
    /// [`Self::settle`].
    pub(crate) fn free(&mut self, offset: usize, length: usize) -> Result<(), Fault> {
        let (mut start, mut stop) = (offset, offset + length);
        if let Some(before) = self.free_before(offset)? {
            self.forget(before)?;
            start = before;
        }
        if let Some(after) = self.free_at(stop)? {
            self.forget(stop)?;
            stop += after;
        }
        self.mark(start, stop - start)
    }

    /// Takes `length` bytes at `offset` out of the free region that starts at `region`; what is
    /// left of it on either side stays free. `best` may be wrong until [`Self::settle`].
    pub(crate) fn take(
        &mut self,
        region: usize,
        offset: usize,
        length: usize,
    ) -> Result<(), Fault> {
        let whole = self.free_at(region)?.unwrap_or(0);
        assert!(region <= offset && offset + length <= region + whole, "taken space is not free");
        self.forget(region)?;
        if region < offset {
            self.mark(region, offset - region)?;
        }
        let (stop, region_end) = (offset + length, region + whole);
        if stop < region_end { self.mark(stop, region_end - stop) } else { Ok(()) }
    }

    /// Writes an entry over taken bytes at `offset`.
    pub(crate) fn write(&mut self, offset: usize, new: &NewEntry<'_>) -> Result<(), Fault> {
        let size = entry_size(new.name.len());
        let mut bytes = Vec::with_capacity(size);
        bytes.extend(new.ino.0.to_be_bytes());
        let Ok(length) = u8::try_from(new.name.len()) else { panic!("a name past 255 bytes") };
        bytes.push(length);
        bytes.extend(new.name);
        bytes.push(new.file_type.code());
        bytes.resize(size - size_of::<U16>(), 0);
        bytes.extend(short(offset).as_bytes());
        put(self.what, self.bytes, offset, &bytes)
    }

    /// Makes `best` right again after regions were taken and made free.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        let [.., least] = *self.best()?;
        if self.unlisted > least.length.get() { self.rescan() } else { Ok(()) }
    }

    fn best(&mut self) -> Result<&mut Best, Fault> {
        Ok(&mut view_mut::<Header>(self.what, self.bytes, 0)?.best)
    }

    /// Takes the region at `offset` out of `best`, if it is there.
    fn forget(&mut self, offset: usize) -> Result<(), Fault> {
        let best = self.best()?;
        let named = |slot: &FreeSlot| slot.length.get() != 0 && slot.offset == short(offset);
        let Some(place) = best.iter().position(named) else { return Ok(()) };
        let least = best[2].length.get();
        best[place..].rotate_left(1);
        best[2] = FreeSlot::default();
        self.unlisted = self.unlisted.max(least);
        Ok(())
    }

    /// Computes `best` anew from the regions that there are.
    pub(crate) fn rescan(&mut self) -> Result<(), Fault> {
        let mut best = Best::default();
        for item in self.area()?.items() {
            if let Item::Free { offset, length } = item? {
                insert(&mut best, FreeSlot { offset: short(offset), length: short(length) });
            }
        }
        self.unlisted = 0;
        *self.best()? = best;
        Ok(())
    }

    /// Length of the free region that starts at `offset`, if one does.
    pub(crate) fn free_at(&self, offset: usize) -> Result<Option<usize>, Fault> {
        if offset >= self.end {
            return Ok(None);
        }
        let header: &FreeHeader = view(self.what, self.bytes, offset)?;
        Ok((header.tag.get() == FREE_TAG).then(|| header.length.get().into()))
    }

    /// Start of the free region that ends at `offset`, if one does.
    pub(crate) fn free_before(&self, offset: usize) -> Result<Option<usize>, Fault> {
        if offset <= HEADER_SIZE {
            return Ok(None);
        }
        let tag: &U16 = view(self.what, self.bytes, offset - size_of::<U16>())?;
        let start = usize::from(tag.get());
        if !(HEADER_SIZE..offset).contains(&start) {
            return Err(Fault::Field { what: self.what, field: "tag", value: start as u64 });
        }
        Ok(self.free_at(start)?.filter(|length| start + length == offset).map(|_| start))
    }

    fn mark(&mut self, offset: usize, length: usize) -> Result<(), Fault> {
        let header = FreeHeader { tag: U16::new(FREE_TAG), length: short(length) };
        put(self.what, self.bytes, offset, header.as_bytes())?;
        let tag_at = offset + length - size_of::<U16>();
        put(self.what, self.bytes, tag_at, short(offset).as_bytes())?;
        insert(self.best()?, FreeSlot { offset: short(offset), length: short(length) });
        Ok(())
    }
}

fn insert(best: &mut Best, slot: FreeSlot) {
    let place = best.iter().position(|other| slot.length.get() > other.length.get());
    if let Some(place) = place {
        let tail = best.iter_mut().skip(place);
        tail.fold(slot, |carried, place| std::mem::replace(place, carried));
    }
}
