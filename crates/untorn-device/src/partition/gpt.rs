//! The GUID partition table (UEFI specification, chapter 5): a header in the second sector, a copy
//! of it in the last sector, each leading to a table of entries with a checksum.
//!
//! The first header and its table count if both are sound, else the copies.
//!
//! Never here: sizes from the disk used before they are bounded; the `gpt` crate trusts them.

use gpt::{
    disk::LogicalBlockSize,
    header::{Header, read_header_from_arbitrary_device},
    partition::{Partition as Entry, file_read_partitions},
};

use super::{Partition, reader::Reader};
use crate::{BlockDevice, DeviceError, Result};

/// The size of an entry in bytes, the only one in use.
const ENTRY_SIZE: u32 = 128;
/// The most entries that are read (tables in use have 128).
const ENTRIES_MAX: u32 = 4096;

/// Which of the two headers to read.
#[derive(Clone, Copy)]
enum Copy {
    First,
    Last,
}

/// The partitions of a device that has a protective MBR.
pub(super) fn partitions(device: &dyn BlockDevice) -> Result<Vec<Partition>> {
    let own = u64::from(device.geometry().sector_size);
    let block_sizes = [LogicalBlockSize::Lb512, LogicalBlockSize::Lb4096];
    let (mut likely, others): (Vec<_>, Vec<_>) =
        block_sizes.into_iter().partition(|size| size.as_u64() == own);
    likely.extend(others);
    let mut reasons = Vec::new();
    for block_size in likely {
        for copy in [Copy::First, Copy::Last] {
            match read(device, block_size, copy) {
                Ok(partitions) => return Ok(partitions),
                Err(reason) => reasons.push(reason),
            }
        }
    }
    Err(DeviceError::Unusable(format!(
        "the device has a protective MBR but no sound GPT ({})",
        reasons.join("; ")
    )))
}

type Read<T> = std::result::Result<T, String>;

fn read(device: &dyn BlockDevice, size: LogicalBlockSize, copy: Copy) -> Read<Vec<Partition>> {
    let header = header(device, size, copy)?;
    if header.part_size != ENTRY_SIZE || header.num_parts > ENTRIES_MAX {
        return Err(format!("{} entries of {} bytes", header.num_parts, header.part_size));
    }
    let entries = file_read_partitions(&mut Reader::new(device), &header, size)
        .map_err(|error| error.to_string())?;
    let used = entries.into_iter().filter(|(_, entry)| entry.is_used());
    used.map(|(number, entry)| place(number, entry, size)).collect()
}

fn header(device: &dyn BlockDevice, size: LogicalBlockSize, copy: Copy) -> Read<Header> {
    let block = size.as_u64();
    let last = (device.geometry().size / block).saturating_sub(1) * block;
    let mut reader = match copy {
        Copy::First => Reader::new(device),
        Copy::Last => Reader::showing(device, last, block..2 * block),
    };
    let which = match copy {
        Copy::First => "first",
        Copy::Last => "last",
    };
    read_header_from_arbitrary_device(&mut reader, size)
        .map_err(|error| format!("{which} header in blocks of {block}: {error}"))
}

fn place(number: u32, entry: Entry, size: LogicalBlockSize) -> Read<Partition> {
    let length = entry.bytes_len(size).map_err(|error| error.to_string())?;
    let offset = entry.bytes_start(size).map_err(|error| error.to_string())?;
    Ok(Partition { number, offset, length, name: entry.name })
}
