//! Many threads rename, link, make and remove at once: nothing is lost, nobody waits for ever.

use super::{PLAIN, assert_sound, made, number, open};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use untorn::{Error, Make, Name, NewFile, Removal, Rename, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;
use untorn_torture::dice::Dice;

const DIRECTORIES: usize = 8;
const FILES: usize = 24;

/// What a race may answer.
fn is_a_race(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound(_)
            | Error::Exists(_)
            | Error::NotEmpty(_)
            | Error::NotDirectory(_)
            | Error::IsDirectory(_)
            | Error::Invalid(_)
    )
}

fn allow<T>(outcome: untorn::Result<T>) {
    if let Err(error) = outcome {
        assert!(is_a_race(&error), "{error}");
    }
}

/// All directories below the root, by a walk.
fn walk(volume: &Volume) -> BTreeMap<Ino, Vec<(Vec<u8>, Ino)>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![volume.root()];
    while let Some(dir) = todo.pop() {
        let entries = volume.entries_of(dir).unwrap();
        let entries: Vec<_> = entries.into_iter().map(|e| (e.name, e.ino)).collect();
        for (_, ino) in &entries {
            if volume.metadata_of(*ino).unwrap().kind == FileKind::Directory {
                todo.push(*ino);
            }
        }
        assert!(found.insert(dir, entries).is_none(), "two names of directory {dir}");
    }
    found
}

/// Renames back and forth between directories that are themselves moved into each other.
fn shuffle(volume: &Volume, directories: &[Ino], seed: u64, steps: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..steps {
        let spot = |dice: &mut Dice| (*dice.pick(directories), format!("{}", dice.below(12)));
        let ((from, a), (to, b)) = (spot(&mut dice), spot(&mut dice));
        let (from, to) = (Name::In(from, a.as_bytes()), Name::In(to, b.as_bytes()));
        let how = *dice.pick(&[Rename::NoReplace, Rename::NoReplace, Rename::Exchange]);
        allow(volume.rename(from, to, how));
    }
}

#[test]
fn renames_that_cross_end_and_lose_nothing_check() {
    let device = made(PLAIN);
    let volume = open(&device);
    let mut all = Vec::new();
    for i in 0..DIRECTORIES {
        let name = format!("/{i}");
        all.push(volume.make(&name, Make::Directory, NewFile::default()).unwrap());
    }
    let mut files = BTreeSet::new();
    for i in 0..FILES {
        let name = format!("file-{i}");
        let at = Name::In(all[i % DIRECTORIES], name.as_bytes());
        files.insert(volume.make(at, Make::File, NewFile::default()).unwrap());
    }
    let roots: Vec<Ino> = all.iter().copied().chain([volume.root()]).collect();
    thread::scope(|scope| {
        for seed in 0..6 {
            let (volume, roots) = (&volume, &roots);
            let steps = number("UNTORN_RACE_STEPS", 400);
            scope.spawn(move || shuffle(volume, roots, seed, steps));
        }
    });
    let found = walk(&volume);
    assert_eq!(found.len(), DIRECTORIES + 1, "a directory was lost");
    let named: BTreeSet<Ino> = found.values().flatten().map(|(_, ino)| *ino).collect();
    assert!(files.is_subset(&named), "a file was lost");
    volume.close().unwrap();
    assert_sound(&*device, "after renames that crossed");
}

/// Everything at once on a few names.
fn quarrel(volume: &Volume, directories: &[Ino], seed: u64, steps: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..steps {
        let (dir, other) = (*dice.pick(directories), *dice.pick(directories));
        let (a, b) = (format!("{}", dice.below(6)), format!("{}", dice.below(6)));
        let (at, to) = (Name::In(dir, a.as_bytes()), Name::In(other, b.as_bytes()));
        match dice.below(8) {
            0 | 1 => allow(volume.make(at, Make::File, NewFile::default())),
            2 => allow(volume.make(at, Make::Directory, NewFile::default())),
            3 => allow(volume.detach(at, Removal::Any)),
            4 => allow(volume.rename(at, to, Rename::Replace)),
            5 => allow(volume.rename(at, to, Rename::Exchange)),
            6 => allow(volume.find_in(dir, &a).and_then(|ino| volume.link(ino, to))),
            _ => {
                let orphan = volume.make_unnamed(dir, NewFile::default());
                allow(orphan.and_then(|orphan| orphan.link(to)));
            }
        }
    }
}

#[test]
fn quarrels_over_names_leave_a_sound_volume_check() {
    for round in 0..number("UNTORN_SEEDS", 2) {
        let device = made(PLAIN);
        let volume = open(&device);
        let make = |i| volume.make(&format!("/d{i}"), Make::Directory, NewFile::default());
        let mut directories: Vec<Ino> = (0..3).map(|i| make(i).unwrap()).collect();
        directories.push(volume.root());
        let (volume, directories) = (Arc::new(volume), Arc::new(directories));
        let steps = number("UNTORN_RACE_STEPS", 400);
        thread::scope(|scope| {
            for seed in 0..6 {
                let (volume, directories) = (&volume, &directories);
                scope.spawn(move || quarrel(volume, directories, round * 100 + seed, steps));
            }
        });
        walk(&volume);
        Arc::into_inner(volume).unwrap().close().unwrap();
        assert_sound(&*device, "after a quarrel");
    }
}
