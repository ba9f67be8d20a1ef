//! Sharing and exchanging under power cuts: an exchange is old or new as a whole, a clone too where
//! one transaction carries it and a prefix of itself where not; who shares keeps its bytes.

use super::budget;
use super::world::{Geometry, Space, contents};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use untorn::{Error, ExchangeOptions, File, NewFile, OpenOptions, Span, Sync, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Cut, CutPlan, Family, SimDisk};

const MIB: u64 = 1 << 20;
const FILES: [&str; 3] = ["/a", "/b", "/c"];

/// Every file and its bytes.
pub type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn base() -> Geometry {
    Geometry {
        name: "4 KiB blocks",
        size: 48 * MIB,
        block_size: 4096,
        rmapbt: true,
        groups: 3,
        nrext64: true,
        longest: 40,
        space: Space::Ample,
        journal: None,
    }
}

pub fn geometries() -> [Geometry; 3] {
    let small = Geometry { name: "1 KiB, no rmapbt", block_size: 1024, rmapbt: false, ..base() };
    let (name, journal) = ("little journal", Some(16 << 10));
    [base(), small, Geometry { name, journal, longest: 700, ..small }]
}

fn state(volume: &Volume) -> State {
    let entries = volume.read_dir("/").unwrap();
    let file = |ino| contents(&volume.file(ino).unwrap());
    entries.into_iter().map(|entry| (entry.name, file(entry.ino))).collect()
}

/// Three files in pieces, the third sharing blocks of both others.
fn prepare(geometry: &Geometry) -> Arc<MemoryDevice> {
    let medium = Arc::new(MemoryDevice::new(geometry.size));
    mkfs::make(&*medium, &geometry.mkfs()).unwrap();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    let files = FILES.map(|name| volume.create_file(name, NewFile::default()).unwrap());
    let [a, b, c] = &files;
    let (block, mut dice) = (u64::from(geometry.block_size), Dice::new(3));
    for at in 0..geometry.longest {
        for file in [a, b] {
            file.write_atomic(at * block, &dice.bytes(block as usize - 9), Sync::Visible).unwrap();
        }
    }
    c.clone_range(0, a, 0..8 * block).unwrap();
    c.clone_range(8 * block, b, 20 * block..36 * block).unwrap();
    drop(files);
    volume.close().unwrap();
    medium
}

fn open(volume: &Volume, name: &str) -> File {
    volume.open_file(name).unwrap()
}

/// All or nothing: nothing where one transaction cannot carry it.
fn whole(result: Result<(), Error>) {
    assert!(matches!(result, Ok(()) | Err(Error::TooLarge { .. })), "{result:?}");
}

/// One call of those under test; which it is depends on its number.
fn act(volume: &Volume, number: u64, block: u64, dice: &mut Dice) {
    let [a, b, c] = FILES.map(|name| open(volume, name));
    let at = dice.below(12) * block;
    let blocks = 1 + dice.below(16);
    match number % 9 {
        0 => b.clone_range(at, &a, at + block..at + (1 + blocks) * block).unwrap(),
        1 => a.exchange_range(at, &b, 2 * block, blocks * block).unwrap(),
        2 => b.clone_range(60 * block, &c, 0..c.size().unwrap() / block * block).unwrap(),
        3 => whole(a.exchange(at, &c, 0, Span::ToEnd, ExchangeOptions::default())),
        4 => drop(volume.clone_file("/b", format!("/copy-{number}")).unwrap()),
        5 => drop(c.copy_range(at + 5, &b, at + 5..at + blocks * block).unwrap()),
        6 => drop(a.dedupe_range(0, &b, 0..block * 16).unwrap()),
        7 => a.write_atomic(at + 3, &dice.bytes((blocks * block) as usize), Sync::Visible).unwrap(),
        _ => b.clone_from(&a).or_else(|_| b.clone_range(0, &a, 0..8 * block)).unwrap(),
    }
}

/// The same while somebody makes durable what is there, again and again.
fn act_while_syncing(volume: &Volume, number: u64, block: u64, dice: &mut Dice) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                volume.sync().unwrap();
            }
        });
        act(volume, number, block, dice);
        done.store(true, Ordering::Release);
    });
}

/// Whether what a cut left may be there between two states: whole, or block by block from the
/// left.
fn lies_between(found: &State, before: &State, after: &State, block: usize) -> bool {
    let names: Vec<_> = before.keys().chain(after.keys()).chain(found.keys()).collect();
    names.into_iter().all(|name| {
        let empty = Vec::new();
        let of = |state: &State| state.get(name).cloned();
        let (is, old, new) = (of(found), of(before), of(after));
        is == old || is == new || {
            let (is, old) = (is.unwrap_or_default(), old.unwrap_or(empty));
            let new = new.unwrap_or_default();
            is.len() == old.len() && is_prefixed(&is, &old, &new, block)
        }
    })
}

