//! What happens to what was on the device before.

use super::*;
use crate::mkfs::{Discard, Groups, MkfsError, Overwrite};
use untorn_device::BlockDevice;
use untorn_format::Superblock;

fn with(mib: u64, offset: u64, bytes: &[u8]) -> MemoryDevice {
    let device = MemoryDevice::new(mib * MIB);
    let sector = offset / 512 * 512;
    let mut sectors = vec![0; 1024];
    let at = (offset - sector) as usize;
    sectors[at..at + bytes.len()].copy_from_slice(bytes);
    device.write_at(sector, &sectors).unwrap();
    device
}

#[test]
fn what_is_known_is_named_and_not_overwritten() {
    let mut boot = vec![0; 66];
    (boot[4], boot[64], boot[65]) = (0x83, 0x55, 0xaa);
    let known: [(u64, &[u8], &str); 7] = [
        (1080, b"\x53\xef", "an ext2, ext3 or ext4 filesystem"),
        (65600, b"_BHRfS_M", "a btrfs filesystem"),
        (0, b"LUKS\xba\xbe", "a LUKS volume"),
        (4086, b"SWAPSPACE2", "swap space"),
        (512, b"EFI PART", "a GPT partition table"),
        (3, b"NTFS    ", "an NTFS filesystem"),
        (446, &boot, "an MBR partition table"),
    ];
    for (offset, bytes, name) in known {
        let device = with(64, offset, bytes);
        let before = device.content_hash();
        let error = make(&device, &Options::default()).unwrap_err();
        assert!(matches!(error, MkfsError::Occupied { what } if what == name), "{error}");
        assert_eq!(device.content_hash(), before);
        make(&device, &Options { overwrite: Overwrite::Force, ..Options::default() }).unwrap();
    }
}

#[test]
fn a_volume_of_our_own_is_not_overwritten_either() {
    let (device, _) = made(64, Options::default());
    let error = make(&device, &Options::default()).unwrap_err();
    assert!(matches!(error, MkfsError::Occupied { what: "an XFS filesystem" }), "{error}");
}

#[test]
fn nothing_of_an_old_volume_is_left_to_be_found() {
    for discard in [Discard::Keep, Discard::Whole] {
        let device = MemoryDevice::new(300 * MIB);
        device.fill(0, 300 * MIB, 0xe7).unwrap();
        let old = Options { groups: Groups::Count(8), ..Options::default() };
        let old = make(&device, &old).unwrap().superblock;
        let options = Options { overwrite: Overwrite::Force, discard, ..Options::default() };
        let new = make(&device, &options).unwrap().superblock;
        let mut bytes = vec![0; (300 * MIB) as usize];
        device.read_at(0, &mut bytes).unwrap();
        let superblocks = bytes.chunks_exact(512).filter_map(|s| Superblock::decode(s).ok());
        assert!(superblocks.clone().all(|found| found.uuid == new.uuid && found.uuid != old.uuid));
        assert_eq!(superblocks.count(), new.geometry.ag_count as usize);
        let tail = &bytes[bytes.len() - (128 << 10)..];
        assert!(tail.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn the_log_of_an_old_device_becomes_zeroes() {
    let device = MemoryDevice::new(64 * MIB);
    device.fill(0, 64 * MIB, 0xe7).unwrap();
    let geometry = make(&device, &Options::default()).unwrap().superblock.geometry;
    let start = geometry.byte_of(geometry.addr_of(geometry.log_start).unwrap());
    let mut log = vec![0; geometry.log_blocks as usize * geometry.block_size()];
    device.read_at(start, &mut log).unwrap();
    assert!(log[1024..].iter().all(|&byte| byte == 0));
}
