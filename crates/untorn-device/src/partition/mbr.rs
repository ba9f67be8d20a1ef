//! The master boot record: four records in the first sector, and a chain of further sectors for
//! logical partitions.
//!
//! ```text
//!   extended record -> sector with [logical 5, link] -> sector with [logical 6, link] -> ...
//!     a logical begins relative to its own sector, a link relative to the extended partition
//! ```
//!
//! Addresses and lengths count sectors of the device.
//!
//! Never here: cylinders and heads; a chain that is followed without an end.

use gpt::mbr::PartRecord;

use super::Partition;
use crate::{BlockDevice, DeviceError, Result};

const RECORDS_AT: usize = 446;
const RECORD_SIZE: usize = 16;
const SIGNATURE_AT: usize = 510;
const SIGNATURE: [u8; 2] = [0x55, 0xAA];
/// Record types of an extended partition.
const EXTENDED: [u8; 3] = [0x05, 0x0F, 0x85];
/// Record type that says that a GPT counts.
const PROTECTIVE: u8 = 0xEE;
/// The longest chain of logical partitions that is followed.
const LOGICAL_MAX: u32 = 256;

/// Whether the record says that a GPT counts.
pub(super) fn is_protective(record: &PartRecord) -> bool {
    record.os_type == PROTECTIVE
}

fn is_extended(record: &PartRecord) -> bool {
    EXTENDED.contains(&record.os_type)
}

fn is_used(record: &PartRecord) -> bool {
    record.os_type != 0 && record.lb_size != 0
}

/// The records in the first sector of the device; none if it is no MBR.
pub(super) fn records(device: &dyn BlockDevice) -> Result<Option<Vec<PartRecord>>> {
    records_in(device, 0)
}

/// The records in a sector, by its number.
fn records_in(device: &dyn BlockDevice, number: u64) -> Result<Option<Vec<PartRecord>>> {
    let sector_size = device.geometry().sector_size;
    let mut sector = vec![0; sector_size as usize];
    device.read_at(number * u64::from(sector_size), &mut sector)?;
    let (records, signature) = (&sector[RECORDS_AT..SIGNATURE_AT], &sector[SIGNATURE_AT..][..2]);
    if signature != SIGNATURE {
        return Ok(None);
    }
    let records = records.chunks_exact(RECORD_SIZE);
    Ok(Some(records.filter_map(|record| PartRecord::from_bytes(record).ok()).collect()))
}

/// The partitions that the records of the first sector lead to.
pub(super) fn partitions(
    device: &dyn BlockDevice,
    records: &[PartRecord],
) -> Result<Vec<Partition>> {
    let sector_size = u64::from(device.geometry().sector_size);
    let mut found = Vec::new();
    for (number, record) in (1..).zip(records).filter(|(_, record)| is_used(record)) {
        found.push(place(number, 0, record, sector_size));
    }
    if let Some(extended) = records.iter().find(|record| is_used(record) && is_extended(record)) {
        logical(device, u64::from(extended.lb_start), &mut found)?;
    }
    Ok(found)
}

fn place(number: u32, base: u64, record: &PartRecord, sector_size: u64) -> Partition {
    let offset = (base + u64::from(record.lb_start)) * sector_size;
    let length = u64::from(record.lb_size) * sector_size;
    Partition { number, offset, length, name: String::new() }
}

/// Follows the chain of an extended partition that begins at sector `start`.
fn logical(device: &dyn BlockDevice, start: u64, found: &mut Vec<Partition>) -> Result<()> {
    let sector_size = u64::from(device.geometry().sector_size);
    let mut number = 5;
    let mut at = start;
    for _ in 0..LOGICAL_MAX {
        let records = records_in(device, at)?;
        // An extended partition without logical ones need not have a sector of records.
        let Some(records) = records else {
            return if at == start { Ok(()) } else { Err(broken_chain(at)) };
        };
        for record in records.iter().filter(|record| is_used(record) && !is_extended(record)) {
            found.push(place(number, at, record, sector_size));
            number += 1;
        }
        match records.iter().find(|record| is_used(record) && is_extended(record)) {
            Some(link) => at = start + u64::from(link.lb_start),
            None => return Ok(()),
        }
    }
    Err(broken_chain(at))
}

fn broken_chain(at: u64) -> DeviceError {
    DeviceError::Unusable(format!("the chain of logical partitions is broken at sector {at}"))
}
