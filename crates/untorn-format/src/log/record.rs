//! Log records: the header, the stamping of cycles into every block, the checksum.
//!
//! ```text
//! block  0          1 .. h             h ..
//!        +----------+---------------+-------------------------------------------+
//!        | header   | more headers  | body: h_len bytes, whole blocks           |
//!        +----------+---------------+-------------------------------------------+
//!        one block    where h_size    the first word of each block is the cycle;
//!                     is above 32 KiB what stood there is kept in the headers
//! ```
//!
//! A record that reaches the end of the log continues at its start, and the blocks there carry the
//! next cycle. So at any time the cycles of the log's blocks fall once, at the head.
//!
//! Never here: where in the log a record lies, or what its operations mean.

use crate::fault::Fault;
use crate::units::Lsn;
use std::mem::size_of;
use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::byteorder::little_endian;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `h_magicno`; never a cycle number.
pub const RECORD_MAGIC: u32 = 0xfeed_babe;
/// Unit of log positions and of cycle stamps in bytes.
pub const LOG_BLOCK: usize = 512;
/// Bytes of record (headers and body) that one header block describes.
pub const BYTES_PER_HEADER: u32 = 32 * 1024;
/// Largest record in bytes, headers included.
pub const LARGEST_RECORD: u32 = 256 * 1024;
/// Blocks whose first words one header block keeps.
const WORDS_PER_HEADER: usize = 64;
/// Bytes of the header that the checksum covers: up to `h_pad0`.
const CHECKED_HEADER: usize = 328;
/// The same as a 32-bit x86 kernel counts them: up to `h_size`.
const CHECKED_HEADER_32: usize = 324;
/// Bytes of a further header that the checksum covers.
const CHECKED_FURTHER: usize = 4 + 4 * WORDS_PER_HEADER;
const FORMAT_LITTLE_ENDIAN: u32 = 1;
const FORMAT_BIG_ENDIAN: u32 = 2;
const FORMAT_IRIX: u32 = 3;
const NAME: &str = "log record";

/// `xlog_rec_header`.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireHeader {
    magic: U32,
    cycle: U32,
    version: U32,
    length: U32,
    lsn: U64,
    tail: U64,
    crc: little_endian::U32,
    previous: U32,
    operations: U32,
    words: [U32; WORDS_PER_HEADER],
    format: U32,
    uuid: [u8; 16],
    size: U32,
    pad: U32,
    reserved: [u8; 184],
}
const _: () = assert!(size_of::<WireHeader>() == LOG_BLOCK);
const _: () = assert!(std::mem::offset_of!(WireHeader, pad) == CHECKED_HEADER_32);
const _: () = assert!(std::mem::offset_of!(WireHeader, reserved) == CHECKED_HEADER);

/// `xlog_rec_ext_header`.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireFurther {
    cycle: U32,
    words: [U32; WORDS_PER_HEADER],
    reserved: [u8; 252],
}
const _: () = assert!(size_of::<WireFurther>() == LOG_BLOCK);

/// What a record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Cycle in which the record starts.
    pub cycle: u32,
    /// 1, or 2 for logs whose records may be larger than 32 KiB and padded to a stripe unit.
    pub version: u32,
    /// Length of the body in bytes.
    pub length: u32,
    /// Where the record starts.
    pub lsn: Lsn,
    /// The oldest record whose changes were not home when this one was written.
    pub tail: Lsn,
    /// Stored checksum; zero where there is none (mkfs).
    pub crc: u32,
    /// Block at which the record before starts; all ones where there was none.
    pub previous: u32,
    /// Operations that begin in the body.
    pub operations: u32,
    /// `h_fmt`.
    pub format: u32,
    /// UUID of the volume.
    pub uuid: [u8; 16],
    /// Size of the largest record of whoever wrote this one, headers included.
    pub size: u32,
}

