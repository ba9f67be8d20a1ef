//! Free space goes back to the image file.

use super::Site;
use std::os::unix::fs::MetadataExt;

/// Bytes that the image takes of its filesystem.
fn taken(site: &Site) -> u64 {
    std::fs::metadata(&site.image).unwrap().blocks() * 512
}

#[test]
fn what_was_removed_goes_back_to_the_image_file_check() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..20 << 20).map(|at: u32| (at % 251) as u8).collect();
    site.run_on(&["write", "@", "/kept"], &bytes[..300_000]).well();
    site.run_on(&["write", "@", "/gone"], &bytes).well();
    site.run(&["rm", "@", "/gone"]).well();
    let before = taken(&site);
    let said = site.run(&["trim", "@", "--json"]).json();
    let trimmed = said["trimmed_bytes"].as_u64().unwrap();
    assert!(trimmed >= 40 << 20, "{trimmed} bytes trimmed");
    assert!(taken(&site) + (19 << 20) < before, "{} of {before} bytes left", taken(&site));
    assert_eq!(site.run(&["cat", "@", "/kept"]).well().bytes, bytes[..300_000]);
    site.assert_sound();
    let said = site.run(&["trim", "@"]).well().out;
    assert!(said.ends_with(" bytes) trimmed\n"), "{said}");
}

#[test]
fn a_range_and_a_minimum_bound_what_is_trimmed() {
    let site = Site::new();
    let all = site.run(&["trim", "@", "--json"]).json()["trimmed_bytes"].as_u64().unwrap();
    let part = ["trim", "@", "--json", "--from", "1m", "--length", "8m"];
    let part = site.run(&part).json()["trimmed_bytes"].as_u64().unwrap();
    assert!(0 < part && part <= 8 << 20 && part < all, "{part} of {all}");
    let none = ["trim", "@", "--json", "--minimum", "1g"];
    assert_eq!(site.run(&none).json()["trimmed_bytes"], 0);
    site.run(&["trim", "@", "--from", "64m"]).refused(1, "behind the volume");
}
