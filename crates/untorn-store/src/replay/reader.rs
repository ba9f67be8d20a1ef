//! Reading the ring: blocks through a window, and records one after another.
//!
//! Never here: which records are alive (see `ends`), what their operations mean.

use super::error::{RecoverError, broken, place};
use crate::journal::{LogArea, Ring};
use untorn_device::AlignedBuffer;
use untorn_format::log::{
    LARGEST_RECORD, LOG_BLOCK, RecordHeader, RecordSum, check_record, cycle_of, is_header,
    unstamp_record,
};
use untorn_format::{Fault, Lsn};

/// Blocks that are read at once.
const STRIDE: u32 = 2048;
const _: () = assert!(STRIDE * LOG_BLOCK as u32 >= 2 * LARGEST_RECORD);

/// The ring, seen through a window that follows the reader.
pub(crate) struct Blocks<'r> {
    ring: &'r Ring,
    window: AlignedBuffer,
    start: u32,
    count: u32,
}

impl<'r> Blocks<'r> {
    pub(crate) fn new(ring: &'r Ring) -> Self {
        let stride = STRIDE.min(ring.area().blocks);
        let window = ring.buffer(stride as usize * LOG_BLOCK);
        Self { ring, window, start: 0, count: 0 }
    }
    pub(crate) fn area(&self) -> &LogArea {
        self.ring.area()
    }
    /// `count` blocks (at most [`STRIDE`]) from block `at` on, around the end.
    pub(crate) fn at(&mut self, at: u32, count: u32) -> Result<&mut [u8], RecoverError> {
        let stride = (self.window.len() / LOG_BLOCK) as u32;
        assert!(count <= stride && at < self.area().blocks);
        let mut skip = self.offset(at);
        if skip + count > self.count {
            self.load(at, stride)?;
            skip = 0;
        }
        Ok(&mut self.window[skip as usize * LOG_BLOCK..(skip + count) as usize * LOG_BLOCK])
    }
    /// Blocks from the window's start to `at`.
    fn offset(&self, at: u32) -> u32 {
        at.checked_sub(self.start).unwrap_or_else(|| self.area().blocks - (self.start - at))
    }
    fn load(&mut self, at: u32, count: u32) -> Result<(), RecoverError> {
        self.count = 0;
        self.ring.read(at, &mut self.window[..count as usize * LOG_BLOCK])?;
        (self.start, self.count) = (at, count);
        Ok(())
    }
    /// One block, read alone if it is not in the window: for searches that jump.
    fn probe(&mut self, at: u32) -> Result<[u8; LOG_BLOCK], RecoverError> {
        let mut block = [0; LOG_BLOCK];
        let skip = self.offset(at);
        if skip < self.count {
            let start = skip as usize * LOG_BLOCK;
            block.copy_from_slice(&self.window[start..start + LOG_BLOCK]);
        } else {
            self.ring.read(at, &mut block)?;
        }
        Ok(block)
    }
    /// The cycle of block `at`.
    pub(crate) fn cycle(&mut self, at: u32) -> Result<u32, RecoverError> {
        self.probe(at).map(|block| cycle_of(&block))
    }
    /// The first block of `from..to` (`from <= to`, both within the log) that `wanted` says yes to.
    pub(crate) fn find(
        &mut self,
        from: u32,
        to: u32,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<u32>, RecoverError> {
        for at in from..to {
            if wanted(self.at(at, 1)?) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
    /// The record header nearest before block `at`, at most `reach` blocks back, around the start.
    /// Returns the block and how far back it is.
    pub(crate) fn header_before(
        &mut self,
        at: u32,
        reach: u32,
    ) -> Result<Option<(u32, u32)>, RecoverError> {
        const STEP: u32 = 512;
        let blocks = self.area().blocks;
        let mut back = 0;
        while back < reach {
            let step = STEP.min(reach - back);
            let start = (u64::from(at) + 2 * u64::from(blocks) - u64::from(back + step))
                % u64::from(blocks);
            let chunk = self.at(start as u32, step)?;
            let found = chunk.chunks_exact(LOG_BLOCK).rposition(is_header);
            if let Some(index) = found {
                let block = (start + index as u64) % u64::from(blocks);
                return Ok(Some((block as u32, back + step - index as u32)));
            }
            back += step;
        }
        Ok(None)
    }
    /// The first record header at or behind block `at`, before `reach` blocks are passed.
    pub(crate) fn header_from(&mut self, at: u32, reach: u32) -> Result<Option<u32>, RecoverError> {
        let area = *self.area();
        for ahead in 0..reach {
            let block = area.advance(Lsn::new(1, at), ahead).block();
            if is_header(self.at(block, 1)?) {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }
    /// The header at block `at`, checked against the volume.
    pub(crate) fn header(&mut self, at: u32) -> Result<RecordHeader, RecoverError> {
        let area = *self.area();
        let header =
            RecordHeader::decode(self.at(at, 1)?).map_err(|fault| fault.at(place(&area, at)))?;
        let ours = header.uuid == area.uuid || header.uuid == [0; 16];
        match ours {
            true => Ok(header),
            false => Err(Fault::Uuid { what: "log record" }.at(place(&area, at)).into()),
        }
    }
    /// The whole record whose header is `header`, at block `at`.
    fn record(&mut self, at: u32, header: &RecordHeader) -> Result<&mut [u8], RecoverError> {
        let blocks = header.blocks();
        if blocks > (self.window.len() / LOG_BLOCK) as u32 {
            return Err(broken("a record is longer than the log", self.area(), at).into());
        }
        self.at(at, blocks)
    }
}

/// A record, its stamps undone.
pub(crate) struct Record<'a> {
    pub(crate) header: RecordHeader,
    pub(crate) body: &'a [u8],
}

/// The records from one position to another.
pub(crate) struct Records<'b, 'r> {
    blocks: &'b mut Blocks<'r>,
    at: Lsn,
    end: Lsn,
    /// The record at hand: stamps are not undone in the window, which others read.
    record: Vec<u8>,
}

impl<'b, 'r> Records<'b, 'r> {
    pub(crate) fn new(blocks: &'b mut Blocks<'r>, from: Lsn, to: Lsn) -> Self {
        Self { blocks, at: from, end: to, record: Vec::new() }
    }
    /// Where the next record starts.
    pub(crate) fn position(&self) -> Lsn {
        self.at
    }
    /// The next record. An error says that there is none that can be believed at
    /// [`Records::position`].
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, RecoverError> {
        let at = self.at;
        let Some((header, bytes)) = self.checked()? else { return Ok(None) };
        let bytes = bytes.to_vec();
        self.record = bytes;
        let place = place(self.blocks.area(), at.block());
        let body = unstamp_record(&header, &mut self.record).map_err(|fault| fault.at(place))?;
        Ok(Some(Record { header, body }))
    }
    /// Checks the next record and goes past it.
    pub(crate) fn checked(&mut self) -> Result<Option<(RecordHeader, &[u8])>, RecoverError> {
        if self.at == self.end {
            return Ok(None);
        }
        let area = *self.blocks.area();
        let (block, lsn) = (self.at.block(), self.at);
        let header = self.blocks.header(block)?;
        let rule = |rule| Err(broken(rule, &area, block).into());
        if header.lsn != lsn {
            return rule("a record says that it lies elsewhere");
        }
        if header.length == 0 || header.blocks() > area.distance(block, self.end.block()) {
            return rule("a record is empty or reaches past the head");
        }
        header.check_format().map_err(RecoverError::foreign)?;
        let record = self.blocks.record(block, &header)?;
        let fault = |fault: Fault| fault.at(place(&area, block));
        if let RecordSum::Bad { found, computed } = check_record(&header, record).map_err(fault)? {
            return Err(fault(Fault::Checksum { what: "log record", found, computed }).into());
        }
        self.at = area.advance(lsn, header.blocks());
        Ok(Some((header, record)))
    }
}