impl RecordHeader {
    /// A header for a version 2 record in this format; length, checksum and operations are zero.
    pub fn new(uuid: [u8; 16], lsn: Lsn, tail: Lsn, size: u32) -> Self {
        Self {
            cycle: lsn.cycle(),
            version: 2,
            length: 0,
            lsn,
            tail,
            crc: 0,
            previous: u32::MAX,
            operations: 0,
            format: FORMAT_LITTLE_ENDIAN,
            uuid,
            size,
        }
    }
    /// Reads a header from the first block of a record. Checks the magic, the version and that
    /// sizes are possible; neither the checksum nor the volume.
    pub fn decode(block: &[u8]) -> Result<Self, Fault> {
        let (wire, _) = WireHeader::ref_from_prefix(block).map_err(|_| Fault::Short {
            what: NAME,
            have: block.len(),
            need: LOG_BLOCK,
        })?;
        if wire.magic.get() != RECORD_MAGIC {
            return Err(Fault::Magic { what: NAME, found: wire.magic.get().into() });
        }
        let header = Self {
            cycle: wire.cycle.get(),
            version: wire.version.get(),
            length: wire.length.get(),
            lsn: Lsn(wire.lsn.get()),
            tail: Lsn(wire.tail.get()),
            crc: wire.crc.get(),
            previous: wire.previous.get(),
            operations: wire.operations.get(),
            format: wire.format.get(),
            uuid: wire.uuid,
            size: wire.size.get(),
        };
        header.check().map(|()| header)
    }
    fn check(&self) -> Result<(), Fault> {
        let field =
            |field, value: u32| Err(Fault::Field { what: NAME, field, value: value.into() });
        if !matches!(self.version, 1 | 2) {
            return field("h_version", self.version);
        }
        if self.length > LARGEST_RECORD {
            return field("h_len", self.length);
        }
        if self.size > LARGEST_RECORD {
            return field("h_size", self.size);
        }
        Ok(())
    }
    /// Checks that the items of the record can be read here: refuses other formats by name.
    pub fn check_format(&self) -> Result<(), &'static str> {
        match self.format {
            FORMAT_LITTLE_ENDIAN => Ok(()),
            FORMAT_BIG_ENDIAN => Err("items written by a big-endian host"),
            FORMAT_IRIX => Err("items written by IRIX on a big-endian host"),
            _ => Err("items in an unknown format"),
        }
    }
    /// Header blocks of the record.
    pub fn header_blocks(&self) -> u32 {
        match self.version {
            2 => header_blocks(self.size),
            _ => 1,
        }
    }
    /// Body blocks of the record.
    pub fn body_blocks(&self) -> u32 {
        self.length.div_ceil(LOG_BLOCK as u32)
    }
    /// Blocks of the record.
    pub fn blocks(&self) -> u32 {
        self.header_blocks() + self.body_blocks()
    }
    fn wire(&self) -> WireHeader {
        WireHeader {
            magic: RECORD_MAGIC.into(),
            cycle: self.cycle.into(),
            version: self.version.into(),
            length: self.length.into(),
            lsn: self.lsn.0.into(),
            tail: self.tail.0.into(),
            crc: self.crc.into(),
            previous: self.previous.into(),
            operations: self.operations.into(),
            words: [U32::ZERO; WORDS_PER_HEADER],
            format: self.format.into(),
            uuid: self.uuid,
            size: self.size.into(),
            pad: U32::ZERO,
            reserved: [0; 184],
        }
    }
    /// The header alone as a block, with a body length as given and no checksum: what recovery
    /// writes over blocks ahead of the head.
    pub fn to_block(&self) -> [u8; LOG_BLOCK] {
        let mut block = [0; LOG_BLOCK];
        block.copy_from_slice(self.wire().as_bytes());
        block
    }
}

/// Header blocks of a record whose writer's largest record is `size` bytes.
pub fn header_blocks(size: u32) -> u32 {
    size.div_ceil(BYTES_PER_HEADER).max(1)
}

/// The cycle that a block of the log was last written in.
pub fn cycle_of(block: &[u8]) -> u32 {
    match word(block, 0) {
        RECORD_MAGIC => word(block, 1),
        cycle => cycle,
    }
}

/// The cycle that follows `cycle`.
pub fn next_cycle(cycle: u32) -> u32 {
    match cycle.wrapping_add(1) {
        RECORD_MAGIC => RECORD_MAGIC + 1,
        next => next,
    }
}

/// The cycle that comes before `cycle`.
pub fn previous_cycle(cycle: u32) -> u32 {
    match cycle.wrapping_sub(1) {
        RECORD_MAGIC => RECORD_MAGIC - 1,
        previous => previous,
    }
}

/// Whether a block starts with the magic of a record header.
pub fn is_header(block: &[u8]) -> bool {
    word(block, 0) == RECORD_MAGIC
}

