//! Space that runs short, and lies in pieces.

use super::super::{BLOCK, Bench};
use super::{Free, fill};
use crate::{Error, NewFile, Sync};

#[test]
fn h20_a_full_volume_overwrites_with_what_it_has_just_freed_check() {
    let mut bench = Bench::new();
    bench.write(0, 30 * BLOCK, 1);
    bench.volume.sync().unwrap();
    fill(&bench, 40, Free::Together);
    // Each needs the blocks that the one before freed, which are busy until that is durable.
    for round in 2..40u8 {
        bench.write(0, 30 * BLOCK, round);
    }
    bench.judge("h20");
}

#[test]
fn h54_h60_h68_hints_give_way_where_space_is_short_check() {
    for layout in [Free::Together, Free::Shattered] {
        let mut bench = Bench::new();
        bench.write(0, 64 * BLOCK, 1);
        bench.file.set_cow_extent_size_hint(32 * BLOCK).unwrap();
        fill(&bench, 6, layout);
        let left = bench.volume.space().unwrap().available;
        assert!((1..=90).contains(&left), "{layout:?}: {left}");
        for block in [40, 41, 7] {
            bench.write(block * BLOCK, BLOCK, 2);
            bench.file.write_cached((block + 3) * BLOCK, &[3; 10], Sync::Visible).unwrap();
            bench.expect((block + 3) * BLOCK, &[3; 10]);
        }
        bench.judge("h54");
    }
}

#[test]
fn h55_h57_every_block_of_a_write_gets_its_own_where_space_lies_in_pieces_model_check() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    bench.write(60 * BLOCK, 4 * BLOCK, 1);
    bench.file.set_cow_extent_size_hint(16 * BLOCK).unwrap();
    fill(&bench, 120, Free::Shattered);
    for (at, blocks) in [(5, 9), (33, 20), (61, 2), (6, 40)] {
        bench.write(at * BLOCK + 100, blocks * BLOCK, at as u8 + 10);
    }
    bench.judge("h55");
}

#[test]
fn h56_a_long_reservation_gets_blocks_where_the_write_is_check() {
    let mut bench = Bench::new();
    fill(&bench, 300, Free::Shattered);
    let cached = vec![4; 100 * BLOCK as usize];
    bench.file.write_cached(0, &cached, Sync::Visible).unwrap();
    bench.expect(0, &cached);
    bench.write(77 * BLOCK, BLOCK, 5);
    // In the reservation alone, with no cached bytes above.
    bench.delalloc(200..280);
    bench.write(270 * BLOCK + 8, 2 * BLOCK, 6);
    bench.judge("h56");
}

#[test]
fn h58_h59_more_than_there_is_ends_with_an_error_check() {
    let mut bench = Bench::new();
    bench.write(0, 20 * BLOCK, 1);
    fill(&bench, 50, Free::Shattered);
    let core = bench.core();
    let most = core.free_for_data().unwrap();
    let refused = core.claim_reserved(None, most + 1);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    assert_eq!(core.free_for_data().unwrap(), most, "what was found is held");
    let bytes = vec![2; (most + 1) as usize * BLOCK as usize];
    let refused = bench.file.write_atomic(0, &bytes, Sync::Visible);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    bench.write(3 * BLOCK, 4 * BLOCK, 3);
    bench.judge("h58");
}

#[test]
fn h96_an_open_that_fails_over_damaged_counts_lets_go_of_everything() {
    let bench = Bench::new();
    let core = bench.core();
    let header = core.header(untorn_format::AgNumber(0), untorn_format::BlockKind::Agf);
    let image = core.store.cache().read(&header).unwrap();
    let agf = untorn_format::ag::AgfDisk::of(&image).unwrap();
    let root = u64::from(agf.refcount_root.get()) * BLOCK;
    drop(bench.volume.create_file("/other", NewFile::default()).unwrap());
    let Bench { device, volume, file, gate, .. } = bench;
    drop((file, gate));
    volume.close().unwrap();
    untorn_device::BlockDevice::write_at(&*device, root, &[0x5a; BLOCK as usize]).unwrap();
    let opened = crate::Volume::open(device.clone(), crate::OpenOptions::default());
    assert!(matches!(opened, Err(Error::Corrupt(_))));
    drop(opened);
    assert_eq!(std::sync::Arc::strong_count(&device), 1, "somebody holds the device");
}
