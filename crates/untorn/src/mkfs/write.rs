//! Writes a planned volume.
//!
//! In this order, with a flush between the steps: the first sector of old is wiped; everything but
//! the first superblock is written, other signatures of old wiped; the first superblock is written.
//! A crash leaves what there was, nothing that is recognised, or the new volume whole.

use untorn_device::{BlockDevice, WriteRequest};
use untorn_format::log::{LOG_BLOCK, RecordHeader, seal_record, unmount_operation};
use untorn_format::{AgBlock, AgNumber, Lsn, Superblock};

use super::error::{MkfsError, Result};
use super::image::{self, Image};
use super::options::{Contents, Discard, Options, Overwrite};
use super::plan::Plan;
use super::{inodes, signatures};

/// Bytes wiped at the start and at the end of the device, where others keep their signatures.
const WIPED: u64 = 128 << 10;
/// The same where there is one: labels of ZFS are as long.
const WIPED_OF_OTHERS: u64 = 512 << 10;
/// Bytes that hold the first superblock, whatever the sectors.
const FIRST: usize = 32 << 10;
/// Bytes of zeroes written with one request.
const ZEROES: u64 = 1 << 20;
/// Groups written in one batch.
const BATCH: u32 = 64;
/// Size of the largest record that the log says its writer could write.
const RECORD_SIZE: u32 = 32 << 10;

/// Writes the volume.
pub(super) fn write(device: &dyn BlockDevice, options: &Options, plan: &Plan) -> Result<()> {
    if options.contents == Contents::Unknown {
        let old = old_superblocks(device, options.overwrite)?;
        clear(device, options.discard, plan, old)?;
    }
    body(device, plan)?;
    device.flush()?;
    device.write_at(0, &image::superblock(&plan.superblock))?;
    Ok(device.flush()?)
}

/// A byte offset and a number of bytes.
type Range = (u64, u64);

/// Makes a device that may hold anything one without known signatures, the log on it empty.
fn clear(device: &dyn BlockDevice, discard: Discard, plan: &Plan, old: Vec<Range>) -> Result<()> {
    let zeroes = vec![0; ZEROES as usize];
    let geometry = &plan.layout.geometry;
    let sector = geometry.sector_size() as u64;
    let wiped = match signatures::find(device)? {
        Some(_) => WIPED_OF_OTHERS,
        None => WIPED,
    };
    zero(device, &[(0, sector)], &zeroes)?;
    device.flush()?;
    if discard == Discard::Whole {
        device.discard(0, geometry.data_blocks << geometry.block_log)?;
    }
    let end = device.geometry().size / sector * sector;
    let log = geometry.addr_of(geometry.log_start).map(|addr| geometry.byte_of(addr));
    let log = log.map(|start| (start, u64::from(geometry.log_blocks) << geometry.block_log));
    let mut ranges = old;
    ranges.extend([(0, wiped), (end - wiped, wiped)]);
    ranges.extend(log);
    zero(device, &ranges, &zeroes)
}

/// Everything but the first superblock and the zeroes of the log.
fn body(device: &dyn BlockDevice, plan: &Plan) -> Result<()> {
    let mut first: Vec<Image> = log_record(&plan.superblock).into_iter().collect();
    let root = plan.layout.root_block();
    first.push(inodes::image(plan, root));
    let count = plan.layout.geometry.ag_count;
    for start in (0..count).step_by(BATCH as usize) {
        let groups = (start..count.min(start.saturating_add(BATCH))).map(AgNumber);
        let mut images: Vec<_> =
            groups.map(|ag| image::head(plan, &plan.layout.group(ag))).collect();
        images.append(&mut first);
        if let Some(head) = images.first_mut().filter(|image| image.offset == 0) {
            let sector = plan.layout.geometry.sector_size();
            head.bytes.drain(..sector);
            head.offset = sector as u64;
        }
        let requests: Vec<_> = images
            .iter()
            .map(|image| WriteRequest { offset: image.offset, bytes: &image.bytes })
            .collect();
        device.write_batch(&requests)?;
    }
    Ok(())
}

/// The blocks that begin each of `groups`.
pub(super) fn groups(
    device: &dyn BlockDevice,
    plan: &Plan,
    groups: std::ops::Range<u32>,
) -> untorn_device::Result<()> {
    for start in groups.clone().step_by(BATCH as usize) {
        let batch = (start..groups.end.min(start.saturating_add(BATCH))).map(AgNumber);
        let images: Vec<_> = batch.map(|ag| image::head(plan, &plan.layout.group(ag))).collect();
        let requests: Vec<_> = images
            .iter()
            .map(|image| WriteRequest { offset: image.offset, bytes: &image.bytes })
            .collect();
        device.write_batch(&requests)?;
    }
    Ok(())
}

/// The one record of a new log: it says that the volume was unmounted.
fn log_record(superblock: &Superblock) -> Option<Image> {
    let geometry = &superblock.geometry;
    let lsn = Lsn::new(1, 0);
    let padded = match superblock.log.stripe_unit {
        1 => 1u32 << superblock.log.sector_log,
        unit => unit,
    };
    let size = RECORD_SIZE.max(padded);
    let header =
        RecordHeader { operations: 1, ..RecordHeader::new(superblock.uuid, lsn, lsn, size) };
    let body = header.header_blocks() as usize * LOG_BLOCK;
    let length = (padded as usize).saturating_sub(body).max(LOG_BLOCK);
    let header = RecordHeader { length: length as u32, ..header };
    let mut bytes = vec![0; body + length];
    let operation = unmount_operation();
    bytes[body..body + operation.len()].copy_from_slice(&operation);
    seal_record(&header, &mut bytes, None);
    let addr = geometry.addr_of(geometry.log_start)?;
    Some(Image { offset: geometry.byte_of(addr), bytes })
}

/// Writes zeroes over ranges.
fn zero(device: &dyn BlockDevice, ranges: &[Range], zeroes: &[u8]) -> Result<()> {
    let pieces = ranges.iter().flat_map(|&(start, length)| {
        (start..start + length).step_by(ZEROES as usize).map(move |offset| {
            let length = (start + length - offset).min(ZEROES);
            WriteRequest { offset, bytes: &zeroes[..length as usize] }
        })
    });
    let requests: Vec<_> = pieces.collect();
    Ok(device.write_batch(&requests)?)
}

/// Refuses a device that holds something; finds the copies of an old superblock, which would
/// confuse a repair.
fn old_superblocks(device: &dyn BlockDevice, overwrite: Overwrite) -> Result<Vec<Range>> {
    let size = device.geometry().size;
    if overwrite == Overwrite::Refuse
        && let Some(what) = signatures::find(device)?
    {
        return Err(MkfsError::Occupied { what });
    }
    let mut start = vec![0; FIRST];
    device.read_at(0, &mut start)?;
    let Ok(old) = Superblock::decode(&start) else { return Ok(Vec::new()) };
    let sector = device.geometry().sector_size.max(1 << old.geometry.sector_log);
    let copies = (1..old.geometry.ag_count).map(|ag| {
        let addr = old.geometry.addr(AgNumber(ag), AgBlock(0));
        (old.geometry.byte_of(addr), u64::from(sector))
    });
    let inside = copies.take_while(|(start, length)| start.saturating_add(*length) <= size);
    Ok(inside.filter(|(start, _)| start.is_multiple_of(sector.into())).collect())
}
