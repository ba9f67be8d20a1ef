//! What is recognised on a device before it is overwritten: filesystems, partition tables, members
//! of volume managers. The list is short; it guards against mistakes, it does not identify.

use super::error::Result;
use Place::{At, Each, End};
use untorn_device::BlockDevice;

/// Bytes at the start and at the end of the device that are looked at.
const REACH: u64 = 256 << 10;
/// Byte offset of the newest states of a ZFS pool in its first label.
const UBERBLOCKS: u64 = 128 << 10;

/// Where the bytes of a signature are.
#[derive(Clone, Copy)]
enum Place {
    /// At this byte offset.
    At(u64),
    /// At any of so many places: the first byte offset, the distance, how many.
    Each(u64, u64, u64),
    /// So many bytes before the end of the device, its size cut to a multiple of the first number.
    End(u64, u64),
}

/// A name, and the bytes that a device with it has at a place.
type Signature = (&'static str, Place, &'static [u8]);

/// Signatures that are looked for first to last. Boot sectors come last: others leave room for one.
const SIGNATURES: [Signature; 54] = [
    ("an XFS filesystem", At(0), b"XFSB"),
    ("an ext2, ext3 or ext4 filesystem", At(1080), b"\x53\xef"),
    ("a btrfs filesystem", At(65600), b"_BHRfS_M"),
    ("an F2FS filesystem", At(1024), b"\x10\x20\xf5\xf2"),
    ("an EROFS filesystem", At(1024), b"\xe2\xe1\xf5\xe0"),
    ("a squashfs filesystem", At(0), b"hsqs"),
    ("a bcachefs filesystem or bcache device", At(4120), BCACHE),
    ("a bcachefs filesystem", At(4120), BCACHEFS),
    ("a JFS filesystem", At(32768), b"JFS1"),
    ("a ReiserFS filesystem", At(65588), b"ReIsEr"),
    ("an ISO 9660 filesystem", At(32769), b"CD001"),
    ("an HFS+ filesystem", At(1024), b"H+\x00\x04"),
    ("an APFS container", At(32), b"NXSB"),
    ("a LUKS volume", At(0), b"LUKS\xba\xbe"),
    ("a LUKS volume", At(16384), b"SKUL\xba\xbe"),
    ("an LVM physical volume", At(0), b"LABELONE"),
    ("an LVM physical volume", At(512), b"LABELONE"),
    ("an LVM physical volume", At(1024), b"LABELONE"),
    ("an LVM physical volume", At(1536), b"LABELONE"),
    ("a member of a RAID", At(0), RAID),
    ("a member of a RAID", At(4096), RAID),
    ("a member of a RAID", End(4096, 8192), RAID),
    ("a member of a RAID", End(65536, 65536), RAID),
    ("a member of a RAID", End(65536, 65536), b"\xa9\x2b\x4e\xfc"),
    ("swap space", At(4086), b"SWAPSPACE2"),
    ("swap space", At(8182), b"SWAPSPACE2"),
    ("swap space", At(16374), b"SWAPSPACE2"),
    ("swap space", At(32758), b"SWAPSPACE2"),
    ("swap space", At(65526), b"SWAPSPACE2"),
    ("swap space", At(4086), b"SWAP-SPACE"),
    ("a cramfs filesystem", At(0), b"\x45\x3d\xcd\x28"),
    ("a cramfs filesystem", At(0), b"\x28\xcd\x3d\x45"),
    ("a cramfs filesystem", At(512), b"\x45\x3d\xcd\x28"),
    ("a cramfs filesystem", At(512), b"\x28\xcd\x3d\x45"),
    ("a romfs filesystem", At(0), b"-rom1fs-"),
    ("a BFS filesystem", At(0), b"\xce\xfa\xad\x1b"),
    ("a qcow2 image", At(0), b"QFI\xfb"),
    ("a NILFS2 filesystem", At(1024), NILFS2),
    ("a NILFS2 filesystem", End(4096, 4096), NILFS2),
    ("a UDF filesystem", Each(34816, 2048, 8), b"\0NSR02"),
    ("a UDF filesystem", Each(34816, 2048, 8), b"\0NSR03"),
    ("a member of a ZFS pool", Each(UBERBLOCKS, 1024, 128), b"\x0c\xb1\xba\0\0\0\0\0"),
    ("a member of a ZFS pool", Each(UBERBLOCKS, 1024, 128), b"\0\0\0\0\0\xba\xb1\x0c"),
    ("a GPT partition table", At(512), b"EFI PART"),
    ("a GPT partition table", At(4096), b"EFI PART"),
    ("a GPT partition table", End(512, 512), b"EFI PART"),
    ("a GPT partition table", End(4096, 4096), b"EFI PART"),
    ("an NTFS filesystem", At(3), b"NTFS    "),
    ("an exFAT filesystem", At(3), b"EXFAT   "),
    ("a BitLocker volume", At(3), b"-FVE-FS-"),
    ("a FAT filesystem", At(54), b"FAT12   "),
    ("a FAT filesystem", At(54), b"FAT16   "),
    ("a FAT filesystem", At(54), b"FAT     "),
    ("a FAT filesystem", At(82), b"FAT32   "),
];

