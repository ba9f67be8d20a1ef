//! Every damage of the table is found, with its code and at its place.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

// Some of it serves the kernel tier alone, which shares the table.
#[allow(dead_code)]
mod damage;

use damage::image::{self, Image};
use std::collections::HashSet;
use untorn_check::{Code, Options, check};

/// Codes without a damage in the table, and why.
const UNTRIED: [(Code, &str); 3] = [
    (Code::BtreeLoop, "levels fall on every way down: a loop is told as a wrong level first"),
    (Code::ChunkHoles, "needs more than four inodes a block; the volume has two"),
    (Code::CutShort, "blocks are read whole: only a decoder that is given less says so"),
];

#[test]
fn the_volume_is_clean_before_it_is_hurt_check() {
    check(&Image::kept().device, &Options::default()).unwrap().assert_clean();
}

#[test]
fn every_damage_is_found_by_its_code_at_its_place_check() {
    let kept = Image::kept();
    let missed: Vec<_> = damage::all().filter_map(|damage| damage::miss(damage, &kept).1).collect();
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn every_damage_has_a_name_of_its_own() {
    let mut names = HashSet::new();
    let twice = damage::all().find(|damage| !names.insert(damage.name));
    assert!(twice.is_none_or(|twice| panic!("{} is there twice", twice.name)));
}

#[test]
fn the_kept_image_is_what_packing_gives() {
    let kept = Image::kept();
    assert!(image::pack(&kept.device) == include_bytes!("linux/damage.image"));
}

#[test]
fn every_code_has_a_damage_or_a_reason_for_none() {
    let mut told: HashSet<_> = damage::all().map(|damage| damage.code).collect();
    for (code, why) in UNTRIED {
        assert!(told.insert(code), "{code} has a damage, in spite of {why:?}");
    }
    let without: Vec<_> = Code::ALL.iter().filter(|code| !told.contains(code)).collect();
    assert!(without.is_empty(), "no damage shows {without:?}");
}
