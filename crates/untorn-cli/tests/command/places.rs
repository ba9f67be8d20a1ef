//! Volumes inside larger images.

use super::{Said, Site};
use std::fs::File;
use std::os::unix::fs::FileExt;

const MIB: u64 = 1 << 20;

/// An image with an MBR whose second partition is the 64 MiB from 3 MiB on.
fn partitioned() -> Site {
    let site = Site::bare();
    let file = File::create(&site.image).unwrap();
    file.set_len(80 * MIB).unwrap();
    let mut sector = [0; 512];
    for (index, (start, length)) in [(MIB, 2 * MIB), (3 * MIB, 64 * MIB)].into_iter().enumerate() {
        let entry = &mut sector[446 + 16 * index..][..16];
        entry[4] = 0x83;
        entry[8..12].copy_from_slice(&((start / 512) as u32).to_le_bytes());
        entry[12..16].copy_from_slice(&((length / 512) as u32).to_le_bytes());
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    file.write_all_at(&sector, 0).unwrap();
    site
}

fn read(site: &Site, place: [&str; 2]) -> Said {
    site.run(&["cat", "@", "/file", place[0], place[1]])
}

#[test]
fn a_volume_in_a_partition_is_the_one_at_its_offset_check() {
    let site = partitioned();
    site.run(&["mkfs", "-q", "--partition", "2", "@"]).well();
    site.run_on(&["write", "@", "/file", "--partition", "2", "--atomic"], b"one").well();
    site.run_on(&["write", "@", "/file", "--volume-offset", "3m", "--append"], b"two").well();
    assert_eq!(read(&site, ["--partition", "2"]).well().out, "onetwo");
    assert_eq!(read(&site, ["--offset", "3m"]).well().out, "onetwo");
    assert_eq!(site.run(&["check", "@", "--partition", "2"]).status, 0);
}

#[test]
fn a_place_without_a_volume_is_told() {
    let site = partitioned();
    site.run(&["mkfs", "-q", "--partition", "2", "@"]).well();
    site.run(&["ls", "@"]).refused(1, "--partition or --offset");
    site.run(&["ls", "@", "--partition", "1"]).refused(1, "no XFS volume");
    site.run(&["ls", "@", "--partition", "9"]).refused(1, "there is no partition 9");
    site.run(&["ls", "@", "--offset", "100"]).refused(1, "sectors");
    site.run(&["ls", "@", "--offset", "1t"]).refused(1, "does not lie inside");
    assert_eq!(site.run(&["ls", "@", "--offset", "1x"]).status, 2);
    assert_eq!(site.run(&["ls", "@", "--offset", "0", "--partition", "1"]).status, 2);
}
