//! Tables made by sfdisk, sound and damaged. Fixtures hold the 16-byte lines of an 8 MiB image that
//! are not zero: byte offset and bytes, in hexadecimal.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{MemoryDevice, WindowDevice};

const GPT: &str = include_str!("fixtures/gpt.txt");
const GPT_4096: &str = include_str!("fixtures/gpt4096.txt");
const MBR: &str = include_str!("fixtures/mbr.txt");
const SIZE: usize = 8 << 20;

fn image(fixture: &str) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    for line in fixture.lines() {
        let (offset, digits) = line.split_once(' ').unwrap();
        let offset = usize::from_str_radix(offset, 16).unwrap();
        for at in 0..digits.len() / 2 {
            bytes[offset + at] = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
        }
    }
    bytes
}

fn device(bytes: &[u8], sector_size: u32) -> Arc<MemoryDevice> {
    let device = MemoryDevice::with_sector_size(bytes.len() as u64, sector_size);
    device.write_at(0, bytes).unwrap();
    Arc::new(device)
}

/// Number, first sector, sectors.
fn places(table: &PartitionTable, sector_size: u64) -> Vec<(u32, u64, u64)> {
    let place = |p: &Partition| (p.number, p.offset / sector_size, p.length / sector_size);
    table.partitions.iter().map(place).collect()
}

fn refusal(device: &dyn BlockDevice, number: u32) -> String {
    partition(device, number).unwrap_err().to_string()
}

#[test]
fn a_gpt_reads_as_sfdisk_wrote_it() {
    let table = table(&*device(&image(GPT), 512)).unwrap();
    assert_eq!(table.kind, TableKind::Gpt);
    assert_eq!(places(&table, 512), [(1, 2048, 4096), (3, 8192, 2048)]);
    assert_eq!(table.partitions[1].name, "dritte ü");
}

#[test]
fn a_gpt_in_4096_byte_sectors_reads_on_either_sector_size() {
    for sector_size in [512, 4096] {
        let table = table(&*device(&image(GPT_4096), sector_size)).unwrap();
        assert_eq!(places(&table, 4096), [(2, 256, 1024)]);
    }
}

#[test]
fn an_mbr_reads_with_its_logical_partitions_as_sfdisk_wrote_it() {
    let table = table(&*device(&image(MBR), 512)).unwrap();
    assert_eq!(table.kind, TableKind::Mbr);
    let expected =
        [(1, 2048, 2048), (2, 4096, 12000), (5, 4160, 1000), (6, 6000, 2000), (7, 9000, 3000)];
    assert_eq!(places(&table, 512), expected);
}

#[test]
fn a_window_on_a_partition_shows_its_bytes() {
    let disk = device(&image(GPT), 512);
    disk.write_at(8192 * 512, &[7; 512]).unwrap();
    let window = WindowDevice::partition(disk, 3).unwrap();
    let mut first = [0; 512];
    window.read_at(0, &mut first).unwrap();
    assert_eq!((first, window.geometry().size), ([7; 512], 2048 * 512));
}

#[test]
fn a_partition_that_does_not_exist_is_refused_with_those_that_do() {
    let message = refusal(&*device(&image(GPT), 512), 2);
    assert!(message.contains("no partition 2"), "{message}");
    assert!(message.contains("1 \"first\" (2097152 bytes at byte 1048576), 3 "), "{message}");
}

#[test]
fn a_device_without_a_table_is_refused_as_such() {
    let message = refusal(&MemoryDevice::new(1 << 20), 1);
    assert!(message.contains("neither GPT nor MBR"), "{message}");
}

#[test]
fn a_damaged_first_gpt_gives_way_to_the_last() {
    for damaged_byte in [512 + 40, 1024 + 33] {
        let mut bytes = image(GPT);
        bytes[damaged_byte] ^= 1;
        let table = table(&*device(&bytes, 512)).unwrap();
        assert_eq!(places(&table, 512), [(1, 2048, 4096), (3, 8192, 2048)]);
    }
}

#[test]
fn a_gpt_damaged_twice_is_refused_not_read_as_an_mbr() {
    let mut bytes = image(GPT);
    bytes[512 + 40] ^= 1;
    bytes[SIZE - 512 + 40] ^= 1;
    let message = refusal(&*device(&bytes, 512), 1);
    assert!(message.contains("no sound GPT"), "{message}");
}

#[test]
fn a_partition_past_the_end_of_a_cut_off_image_is_refused() {
    let bytes = image(GPT);
    let message = refusal(&*device(&bytes[..9 << 19], 512), 3);
    assert!(message.contains("reaches past the end of the device of 4718592 bytes"), "{message}");
}

#[test]
fn a_chain_of_logical_partitions_that_leads_back_to_itself_ends() {
    let mut bytes = image(MBR);
    // The link in the first sector of the extended partition now leads to that sector.
    bytes[0x20_01D6..0x20_01DA].fill(0);
    let message = refusal(&*device(&bytes, 512), 6);
    assert!(message.contains("chain of logical partitions"), "{message}");
}

/// The header's checksum made right again after a field was changed.
fn reseal(header: &mut [u8]) {
    header[16..20].fill(0);
    let mut crc = u32::MAX;
    for byte in &header[..92] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    header[16..20].copy_from_slice(&(!crc).to_le_bytes());
}

#[test]
fn sizes_in_a_gpt_that_are_beyond_reason_are_refused_before_memory_is_taken() {
    for (field, value) in [(80, u32::MAX), (84, 256), (80, 5000)] {
        let mut bytes = image(GPT);
        let headers = [512, SIZE - 512];
        for at in headers {
            let header = &mut bytes[at..at + 512];
            header[field..field + 4].copy_from_slice(&value.to_le_bytes());
            reseal(header);
        }
        let message = refusal(&*device(&bytes, 512), 1);
        assert!(message.contains("entries of"), "{message}");
    }
}

proptest! {
    #[test]
    fn tables_with_random_damage_never_panic(
        which in 0..3_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        seal in any::<bool>(),
    ) {
        let fixture = [GPT, GPT_4096, MBR][which];
        let mut bytes = image(fixture);
        let lines: Vec<_> = fixture.lines().collect();
        for (place, byte) in damage {
            let at = place.index(lines.len() * 16);
            let (offset, _) = lines[at / 16].split_once(' ').unwrap();
            bytes[usize::from_str_radix(offset, 16).unwrap() + at % 16] = byte;
        }
        if seal {
            let block = [512, 4096, 512][which];
            reseal(&mut bytes[block..block + 92]);
        }
        let disk = device(&bytes, 512);
        for number in 1..8 {
            if let Ok(found) = partition(&*disk, number) {
                prop_assert!(found.offset + found.length <= SIZE as u64);
            }
        }
    }
}
