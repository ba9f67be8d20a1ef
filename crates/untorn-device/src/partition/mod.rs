//! Where the partitions of a device lie: GPT, and MBR with logical partitions.
//!
//! A protective record in the MBR says that the GPT counts, as in Linux. Numbers are those of
//! Linux: GPT entries from 1, primary MBR records 1 to 4, logical partitions from 5.
//!
//! Invariants: a [`Partition`] handed out lies inside the device in whole sectors. Tables are
//! input like any other: sizes in them are checked before memory is taken or loops are run.
//!
//! Never here: changing a table.

mod gpt;
mod mbr;
mod reader;

use crate::{BlockDevice, DeviceError, Result};

/// The kind of a partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// GUID partition table.
    Gpt,
    /// Master boot record.
    Mbr,
}

/// A partition and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The number that Linux gives it.
    pub number: u32,
    /// First byte on the device.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// The name in a GPT; empty in an MBR.
    pub name: String,
}

/// The partitions of a device, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    /// The kind of the table.
    pub kind: TableKind,
    /// The partitions in use, in ascending order of their numbers.
    pub partitions: Vec<Partition>,
}

/// Reads the partition table of a device. [`DeviceError::Unusable`] where there is none or it is
/// damaged.
pub fn table(device: &dyn BlockDevice) -> Result<PartitionTable> {
    let records = mbr::records(device)?.ok_or_else(|| {
        DeviceError::Unusable("the device has no partition table, neither GPT nor MBR".to_owned())
    })?;
    let (kind, partitions) = if records.iter().any(mbr::is_protective) {
        (TableKind::Gpt, gpt::partitions(device)?)
    } else {
        (TableKind::Mbr, mbr::partitions(device, &records)?)
    };
    Ok(PartitionTable { kind, partitions })
}

/// Where partition `number` of the device lies. [`DeviceError::Unusable`] lists the partitions
/// that exist, or says that this one reaches past the end of the device.
pub fn partition(device: &dyn BlockDevice, number: u32) -> Result<Partition> {
    let PartitionTable { partitions, .. } = table(device)?;
    let found = partitions.iter().find(|partition| partition.number == number);
    let found = found.ok_or_else(|| missing(number, &partitions))?;
    let geometry = device.geometry();
    let end = found.offset.checked_add(found.length);
    if end.is_none_or(|end| end > geometry.size) {
        return Err(DeviceError::Unusable(format!(
            "partition {number} ({} bytes at byte {}) reaches past the end of the device of {} \
             bytes",
            found.length, found.offset, geometry.size
        )));
    }
    if !(found.offset | found.length).is_multiple_of(u64::from(geometry.sector_size)) {
        return Err(DeviceError::Unusable(format!(
            "partition {number} is not made of whole sectors of {} bytes",
            geometry.sector_size
        )));
    }
    Ok(found.clone())
}

fn missing(number: u32, partitions: &[Partition]) -> DeviceError {
    let list: Vec<_> = partitions.iter().map(describe).collect();
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    DeviceError::Unusable(format!("there is no partition {number}; the device has: {list}"))
}

fn describe(partition: &Partition) -> String {
    let Partition { number, offset, length, name } = partition;
    let name = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    format!("{number}{name} ({length} bytes at byte {offset})")
}

#[cfg(test)]
mod tests;
