//! What is recognised on a device before it is overwritten: filesystems, partition tables, members
//! of volume managers. The list is short; it guards against mistakes, it does not identify.

/// Bytes from the start of the device that [`find`] wants to see.
pub(super) const REACH: usize = 132 << 10;

/// A name, and the bytes that a device with it has at a byte offset.
type Signature = (&'static str, usize, &'static [u8]);

/// Signatures that are looked for first to last. Boot sectors come last: others leave room for one.
const SIGNATURES: [Signature; 36] = [
    ("an XFS filesystem", 0, b"XFSB"),
    ("an ext2, ext3 or ext4 filesystem", 1080, b"\x53\xef"),
    ("a btrfs filesystem", 65600, b"_BHRfS_M"),
    ("an F2FS filesystem", 1024, b"\x10\x20\xf5\xf2"),
    ("an EROFS filesystem", 1024, b"\xe2\xe1\xf5\xe0"),
    ("a squashfs filesystem", 0, b"hsqs"),
    ("a bcachefs filesystem or bcache device", 4120, BCACHE),
    ("a bcachefs filesystem", 4120, BCACHEFS),
    ("a JFS filesystem", 32768, b"JFS1"),
    ("a ReiserFS filesystem", 65588, b"ReIsEr"),
    ("an ISO 9660 filesystem", 32769, b"CD001"),
    ("an HFS+ filesystem", 1024, b"H+\x00\x04"),
    ("an APFS container", 32, b"NXSB"),
    ("a LUKS volume", 0, b"LUKS\xba\xbe"),
    ("a LUKS volume", 16384, b"SKUL\xba\xbe"),
    ("an LVM physical volume", 0, b"LABELONE"),
    ("an LVM physical volume", 512, b"LABELONE"),
    ("an LVM physical volume", 1024, b"LABELONE"),
    ("an LVM physical volume", 1536, b"LABELONE"),
    ("a member of a RAID", 0, RAID),
    ("a member of a RAID", 4096, RAID),
    ("swap space", 4086, b"SWAPSPACE2"),
    ("swap space", 8182, b"SWAPSPACE2"),
    ("swap space", 16374, b"SWAPSPACE2"),
    ("swap space", 32758, b"SWAPSPACE2"),
    ("swap space", 65526, b"SWAPSPACE2"),
    ("swap space", 4086, b"SWAP-SPACE"),
    ("a GPT partition table", 512, b"EFI PART"),
    ("a GPT partition table", 4096, b"EFI PART"),
    ("an NTFS filesystem", 3, b"NTFS    "),
    ("an exFAT filesystem", 3, b"EXFAT   "),
    ("a BitLocker volume", 3, b"-FVE-FS-"),
    ("a FAT filesystem", 54, b"FAT12   "),
    ("a FAT filesystem", 54, b"FAT16   "),
    ("a FAT filesystem", 54, b"FAT     "),
    ("a FAT filesystem", 82, b"FAT32   "),
];

const RAID: &[u8] = b"\xfc\x4e\x2b\xa9";
const BCACHE: &[u8] = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
const BCACHEFS: &[u8] = b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";

/// What lies on a device that begins with `start`, if it is known.
pub(super) fn find(start: &[u8]) -> Option<&'static str> {
    let known = SIGNATURES.iter().find(|(_, offset, bytes)| {
        start.get(*offset..).is_some_and(|rest| rest.starts_with(bytes))
    });
    match known {
        Some((name, _, _)) => Some(name),
        None => has_partitions(start).then_some("an MBR partition table"),
    }
}

/// Whether a boot sector has a partition of a kind.
fn has_partitions(start: &[u8]) -> bool {
    const TABLE: usize = 446;
    const ENTRY: usize = 16;
    const KIND: usize = 4;
    if start.get(510..512) != Some(b"\x55\xaa") {
        return false;
    }
    let entries = start.get(TABLE..TABLE + 4 * ENTRY).unwrap_or_default().chunks_exact(ENTRY);
    let mut entries = entries.map(|entry| (entry.first().copied(), entry.get(KIND).copied()));
    entries.any(|(boot, kind)| matches!(boot, Some(0 | 0x80)) && kind != Some(0))
}
