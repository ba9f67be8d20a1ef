//! Lookups race with those who make, move and remove the same names: no name is seen after it went,
//! none is missed after it came.

use super::{PLAIN, assert_sound, made, number, open};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use untorn::{Error, Make, Name, NewFile, Removal, Rename, Volume};
use untorn_format::Ino;
use untorn_torture::dice::Dice;

/// Names that one thread alone changes: more than lie in the inode, so that all forms are met.
const NAMES: usize = 40;

/// What a name named from some step on: even while it stays so, odd while it changes.
#[derive(Default)]
struct Slot {
    step: AtomicU64,
    /// Zero: nothing.
    ino: AtomicU64,
}

impl Slot {
    /// Runs a change after which the name names what `change` says.
    fn change(&self, change: impl FnOnce() -> u64) {
        self.step.fetch_add(1, Ordering::SeqCst);
        self.ino.store(change(), Ordering::SeqCst);
        self.step.fetch_add(1, Ordering::SeqCst);
    }

    /// Compares what `look` finds with what was there meanwhile, unless that changed.
    fn judge(&self, name: &str, look: impl FnOnce() -> u64) -> bool {
        let step = self.step.load(Ordering::SeqCst);
        let expected = self.ino.load(Ordering::SeqCst);
        let found = look();
        let steady = step.is_multiple_of(2) && self.step.load(Ordering::SeqCst) == step;
        assert!(!steady || found == expected, "{name}: {found} instead of {expected}");
        steady
    }

    fn now(&self) -> u64 {
        self.ino.load(Ordering::SeqCst)
    }
}

/// One directory and the names of one thread in it.
struct Board {
    dir: Ino,
    path: String,
    slots: Vec<Slot>,
}

impl Board {
    fn new(volume: &Volume, number: usize) -> Self {
        let path = format!("/board-{number}");
        let dir = volume.make(&path, Make::Directory, NewFile::default()).unwrap();
        Self { dir, path, slots: (0..NAMES).map(|_| Slot::default()).collect() }
    }
}

/// A name long enough that forty of them fill more than a block.
fn name(index: usize) -> String {
    format!("{index:02}{}", "-long".repeat(30))
}

/// The number that `outcome` tells; zero where there is no such name.
fn number_of(outcome: untorn::Result<Ino>) -> u64 {
    match outcome {
        Ok(ino) => ino.0,
        Err(Error::NotFound(_)) => 0,
        Err(error) => panic!("{error}"),
    }
}

/// Changes names of one board, which nobody else changes.
fn change(volume: &Volume, board: &Board, seed: u64, steps: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..steps {
        let (a, b) = (dice.below(NAMES as u64) as usize, dice.below(NAMES as u64) as usize);
        let (one, other) = (&board.slots[a], &board.slots[b]);
        let (from, to) = (name(a), name(b));
        let from = Name::In(board.dir, from.as_bytes());
        let to = Name::In(board.dir, to.as_bytes());
        let (has, meets) = (one.now(), other.now());
        match dice.below(4) {
            _ if has == 0 => {
                one.change(|| volume.make(from, Make::File, NewFile::default()).unwrap().0)
            }
            0 => one.change(|| {
                drop(volume.detach(from, Removal::Any).unwrap());
                0
            }),
            1 if a != b && meets != 0 => one.change(|| {
                other.change(|| {
                    volume.rename(from, to, Rename::Exchange).unwrap();
                    has
                });
                meets
            }),
            _ if a != b => one.change(|| {
                other.change(|| {
                    drop(volume.rename(from, to, Rename::Replace).unwrap());
                    has
                });
                0
            }),
            _ => {}
        }
    }
}

/// Looks names up until there is nothing more to see; how many answers could be judged.
fn look(volume: &Volume, boards: &[Board], seed: u64, ended: &AtomicBool) -> u64 {
    let mut dice = Dice::new(seed);
    let mut judged = 0;
    while !ended.load(Ordering::Relaxed) {
        let board = &boards[dice.below(boards.len() as u64) as usize];
        let index = dice.below(NAMES as u64) as usize;
        let name = name(index);
        let by_path = dice.below(2) == 0;
        let answer = || match by_path {
            true => number_of(volume.lookup(format!("{}/{name}", board.path))),
            false => number_of(volume.find_in(board.dir, &name)),
        };
        judged += u64::from(board.slots[index].judge(&name, answer));
    }
    judged
}

#[test]
fn lookups_see_no_name_after_it_went_and_miss_none_after_it_came_check() {
    let device = made(PLAIN);
    let volume = open(&device);
    let boards: Vec<_> = (0..2).map(|number| Board::new(&volume, number)).collect();
    let ended = AtomicBool::new(false);
    let steps = number("UNTORN_RACE_STEPS", 1000);
    let judged: u64 = thread::scope(|scope| {
        let (volume, all, ended) = (&volume, &boards, &ended);
        let writers: Vec<_> = (boards.iter().zip(0..))
            .map(|(board, seed)| scope.spawn(move || change(volume, board, seed, steps)))
            .collect();
        let readers: Vec<_> =
            (10..13).map(|seed| scope.spawn(move || look(volume, all, seed, ended))).collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        ended.store(true, Ordering::Relaxed);
        written.into_iter().for_each(|outcome| outcome.unwrap());
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert!(judged > 0, "nothing could be judged");
    for board in &boards {
        for (index, slot) in board.slots.iter().enumerate() {
            let name = name(index);
            let judged = slot.judge(&name, || number_of(volume.find_in(board.dir, &name)));
            assert!(judged, "{name} changes no more");
        }
    }
    volume.close().unwrap();
    assert_sound(&*device, "after lookups that raced");
}
