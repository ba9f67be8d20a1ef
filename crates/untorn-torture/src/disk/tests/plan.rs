//! What a plan covers.

use std::{collections::HashSet, sync::Arc};

use untorn_device::{BlockDevice, MemoryDevice};

use super::{
    super::{Cut, Family, Policy, SimDisk},
    firsts,
};

fn disk() -> Arc<SimDisk> {
    SimDisk::new(MemoryDevice::new(8 * 512))
}

fn outcomes(disk: &SimDisk, family: Family, seeds: u64, at: usize) -> HashSet<Vec<u8>> {
    let cuts = disk.cuts().families(&[family]).seeds(seeds).between(at, at);
    cuts.map(|cut| firsts(&cut.image)[..3].to_vec()).collect()
}

#[test]
fn enough_seeds_tear_a_write_in_every_way() {
    let disk = disk();
    disk.write_at(0, &[1; 3 * 512]).unwrap();
    assert_eq!(outcomes(&disk, Family::TornMiddle, 200, 0).len(), 8);
}

#[test]
fn enough_seeds_leave_every_version_of_every_unflushed_sector() {
    let disk = disk();
    disk.write_at(0, &[1; 2 * 512]).unwrap();
    disk.flush().unwrap();
    disk.write_at(0, &[2; 2 * 512]).unwrap();
    disk.write_at(512, &[3; 2 * 512]).unwrap();
    // Sector 0 holds 1 or 2, sector 1 holds 1, 2 or 3, sector 2 holds 0 or 3.
    assert_eq!(outcomes(&disk, Family::Dropped, 2000, 4).len(), 2 * 3 * 2);
}

#[test]
fn an_earlier_write_can_be_lost_while_a_later_one_stays() {
    let disk = disk();
    disk.write_at(0, &[1; 512]).unwrap();
    disk.write_at(512, &[2; 512]).unwrap();
    let expected = HashSet::from([[0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 2, 0]].map(Vec::from));
    assert_eq!(outcomes(&disk, Family::Dropped, 200, 2), expected);
}

#[test]
fn short_writes_are_torn_at_every_sector_and_long_ones_at_some() {
    let disk = SimDisk::new(MemoryDevice::new(1 << 20));
    disk.write_at(0, &[1; 4 * 512]).unwrap();
    disk.write_at(0, &vec![2; 1 << 20]).unwrap();
    let tears = |at| {
        let cuts = disk.cuts().families(&[Family::Torn]).seeds(4).between(at, at);
        let sectors = |cut: Cut| match cut.policy {
            Policy::Torn { sectors } => sectors,
            other => panic!("{other:?}"),
        };
        cuts.map(sectors).collect::<Vec<_>>()
    };
    assert_eq!(tears(0), [1, 2, 3]);
    let long = tears(1);
    assert!(long.contains(&1) && long.contains(&1024) && long.contains(&2047), "{long:?}");
    assert!(long.len() <= 7 && long.is_sorted());
}

#[test]
fn a_plan_visits_every_place_with_its_mark() {
    let disk = disk();
    disk.write_at(0, &[1; 512]).unwrap();
    disk.mark(10);
    disk.write_at(512, &[2; 512]).unwrap();
    disk.mark(20);
    let cuts = disk.cuts().families(&[Family::Prefix]);
    let visited: Vec<_> =
        cuts.map(|cut| (cut.at, cut.mark, firsts(&cut.image)[..2].to_vec())).collect();
    let expected = [
        (0, None, vec![0, 0]),
        (1, None, vec![1, 0]),
        (2, Some(10), vec![1, 0]),
        (3, Some(10), vec![1, 2]),
        (4, Some(20), vec![1, 2]),
    ];
    assert_eq!(visited, expected);
}

#[test]
fn a_plan_does_not_follow_what_is_written_after_it_was_made() {
    let disk = disk();
    disk.write_at(0, &[1; 512]).unwrap();
    let plan = disk.cuts();
    disk.write_at(0, &[2; 512]).unwrap();
    assert!(plan.map(|cut| firsts(&cut.image)[0]).all(|byte| byte < 2));
}

#[test]
fn images_are_independent_of_the_disk_and_of_each_other() {
    let disk = disk();
    disk.write_at(0, &[1; 512]).unwrap();
    let images: Vec<_> = disk.cuts().families(&[Family::Prefix]).map(|cut| cut.image).collect();
    images[0].write_at(0, &[9; 4096]).unwrap();
    assert_eq!(firsts(&images[1])[..2], [1, 0]);
    assert_eq!(firsts(&disk.content())[..2], [1, 0]);
}
