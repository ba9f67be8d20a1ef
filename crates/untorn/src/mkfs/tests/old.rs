//! What happens to what was on the device before.

use super::*;
use crate::mkfs::{Discard, Groups, MkfsError, Overwrite, holds};
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

/// The bytes of a boot sector from the table on: an entry for a partition of `kind` with a boot
/// flag, and the mark at the end.
fn table(boot: u8, kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; 66];
    (bytes[0], bytes[4], bytes[64], bytes[65]) = (boot, kind, 0x55, 0xaa);
    bytes
}

/// Where a signature is: from the start of the device, or from its end.
enum From {
    Start(u64),
    End(u64),
}

/// What `holds` says of an otherwise empty device of 64 MiB and `more` bytes.
fn holding(from: From, bytes: &[u8], more: u64) -> Option<&'static str> {
    let size = 64 * MIB + more;
    let device = MemoryDevice::new(size);
    let at = match from {
        From::Start(at) => at,
        From::End(back) => size - back,
    };
    let sector = at / 512 * 512;
    let inside = (at - sector) as usize;
    let mut sectors = vec![0; (inside + bytes.len()).next_multiple_of(512)];
    sectors[inside..inside + bytes.len()].copy_from_slice(bytes);
    device.write_at(sector, &sectors).unwrap();
    holds(&device).unwrap()
}

#[test]
fn every_signature_is_found_at_its_place() {
    use From::{End, Start};
    let known: [(From, &[u8], &str); 24] = [
        (Start(440), b"\x11\x22\x33\x44\0\0", ""),
        (Start(446), &table(0, 0), "an MBR partition table"),
        (Start(446), &table(0x80, 0x83), "an MBR partition table"),
        (Start(1034), b"\0\0\0\x1c\x08\x10\x7f\x13", "a Minix filesystem"),
        (Start(1034), b"\0\0\0\x1c\x08\x10\x13\x8f", "a Minix filesystem"),
        (Start(1034), b"\0\0\xff\xff\xff\x7f\x68\x24", "a Minix filesystem"),
        (Start(1034), b"\0\0\xff\xff\xff\x7f\x78\x24", "a Minix filesystem"),
        (Start(1036), b"\0\0\0\0\0\0\0\0\0\0\0\0\x5a\x4d", "a Minix filesystem"),
        (Start(1034), b"\x01\0\0\0\0\0\x7f\x13", ""),
        (Start(0), b"\x45\x3d\xcd\x28", "a cramfs filesystem"),
        (Start(512), b"\x28\xcd\x3d\x45", "a cramfs filesystem"),
        (Start(0), b"\xce\xfa\xad\x1b", "a BFS filesystem"),
        (Start(0), b"-rom1fs-", "a romfs filesystem"),
        (Start(0), b"QFI\xfb\0\0\0\x03", "a qcow2 image"),
        (Start(1024), b"\x02\0\0\0\0\0\x34\x34", "a NILFS2 filesystem"),
        (End(4096), b"\x02\0\0\0\0\0\x34\x34", "a NILFS2 filesystem"),
        (Start(34816), b"\0NSR02\x01", "a UDF filesystem"),
        (Start(36864), b"\0NSR03\x01", "a UDF filesystem"),
        (Start(131072), b"\x0c\xb1\xba\0\0\0\0\0", "a member of a ZFS pool"),
        (Start(261120), b"\0\0\0\0\0\xba\xb1\x0c", "a member of a ZFS pool"),
        (End(8192), b"\xfc\x4e\x2b\xa9\x01", "a member of a RAID"),
        (End(65536), b"\xa9\x2b\x4e\xfc", "a member of a RAID"),
        (End(512), b"EFI PART", "a GPT partition table"),
        (End(4096), b"EFI PART", "a GPT partition table"),
    ];
    for (index, (from, bytes, name)) in known.into_iter().enumerate() {
        let found = holding(from, bytes, 0);
        assert_eq!(found.unwrap_or_default(), name, "signature {index}");
    }
}

#[test]
fn places_at_the_end_are_counted_from_a_rounded_size() {
    use From::End;
    let raid = Some("a member of a RAID");
    let most = 65536 - 512;
    assert_eq!(holding(End(65536 + most), b"\xfc\x4e\x2b\xa9", most), raid);
    assert_eq!(holding(End(8192 + 3584), b"\xfc\x4e\x2b\xa9", 3584), raid);
    assert_eq!(holding(End(65536), b"\xfc\x4e\x2b\xa9", most), None);
    assert_eq!(holding(End(512), b"EFI PART", 512), Some("a GPT partition table"));
}

#[test]
fn a_boot_sector_is_told_as_what_it_boots() {
    for (at, name, what) in [
        (3, &b"NTFS    "[..], "an NTFS filesystem"),
        (82, b"FAT32   ", "a FAT filesystem"),
        (3, b"EXFAT   ", "an exFAT filesystem"),
    ] {
        let mut sector = vec![0; 512];
        sector[446..].copy_from_slice(&table(0x80, 0));
        sector[at..at + name.len()].copy_from_slice(name);
        assert_eq!(holding(From::Start(0), &sector, 0), Some(what));
    }
    let mut code = vec![0xe7; 512];
    code[510..].copy_from_slice(b"\x55\xaa");
    assert_eq!(holding(From::Start(0), &code, 0), None, "code where the table would be");
}

#[test]
fn nothing_is_seen_in_zeroes_or_noise() {
    assert_eq!(holding(From::Start(0), &[0; 512], 0), None);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..32 {
        let mut noise = vec![0; MIB as usize];
        for bytes in noise.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.copy_from_slice(&state.to_le_bytes());
        }
        let device = MemoryDevice::new(MIB);
        device.write_at(0, &noise).unwrap();
        assert_eq!(holds(&device).unwrap(), None, "round {round}");
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
        let tail = &bytes[bytes.len() - (512 << 10)..];
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