const RAID: &[u8] = b"\xfc\x4e\x2b\xa9";
const BCACHE: &[u8] = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
const BCACHEFS: &[u8] = b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";
/// The revision, 2.0, and the magic number, which alone is short.
const NILFS2: &[u8] = b"\x02\0\0\0\0\0\x34\x34";

/// What lies on `device`, if it is known.
pub(super) fn find(device: &dyn BlockDevice) -> Result<Option<&'static str>> {
    let ends = Ends::read(device)?;
    let known = SIGNATURES.iter().find(|(_, place, bytes)| ends.have(*place, bytes));
    Ok(match known {
        Some((name, _, _)) => Some(name),
        None if is_minix(&ends) => Some("a Minix filesystem"),
        None => has_partitions(&ends).then_some("an MBR partition table"),
    })
}

/// The bytes at the start and the end of a device.
struct Ends {
    start: Vec<u8>,
    /// Byte offset of `end`.
    end_at: u64,
    end: Vec<u8>,
}

impl Ends {
    fn read(device: &dyn BlockDevice) -> Result<Self> {
        let size = device.geometry().size;
        let reach = size.min(REACH);
        let (mut start, mut end) = (vec![0; reach as usize], vec![0; reach as usize]);
        let end_at = size - reach;
        device.read_at(0, &mut start)?;
        device.read_at(end_at, &mut end)?;
        Ok(Self { start, end_at, end })
    }

    /// The bytes from an offset on, as far as they were read.
    fn from(&self, at: u64) -> &[u8] {
        let of = |bytes: &[u8], start: u64| -> Option<usize> {
            let at = usize::try_from(at.checked_sub(start)?).ok()?;
            (at < bytes.len()).then_some(at)
        };
        let start = of(&self.start, 0).and_then(|at| self.start.get(at..));
        start.or_else(|| self.end.get(of(&self.end, self.end_at)?..)).unwrap_or_default()
    }

    fn have(&self, place: Place, bytes: &[u8]) -> bool {
        let at = |at| self.from(at).starts_with(bytes);
        match place {
            At(offset) => at(offset),
            Each(first, step, count) => (0..count).any(|index| at(first + index * step)),
            End(unit, back) => {
                let size = self.end_at + self.end.len() as u64;
                (size - size % unit).checked_sub(back).is_some_and(at)
            }
        }
    }

    /// The number of 16 bits at an offset.
    fn number(&self, at: u64) -> Option<u16> {
        self.from(at).first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }
}

/// Whether there is a superblock of Minix, in either byte order. Its magic number is short, so
/// zones of one block, which all have, must be said, too.
fn is_minix(ends: &Ends) -> bool {
    /// Of a version: where it says log2 of blocks in a zone, where the magic number is, and which.
    const VERSIONS: [(u64, u64, u16); 5] = [
        (1034, 1040, 0x137f),
        (1034, 1040, 0x138f),
        (1034, 1040, 0x2468),
        (1034, 1040, 0x2478),
        (1036, 1048, 0x4d5a),
    ];
    VERSIONS.iter().any(|&(zones, at, magic)| {
        let found = ends.number(at);
        ends.number(zones) == Some(0) && (found == Some(magic) || found == Some(magic.swap_bytes()))
    })
}

/// Whether a boot sector has a partition of a kind, or could have: a table without entries is one.
fn has_partitions(ends: &Ends) -> bool {
    const TABLE: usize = 446;
    const ENTRY: usize = 16;
    const KIND: usize = 4;
    if !ends.have(At(510), b"\x55\xaa") {
        return false;
    }
    let entries = ends.start.get(TABLE..TABLE + 4 * ENTRY).unwrap_or_default().chunks_exact(ENTRY);
    let is_bootable = |entry: &[u8]| matches!(entry.first(), Some(0 | 0x80));
    entries.clone().all(is_bootable)
        || entries.clone().any(|entry| is_bootable(entry) && entry.get(KIND) != Some(&0))
}
