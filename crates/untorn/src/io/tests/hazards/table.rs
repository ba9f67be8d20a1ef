//! All known hazards of out-of-place writes, by their numbers in the list of facts that the project
//! began from: what went wrong, and the tests here that would see it, or why it cannot be here.

use std::path::{Path, PathBuf};

/// What guards against a hazard.
enum Guard {
    /// Tests that carry its number, by a word of their names.
    Tests,
    /// Nothing can go wrong: why.
    Cannot(&'static str),
}
use Guard::{Cannot, Tests};

const NO_QUOTA: Guard =
    Cannot("usage is not kept; the marks that say so go before the first write");
const NO_INTENTS: Guard =
    Cannot("none are written: one transaction changes maps, counts, owners and free space");
const ONE_LOOK: Guard =
    Cannot("both forks are looked at in the transaction, or the begin step, that uses the answer");

const HAZARDS: [(&str, Guard); 99] = [
    ("a reservation without blocks is handed to direct I/O", Tests),
    ("more is allocated than asked, and all of it called written", Tests),
    ("a smaller mapping comes back, and the whole write is marked", Tests),
    ("blocks count as written that nobody filled, and show", Tests),
    ("the length of the write is overwritten with that of a hole", Tests),
    ("the state of a fork is believed, not looked at", Tests),
    ("events tell another range than the caller's; two clamps", Tests),
    ("the rest of a block over a hole is not zeroes", Tests),
    ("the bytes around a write come from the CoW fork", Tests),
    ("a hole up to a far extent is filled whole", Tests),
    ("memory-mapped devices skip the checks", Cannot("there is no such path to a device")),
    ("a limit is set where there is no such write", Cannot("limits are computed, never set")),
    ("\"would wait\" is taken for \"use the other way\"", Tests),
    (
        "a device's smallest atomic write is larger than the write",
        Cannot("nothing is left to devices: unit_max_opt is 0"),
    ),
    ("the largest atomic write is no power of two", Tests),
    (
        "an aligned place of a file lies unaligned on the device",
        Cannot("where blocks lie says nothing of atomicity here"),
    ),
    ("many extents in one transaction outgrow its journal", Tests),
    ("the way out of place needs a feature that is off", Tests),
    ("writers queue up behind one lock and come to no end", Tests),
    ("a transaction waits for blocks that it freed itself", Tests),
    ("events carry wrong names", Cannot("cosmetic; H7 looks at names too")),
    ("the cache cannot be cleared, so the write goes through it", Tests),
    ("tests took a missing feature for a failure", Cannot("about a test program")),
    (
        "extents that touch are written apart and torn",
        Cannot("all pieces of a write are published by one transaction"),
    ),
    ("two writes in flight use the same blocks", Tests),
    ("a write after a failed one publishes what that left", Tests),
    (
        "memory of the caller goes away in the midst of a write",
        Cannot("bytes are a slice: they are there"),
    ),
    ("the map changes under a write in flight", Tests),
    ("the machine stops between two pieces of a write", Tests),
    ("quota refuses what is written already", NO_QUOTA),
    ("a reservation that got blocks merges with idle ones", Tests),
    ("a split extent has the wrong state", Tests),
    ("extents overlap for a moment", Tests),
    ("nothing was found to convert, and that is success", Tests),
    (
        "an extent that was remembered is no longer there",
        Cannot("a piece of the CoW fork is taken under the lock under which it was found"),
    ),
    ("two writers write back one reservation, the second over a hole", Tests),
    ("a second attempt goes on with what the first left", Cannot("each begins with a new lookup")),
    ("one fork is looked at, then the other", ONE_LOOK),
    ("blocks set aside look written", Tests),
    (
        "unwritten blocks are converted before blocks are remapped",
        Cannot("one transaction does both"),
    ),
    ("whether a fork is empty is asked without its lock", Tests),
    ("more is published than was written", Tests),
    ("a cookie forgets one of the forks", ONE_LOOK),
    ("a mapping is used after a wait", ONE_LOOK),
    ("a failed write gives back what another reserved", Tests),
    ("a failed write cleans up the wrong fork", Tests),
    ("a reservation outlives its pages", Tests),
    ("blocks count as written before their bytes are there", Tests),
    ("a part of a reservation is written back, all of it converted", Tests),
    ("a write goes on behind the extent that it was given", Tests),
    ("cached bytes over a hole are taken for a hole", Tests),
    (
        "writeback is handed a reservation without blocks",
        Cannot("what goes to the device is a piece, and a piece has blocks"),
    ),
    ("blocks set aside change what seeking answers", Tests),
    ("what a hint adds is not reserved", Tests),
    ("an allocation that misses the place that was asked for", Tests),
    ("a long reservation, of which one allocation does not reach the write", Tests),
    ("success without a mapping", Tests),
    ("an endless loop where space has run out", Tests),
    ("a second attempt with the arguments of the first", Tests),
    ("alignment fails a write that would fit", Tests),
    ("groups are locked out of order", Tests),
    ("a map cannot grow because its own group is full", Tests),
    ("splits of the map are not reserved", Tests),
    ("many mappings use up the blocks of one transaction", Tests),
    ("each block has a count of its own", Tests),
    ("parts of a reservation get lost", Tests),
    ("a count of reserved blocks overflows", Tests),
    ("a hint makes of one block many, where there are few", Tests),
    ("more extents than can be counted", Tests),
    ("a hint that no volume can follow", Tests),
    ("a call that may not wait is done in part", Tests),
    ("idle blocks are given back under a write", Tests),
    ("idle blocks are given back too soon for their hint", Tests),
    ("blocks are given back under cached bytes", Tests),
    ("bytes move and the CoW fork stays", Tests),
    ("extents merge over the place of an insertion", Tests),
    (
        "staged blocks are swept while somebody uses them",
        Cannot("the sweep is a part of opening: there is no file yet"),
    ),
    ("a removed file keeps its CoW fork", Tests),
    ("a file seems to have no blocks for a moment", Tests),
    ("reservations stay with the old owner's quota", NO_QUOTA),
    ("the flag of sharing stands for the CoW fork", Tests),
    ("a hint changes under reservations", Tests),
    ("an end is taken for a length", Tests),
    ("intents in the wrong order", NO_INTENTS),
    ("staged blocks are taken for shared ones", Tests),
    ("an intent is continued outside its range", NO_INTENTS),
    ("the largest count goes on counting", Tests),
    ("parents before children, and the log fills", NO_INTENTS),
    ("long chains hold the tail", NO_INTENTS),
    ("work is added to an intent that is in the log", NO_INTENTS),
    (
        "recovery waits for the log that it empties",
        Cannot("each intent is finished in one transaction while the tail is held at it"),
    ),
    ("freed blocks are needed by the one who frees", NO_INTENTS),
    ("recovered intents live in two places", Cannot("each is a value, finished where it is read")),
    ("a recovered mapping forgets that it is unwritten", Tests),
    (
        "the sweep loops in a damaged tree",
        Cannot("trees are walked by rising keys, to their height; see btree::tests::hostile"),
    ),
    ("a sweep that fails holds on to things", Tests),
    ("a call that promises durability forgets the map", Tests),
    ("a part is reported as success", Tests),
    ("quota refuses at the end of a write", NO_QUOTA),
];

/// All sources below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Numbers at the beginning of a test's name: 50 and 51 of `h50_h51_what`.
fn numbers(name: &str) -> impl Iterator<Item = usize> + '_ {
    name.split('_').map_while(|word| word.strip_prefix('h')?.parse().ok())
}

/// Numbers of hazards that tests carry.
fn tested() -> Vec<usize> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut files);
    let mut tested = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim() == "#[test]" {
                let name = lines.by_ref().find_map(|line| line.trim().strip_prefix("fn "));
                tested.extend(name.into_iter().flat_map(numbers));
            }
        }
    }
    tested
}

#[test]
fn every_known_hazard_has_a_test_or_a_reason() {
    let tested = tested();
    let (mut tests, mut reasons) = (0, 0);
    for (number, (what, guard)) in (1..).zip(&HAZARDS) {
        let has_test = tested.contains(&number);
        match guard {
            Tests => tests += 1,
            Cannot(reason) => {
                assert!(!reason.is_empty());
                reasons += 1;
            }
        }
        let wants_test = matches!(guard, Tests);
        assert_eq!(has_test, wants_test, "h{number}, {what}: is there a test of that name?");
    }
    println!("{tests} hazards with tests, {reasons} with reasons");
    assert!(tested.iter().all(|number| (1..=HAZARDS.len()).contains(number)));
}