/// The first blocks are new, the others old.
fn is_prefixed(is: &[u8], old: &[u8], new: &[u8], block: usize) -> bool {
    let part = |bytes: &[u8], at: usize| -> Vec<u8> {
        (at..(at + block).min(is.len())).map(|at| bytes.get(at).copied().unwrap_or(0)).collect()
    };
    let starts = || (0..is.len()).step_by(block);
    let fresh = starts().take_while(|&at| part(is, at) == part(new, at)).count();
    starts().skip(fresh).all(|at| part(is, at) == part(old, at))
}

/// A run of calls on a simulated disk, and the files before and after each.
pub struct Run {
    pub geometry: Geometry,
    disk: Arc<SimDisk>,
    states: Vec<State>,
}

impl Run {
    /// Makes the calls; after every fourth what was done is made durable.
    pub fn record(geometry: Geometry) -> Self {
        let block = u64::from(geometry.block_size);
        let disk = SimDisk::new(prepare(&geometry).snapshot());
        let volume = Volume::open(disk.clone(), geometry.open()).unwrap();
        let (mut states, mut dice, mut durable) = (vec![state(&volume)], Dice::new(11), 0);
        for number in 0..budget("UNTORN_SHARING_CUTS", 18) {
            disk.mark(durable << 32 | states.len() as u64);
            match geometry.journal {
                None => act(&volume, number, block, &mut dice),
                Some(_) => act_while_syncing(&volume, number, block, &mut dice),
            }
            states.push(state(&volume));
            if number % 4 == 3 {
                volume.sync().unwrap();
                durable = states.len() as u64 - 1;
                disk.mark(durable << 32 | durable);
            }
        }
        volume.close().unwrap();
        let last = states.len() as u64 - 1;
        disk.mark(last << 32 | last);
        Self { geometry, disk, states }
    }

    pub fn cuts(&self) -> CutPlan {
        self.disk.cuts()
    }

    /// Panics where a cut may not leave `found`; whether that lies between two states.
    pub fn judge(&self, cut: &Cut, found: &State) -> bool {
        let Self { geometry, states, .. } = self;
        let mark = cut.mark.unwrap_or(0);
        let (durable, begun) = ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize);
        if states[durable..=begun].contains(found) {
            return false;
        }
        // Copies go piece by piece; clones only where one transaction cannot carry them.
        let block = geometry.block_size as usize;
        let step = (durable..begun).find(|&step| {
            let in_pieces = geometry.journal.is_some() && step % 9 != 1 && step % 9 != 3;
            (in_pieces || step % 9 == 5)
                && lies_between(found, &states[step], &states[step + 1], block)
        });
        assert!(step.is_some(), "{}, {cut}: no state of {durable} to {begun}", geometry.name);
        true
    }
}

/// Recovers what a cut left here.
fn recovered(run: &Run, cut: &Cut) -> State {
    let name = run.geometry.name;
    let device: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
    let opened = Volume::open(Arc::clone(&device), OpenOptions::default());
    let volume = opened.unwrap_or_else(|error| panic!("{name}, {cut}: {error}"));
    let found = state(&volume);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &Default::default()).unwrap();
    assert!(report.findings.is_empty(), "{name}, {cut}: {:?}", report.findings.first());
    found
}

fn survive(index: usize) {
    let run = Run::record(geometries()[index]);
    let (mut cuts, mut in_between) = (0, 0);
    for cut in run.cuts().families(&Family::ALL).distinct() {
        cuts += 1;
        in_between += usize::from(run.judge(&cut, &recovered(&run, &cut)));
    }
    let Geometry { name, journal, .. } = run.geometry;
    println!("{name}: {cuts} cuts, {in_between} between two states");
    assert!(cuts > 100);
    assert_eq!(in_between > 0, journal.is_some(), "{name}");
}

macro_rules! survives {
    ($($name:ident = $index:literal;)*) => {$(
        #[test]
        fn $name() {
            survive($index);
        }
    )*};
}

survives! {
    clones_and_exchanges_survive_power_cuts_check = 0;
    clones_and_exchanges_of_small_blocks_survive_power_cuts_check = 1;
    clones_in_many_transactions_leave_a_prefix_after_power_cuts_check = 2;
}