fn word(block: &[u8], index: usize) -> u32 {
    let bytes = block.get(index * 4..index * 4 + 4);
    bytes.and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Turns `record` (header blocks with anything in them, then a body of whole blocks) into a record
/// as the log holds it: stamps cycles, keeps the words they replace, fills the header and its
/// checksum. The blocks from index `wrap` on lie at the start of the log: they get the next cycle.
pub fn seal_record(header: &RecordHeader, record: &mut [u8], wrap: Option<usize>) {
    let headers = header.header_blocks() as usize;
    let blocks = record.len() / LOG_BLOCK;
    assert!(record.len().is_multiple_of(LOG_BLOCK) && blocks == header.blocks() as usize);
    let cycle_at = |block| match wrap {
        Some(wrap) if block >= wrap => next_cycle(header.cycle),
        _ => header.cycle,
    };
    let (head, body) = record.split_at_mut(headers * LOG_BLOCK);
    let mut first = header.wire();
    let mut further = vec![WireFurther::new_zeroed(); headers - 1];
    for (index, block) in body.chunks_exact_mut(LOG_BLOCK).enumerate() {
        let (start, _) = block.split_at_mut(4);
        let kept = words_of(&mut first, &mut further, index);
        kept.as_mut_bytes().copy_from_slice(start);
        start.copy_from_slice(&cycle_at(headers + index).to_be_bytes());
    }
    for (index, extra) in further.iter_mut().enumerate() {
        extra.cycle = cycle_at(1 + index).into();
    }
    let (first_block, further_blocks) = head.split_at_mut(LOG_BLOCK);
    first_block.copy_from_slice(first.as_bytes());
    further_blocks.copy_from_slice(further.as_bytes());
    first.crc = checksum(record, headers, CHECKED_HEADER).into();
    let (first_block, _) = record.split_at_mut(LOG_BLOCK);
    first_block.copy_from_slice(first.as_bytes());
}

/// Where the first word of body block `index` is kept.
fn words_of<'a>(
    first: &'a mut WireHeader,
    further: &'a mut [WireFurther],
    index: usize,
) -> &'a mut U32 {
    match index / WORDS_PER_HEADER {
        0 => &mut first.words[index],
        extra => &mut further[extra - 1].words[index % WORDS_PER_HEADER],
    }
}

/// The checksum of a record as the log holds it: the header up to byte `checked` with a checksum of
/// zero, the meaningful part of each further header, the body. Stamps included.
fn checksum(record: &[u8], headers: usize, checked: usize) -> u32 {
    const CRC: std::ops::Range<usize> = 32..36;
    let (head, body) = record.split_at(headers * LOG_BLOCK);
    let (first, further) = head.split_at(LOG_BLOCK);
    let mut first: Vec<u8> = first.iter().copied().take(checked).collect();
    first[CRC].fill(0);
    let mut crc = crc32c::crc32c(&first);
    for extra in further.chunks_exact(LOG_BLOCK) {
        crc = crc32c::crc32c_append(crc, &extra[..CHECKED_FURTHER]);
    }
    crc32c::crc32c_append(crc, body)
}

/// What a record's checksum says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordSum {
    /// It matches.
    Good,
    /// The record has none. mkfs writes such records.
    Absent,
    /// It does not match.
    Bad {
        /// What the header says.
        found: u32,
        /// What the contents give.
        computed: u32,
    },
}

/// Checks the checksum of `record`, all its blocks as the log holds them, whose header is `header`.
/// Fails where `record` is shorter than its header says.
pub fn check_record(header: &RecordHeader, record: &[u8]) -> Result<RecordSum, Fault> {
    let record = whole(header, record)?;
    let headers = header.header_blocks() as usize;
    let computed = checksum(record, headers, CHECKED_HEADER);
    Ok(match header.crc {
        0 => RecordSum::Absent,
        crc if crc == computed => RecordSum::Good,
        crc if crc == checksum(record, headers, CHECKED_HEADER_32) => RecordSum::Good,
        found => RecordSum::Bad { found, computed },
    })
}

fn whole<'a>(header: &RecordHeader, record: &'a [u8]) -> Result<&'a [u8], Fault> {
    let need = header.blocks() as usize * LOG_BLOCK;
    record.get(..need).ok_or(Fault::Short { what: NAME, have: record.len(), need })
}

/// Puts the words that stamps replaced back into the body and returns the body: `h_len` bytes.
/// `record` holds all blocks of the record whose header is `header`.
pub fn unstamp_record<'a>(
    header: &RecordHeader,
    record: &'a mut [u8],
) -> Result<&'a mut [u8], Fault> {
    whole(header, record)?;
    let (head, body) = record.split_at_mut(header.header_blocks() as usize * LOG_BLOCK);
    let kept = kept_words(head);
    let short = Fault::Short { what: NAME, have: kept.len(), need: header.body_blocks() as usize };
    let body = &mut body[..header.length as usize];
    for (index, block) in body.chunks_mut(LOG_BLOCK).enumerate() {
        let word = kept.get(index).ok_or_else(|| short.clone())?;
        if let Some((start, _)) = block.split_at_mut_checked(4) {
            start.copy_from_slice(word);
        }
    }
    Ok(body)
}

/// The words kept in the header blocks `head`, in the order of the body's blocks.
fn kept_words(head: &[u8]) -> Vec<[u8; 4]> {
    const FIRST: std::ops::Range<usize> = 44..44 + 4 * WORDS_PER_HEADER;
    const FURTHER: std::ops::Range<usize> = 4..4 + 4 * WORDS_PER_HEADER;
    let (first, further) = head.split_at(LOG_BLOCK);
    let further = further.chunks_exact(LOG_BLOCK).map(|block| &block[FURTHER]);
    std::iter::once(&first[FIRST])
        .chain(further)
        .flat_map(|words| words.as_chunks::<4>().0)
        .copied()
        .collect()
}
