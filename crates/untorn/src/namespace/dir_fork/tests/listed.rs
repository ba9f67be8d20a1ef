//! Listings that are resumed while the directory changes.

use super::{Bench, name};
use crate::dir::Cookie;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn what_stays_is_listed_once_while_forms_change_model() {
    for (block_size, dir_block_size) in [(4096, 4096), (1024, 8192)] {
        let mut bench = Bench::new(block_size, dir_block_size);
        (0..900).for_each(|number| bench.add(name(number)));
        let stay: BTreeSet<_> = (0..900).step_by(100).map(name).collect();
        let mut met: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let (mut cookie, mut added) = (Cookie::START, 900);
        loop {
            let mut listing = bench.volume.list_dir("/d", cookie).unwrap();
            let page: Vec<_> = listing.by_ref().take(7).map(Result::unwrap).collect();
            if page.is_empty() {
                break;
            }
            assert!(listing.cookie() > cookie);
            cookie = listing.cookie();
            page.into_iter().for_each(|entry| *met.entry(entry.name).or_default() += 1);
            // The directory shrinks to a block and grows again under the listing.
            for _ in 0..25 {
                let name = bench.any();
                if !stay.contains(&name) {
                    bench.remove(&name);
                }
            }
            bench.add(name(added));
            added += 1;
        }
        assert!(bench.model.len() < 200, "{} names are left", bench.model.len());
        let once = |name: &[u8]| met.get(name) == Some(&1);
        assert!(stay.iter().all(|name| once(name)) && once(b".") && once(b".."));
        assert!(met.values().all(|&times| times == 1));
        bench.judge("behind the listing");
    }
}

#[test]
fn one_listing_gives_what_all_at_once_gives_model() {
    let mut bench = Bench::new(4096, 4096);
    (0..600).for_each(|number| bench.add(name(number)));
    let piecewise = bench.volume.list_dir("/d", Cookie::START).unwrap();
    let piecewise: Vec<_> = piecewise.map(Result::unwrap).skip(2).collect();
    assert_eq!(piecewise, bench.volume.read_dir("/d").unwrap());
    assert_eq!(bench.volume.list_dir("/d", Cookie(u64::MAX)).unwrap().count(), 0);
    bench.volume.create_file("/file", crate::NewFile::default()).unwrap();
    assert!(bench.volume.list_dir("/file", Cookie::START).is_err());
}
