//! Every peer does what it is measured by, and every section tells its lines.

use super::line::Lines;
use super::peer::{Linux, Ours, Peer, Plain, Side};
use super::scale::Scale;
use super::subject::{Door, Durability, Overwrites};
use crate::dice::Dice;
use crate::kernel::{Aligned, demand, scratch_root};
use serde_json::Value;
use std::time::Duration;
use untorn::OpenOptions;

const SIZE: u64 = 2 << 20;
const IMAGE: u64 = 128 << 20;

/// Sizes that take a moment.
fn smallest() -> Scale {
    Scale {
        rounds: 1,
        moments: 1,
        time: Duration::from_millis(5),
        patience: Duration::ZERO,
        overwritten: 4 << 20,
        writes: vec![4096, 1 << 20],
        streamed: 8 << 20,
        exercises: 50,
        extents: vec![100, 1_000],
        free: vec![10, 100],
        volumes: vec![1 << 30],
        inodes: 100,
        repeats: 20,
        tree_rounds: 1,
        names: 400,
    }
}

fn lines_of(section: super::Section) -> Vec<Value> {
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out, Duration::ZERO);
    lines.section("section").unwrap();
    section(&smallest(), &mut lines).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn count(lines: &[Value], kind: &str) -> usize {
    lines.iter().filter(|line| line["kind"] == kind).count()
}

/// What one peer wrote through every door, it reads through every door.
fn keeps_bytes(peer: &mut dyn Peer) {
    let who = peer.name();
    // The second time the files of the first are replaced.
    for _ in 0..2 {
        let files = peer.files(2, SIZE).unwrap();
        assert_eq!(files.len(), 2, "{who}");
        let mut bytes = Aligned::new(8192);
        Dice::new(3).fill(&mut bytes);
        files[0].write(Door::Direct, 0, &bytes).unwrap();
        files[0].write(Door::Cached, 8192, &bytes).unwrap();
        files[0].forget().unwrap();
        for (place, durability) in [(2, Durability::Unsynced), (3, Durability::Dsync)] {
            files[0].overwrite(place * 8192, &bytes, durability).unwrap();
        }
        for door in [Door::Direct, Door::Cached] {
            for place in 0..4 {
                let mut seen = Aligned::new(8192);
                files[0].read(door, place * 8192, &mut seen).unwrap();
                assert_eq!(seen[..], bytes[..], "{who} {door:?} {place}");
            }
        }
        let time = Duration::from_millis(2);
        let durability = Durability::Unsynced;
        let load = Overwrites { file: SIZE, write: 4096, durability, time, seed: 1 };
        assert!(load.rate(&files).unwrap() > 0.0, "{who}");
    }
}

#[test]
fn every_peer_keeps_what_it_is_given() {
    let folder = scratch_root();
    keeps_bytes(&mut Ours::new(&folder, IMAGE, OpenOptions::default()).unwrap());
    keeps_bytes(&mut Plain::new(&folder, Side::None).unwrap());
    keeps_bytes(&mut Plain::new(&folder, Side::First).unwrap());
}

#[test]
fn linux_keeps_what_it_is_given_kernel() {
    if !demand() {
        return;
    }
    let mut linux = Linux::new(&scratch_root(), IMAGE).unwrap().unwrap();
    keeps_bytes(&mut linux);
}

#[test]
fn overwrites_are_measured_for_every_size_and_durability() {
    let lines = lines_of(super::atomic::measure);
    let ours = |line: &&Value| line["kind"] == "rate" && line["who"] == "untorn";
    assert_eq!(lines.iter().filter(ours).count(), 4);
    assert!(lines.iter().any(|line| line["who"] == "four"));
}

#[test]
fn streams_and_random_reads_are_measured() {
    let lines = lines_of(super::stream::measure);
    let ours = |line: &&Value| line["kind"] == "rate" && line["who"] == "untorn";
    assert_eq!(lines.iter().filter(ours).count(), 5);
}

#[test]
fn the_exerciser_runs_alike_on_a_volume_and_through_system_calls_model() {
    let lines = lines_of(super::exercise::measure);
    assert!(count(&lines, "rate") >= 3, "{lines:?}");
}

#[test]
fn every_curve_has_a_cost_at_every_size() {
    let lines = lines_of(super::growth::measure);
    assert_eq!(count(&lines, "cost"), 3 * (3 * 2 + 2 * 2 + 3 + 1));
    let positive = |line: &Value| line["kind"] != "cost" || line["value"].as_f64() > Some(0.0);
    assert!(lines.iter().all(positive));
}

#[test]
fn names_are_measured_in_every_shape_by_every_number_of_threads() {
    let lines = lines_of(super::namespace::measure);
    let ours = |line: &&Value| line["kind"] == "rate" && line["who"] == "untorn";
    assert_eq!(lines.iter().filter(ours).count(), 5 * 2 * 2);
}

#[test]
fn every_suite_has_its_sections() {
    let names = |words: &[&str]| -> Vec<&str> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        super::asked(&words).unwrap().1.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(&["namespace", "--quick"]), ["namespace", "opening", "images"]);
    assert_eq!(names(&["data", "--only", "fsx"]), ["fsx"]);
    assert_eq!(names(&[]).len(), 5);
}

#[test]
fn unknown_arguments_and_sections_are_refused() {
    for words in
        [&["--fast"][..], &["--only"], &["--only", "colour"], &["namespace", "--only", "fsx"]]
    {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert!(super::asked(&words).is_err(), "{words:?}");
    }
}
