//! Journals whose records lie.

use crate::base::{Base, cut_bases, read};
use crate::exercise::exercise;
use crate::script::Script;
use std::sync::{Arc, OnceLock};
use untorn_device::BlockDevice;
use untorn_format::log::{RecordHeader, is_header, seal_record, unstamp_record};
use untorn_store::journal::LogArea;

/// Bytes of a block of the journal.
const BLOCK: usize = 512;

/// Changes records of a journal that a power cut left, leaves their checksums right, and does
/// everything with the volume.
pub fn journal(input: &[u8]) {
    let mut script = Script::new(input);
    let cut = script.below(cut_bases().len());
    let (base, records) = (&cut_bases()[cut], &all_records()[cut]);
    let device = base.device.snapshot();
    for _ in 0..1 + script.byte() % 3 {
        let (offset, header) = &records[script.below(records.len())];
        let mut record = read(&device, *offset, header.blocks() as usize * BLOCK);
        match script.byte() < 0xd0 {
            true => forge(header, &mut record, &mut script),
            false => script.edit(&mut record),
        }
        let done = device.write_at(*offset, &record);
        done.unwrap_or_else(|error| panic!("memory can be written: {error}"));
    }
    exercise(device);
}

/// Changes what a record says, and seals it.
fn forge(header: &RecordHeader, record: &mut [u8], script: &mut Script<'_>) {
    let Ok(body) = unstamp_record(header, record) else { return };
    for _ in 0..1 + script.byte() % 6 {
        // Anywhere in the body: an edit of its own near the start of some operation.
        let from = script.below(body.len());
        script.edit(&mut body[from..]);
    }
    seal_record(header, record, None);
}

/// The records of each base.
fn all_records() -> &'static [Vec<(u64, RecordHeader)>] {
    static RECORDS: OnceLock<Vec<Vec<(u64, RecordHeader)>>> = OnceLock::new();
    RECORDS.get_or_init(|| cut_bases().iter().map(records).collect())
}

/// The records of the journal that do not go around its end, with the byte where each begins.
fn records(base: &Base) -> Vec<(u64, RecordHeader)> {
    let device: Arc<dyn BlockDevice> = Arc::new(base.device.snapshot());
    let Some(area) = LogArea::of(&base.superblock) else { return Vec::new() };
    let mut records = Vec::new();
    let mut block = 0;
    while block < area.blocks {
        let offset = area.start + u64::from(block) * BLOCK as u64;
        let mut bytes = vec![0; BLOCK];
        let read = device.read_at(offset, &mut bytes);
        read.unwrap_or_else(|error| panic!("memory can be read: {error}"));
        let header = is_header(&bytes).then(|| RecordHeader::decode(&bytes).ok()).flatten();
        match header.filter(|header| header.blocks() > 0 && block + header.blocks() <= area.blocks)
        {
            Some(header) => {
                block += header.blocks();
                records.push((offset, header));
            }
            None => block += 1,
        }
    }
    records
}
