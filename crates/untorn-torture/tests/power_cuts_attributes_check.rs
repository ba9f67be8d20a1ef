//! Attributes set and removed on a simulated disk, cut at every request: each change is there whole
//! or not at all, in order, and none that was synced is lost.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use untorn::attr::SetMode;
use untorn::{NewFile, OpenOptions, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::attr::Namespace;
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Cut, Family, SimDisk};
use untorn_torture::kernel::{self, Mounted, Scratch, xfs_repair_n};

/// Path and name to value.
type State = BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>;

const PATHS: [&str; 2] = ["/file", "/directory"];

/// Changes made: a smoke by default, a soak with `UNTORN_CUT_WRITES`.
fn changes() -> usize {
    std::env::var("UNTORN_CUT_WRITES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

struct Run {
    disk: Arc<SimDisk>,
    /// The attributes after 0, 1, 2 ... changes.
    states: Vec<State>,
}

fn state(volume: &Volume) -> State {
    let mut found = State::new();
    for path in PATHS {
        let ino = volume.lookup(path).unwrap();
        for attr in volume.attributes(ino).unwrap() {
            found.insert((path.into(), attr.name), attr.value);
        }
    }
    found
}

/// One change: a value of any length, from inside the inode to many blocks, or none.
fn change(volume: &Volume, dice: &mut Dice, known: &State) {
    let path = *dice.pick(&PATHS);
    let ino = volume.lookup(path).unwrap();
    let names: Vec<_> = known.keys().filter(|(at, _)| at == path.as_bytes()).collect();
    if !names.is_empty() && dice.chance(2, 5) {
        let (_, name) = *dice.pick(&names);
        volume.remove_attribute(ino, (Namespace::User, name)).unwrap();
        return;
    }
    let length = *dice.pick(&[3, 30, 100, 250, 700, 900, 5000, 40_000]);
    let name = format!("attribute-{}", dice.below(14));
    let value = dice.bytes(length);
    let key = (Namespace::User, name.as_bytes());
    volume.set_attribute(ino, key, &value, SetMode::Upsert).unwrap();
}

fn mark(disk: &SimDisk, durable: usize, begun: usize) {
    disk.mark((durable as u64) << 32 | begun as u64);
}

fn run(block_size: u32, seed: u64) -> Run {
    let medium = Arc::new(MemoryDevice::new(48 << 20));
    let contents = mkfs::Contents::Zeroed;
    mkfs::make(&*medium, &mkfs::Options { block_size, contents, ..Default::default() }).unwrap();
    let volume = Volume::open(medium.clone(), OpenOptions::default()).unwrap();
    volume.create_file("/file", NewFile::default()).unwrap();
    volume.create_dir("/directory", NewFile::default()).unwrap();
    volume.close().unwrap();
    let disk = SimDisk::new(medium.snapshot());
    let volume = Volume::open(disk.clone(), OpenOptions::default()).unwrap();
    let mut dice = Dice::new(seed);
    let mut states = vec![state(&volume)];
    let mut durable = 0;
    for step in 0..changes() {
        mark(&disk, durable, states.len());
        change(&volume, &mut dice, &states[step]);
        states.push(state(&volume));
        if step % 7 == 0 {
            volume.sync().unwrap();
            durable = states.len() - 1;
            mark(&disk, durable, durable);
        }
    }
    volume.close().unwrap();
    mark(&disk, states.len() - 1, states.len() - 1);
    Run { disk, states }
}

fn assert_one_of(run: &Run, cut: &Cut, found: &State) {
    let mark = cut.mark.unwrap_or(0);
    let (least, most) = ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize);
    assert!(run.states[least..=most].contains(found), "{cut}: neither of {least} to {most}");
}

fn survive(block_size: u32, seed: u64) {
    let run = run(block_size, seed);
    let (mut cuts, mut replayed) = (0, 0);
    for cut in run.disk.cuts().families(&Family::ALL).distinct() {
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let volume = Volume::open(image.clone(), OpenOptions::default())
            .unwrap_or_else(|e| panic!("{cut}: {e}"));
        replayed += usize::from(!volume.recovery().was_clean);
        assert_one_of(&run, &cut, &state(&volume));
        volume.close().unwrap();
        let report = untorn_check::check(&*image, &Default::default()).unwrap();
        assert!(report.findings.is_empty(), "{cut}: {:?}", report.findings.first());
        cuts += 1;
    }
    println!("{block_size} byte blocks: {cuts} cuts, {replayed} replayed");
    assert!(cuts > 50 && replayed > 10, "the cuts met nothing worth meeting");
}

#[test]
fn attributes_survive_power_cuts_check() {
    survive(4096, 1);
}

#[test]
fn attributes_on_small_blocks_survive_power_cuts_check() {
    survive(1024, 2);
}

#[test]
fn linux_recovers_power_cuts_over_attributes_kernel() {
    if !kernel::demand() {
        return;
    }
    for (block_size, seed) in [(4096, 3), (1024, 4)] {
        let run = run(block_size, seed);
        let scratch = Scratch::new().unwrap();
        let families = [Family::Prefix, Family::FlushedOnly];
        let mut cuts = 0;
        for cut in run.disk.cuts().families(&families).distinct().step_by(9) {
            let image = scratch.image("cut.img");
            cut.image.store(&image).unwrap();
            let mounted = Mounted::new(&image).unwrap();
            let found = seen_by_linux(&mounted);
            mounted.unmount().unwrap();
            assert_one_of(&run, &cut, &found);
            xfs_repair_n(&image).unwrap().assert_clean();
            cuts += 1;
        }
        println!("{block_size} byte blocks: Linux recovered {cuts} cuts");
        assert!(cuts > 5);
    }
}

fn seen_by_linux(mounted: &Mounted) -> State {
    let tree = kernel::tree(&mounted.root()).unwrap();
    let mut found = State::new();
    for path in PATHS {
        let entry = &tree[std::path::Path::new(path.trim_start_matches('/'))];
        for (name, value) in &entry.xattrs {
            let name = name.strip_prefix(b"user.").unwrap().to_vec();
            found.insert((path.into(), name), value.clone());
        }
    }
    found
}
