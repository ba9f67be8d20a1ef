//! Attribute intents in the journal, as Linux leaves them: made here, for Linux writes them only
//! with a debug knob or for parent pointers. Where Linux can run, it finishes a copy of each
//! journal and must arrive at the same attributes.

use super::*;
use crate::attr::AttrFork;
use crate::attr::index;
use crate::da::IndexFork;
use crate::namespace::attr_fork::AttrTx;
use crate::recover::tests::Left;
use untorn_format::attr::leaf_edit::{Entry, EntryValue};
use untorn_format::attr::{State, hash};
use untorn_format::da::DaBlock;
use untorn_format::log::{AttrOp, AttrUpdate, Intent, Work};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, parent};
use untorn_torture::kernel::{self, Mounted, Scratch, xfs_repair_n};

/// Sets bits of the superblock's feature words and writes it home. Opening for writing takes those
/// of the log back.
fn with_features(bench: Bench, incompat: u32, log_incompat: u32) -> Bench {
    let Bench { device, volume, ino, model } = bench;
    set_features(&volume, incompat, 0);
    volume.close().unwrap();
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    set_features(&volume, 0, log_incompat);
    volume.core().store.bring_home().unwrap();
    Bench { device, volume, ino, model }
}

fn set_features(volume: &Volume, incompat: u32, log_incompat: u32) {
    let core = volume.core().clone();
    core.transact(4096, &[], |tx| {
        for ag in (0..core.geometry.ag_count).map(AgNumber) {
            tx.lock_ag(ag)?;
            let header = core.header(ag, BlockKind::Superblock);
            let raw = SuperblockDisk::of_mut(tx.stage(&header)?).unwrap();
            raw.features_incompat.set(raw.features_incompat.get() | incompat);
            raw.features_log_incompat.set(raw.features_log_incompat.get() | log_incompat);
        }
        Ok(())
    })
    .unwrap();
}

/// Puts an intent into the journal and cuts the power.
fn leave(bench: Bench, update: AttrUpdate) -> Arc<MemoryDevice> {
    let Bench { device, volume, .. } = bench;
    let core = volume.core().clone();
    let left = Arc::new(Left(Intent { id: 0xffff_8881_0a0b_0c00, work: Work::Attr(update) }));
    core.transact(128 << 10, &[], |tx| {
        tx.buffers_mut().log(left.clone());
        Ok(())
    })
    .unwrap();
    drop(core);
    volume.sync().unwrap();
    volume.abandon();
    device
}

/// Puts an entry marked incomplete into the index, and blocks that nothing leads to behind it.
fn half_way(bench: &Bench, name: &[u8], value: EntryValue, lost: u32) {
    let core = bench.volume.core();
    let inode = core.inodes.load(core, bench.ino).unwrap();
    let (namespace, state) = (Namespace::User, State::Incomplete);
    let entry =
        Entry { hash: hash(namespace, name, &[]), namespace, state, name: name.to_vec(), value };
    core.transact(64 << 10, std::slice::from_ref(&inode), |tx| {
        let mut fork = AttrTx::new(tx, inode.ino, &[]);
        for _ in 0..lost {
            fork.grow()?;
        }
        index::insert(&mut fork, &entry)
    })
    .unwrap();
}

/// Makes an attribute fork without attributes, as Linux does before the first intent of an inode.
fn empty_fork(bench: &Bench) {
    let core = bench.volume.core();
    let inode = core.inodes.load(core, bench.ino).unwrap();
    core.transact(4096, std::slice::from_ref(&inode), |tx| {
        AttrTx::new(tx, inode.ino, &[]).set_indexed(40)
    })
    .unwrap();
}

fn attributes(volume: &Volume, ino: Ino) -> Model {
    let listed = volume.attributes(ino).unwrap().into_iter();
    listed.map(|attr| ((attr.namespace, attr.name), attr.value)).collect()
}

/// What Linux makes of a copy of the journal, where it can run.
fn linux(device: &MemoryDevice, ino: Ino, repaired: bool) -> Option<Model> {
    if !kernel::demand() {
        return None;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("intent.img");
    device.snapshot().store(&image).unwrap();
    Mounted::new(&image).unwrap().unmount().unwrap();
    if repaired {
        xfs_repair_n(&image).unwrap().assert_clean();
    }
    let device = untorn_device::FileDevice::open(&image, untorn_device::Access::ReadOnly).unwrap();
    let options = OpenOptions { access: crate::Access::ReadOnly, ..OpenOptions::default() };
    let volume = Volume::open(Arc::new(device), options).unwrap();
    assert!(volume.recovery().was_clean);
    Some(attributes(&volume, ino))
}

/// Finishes the intent here, compares with `wanted` and with what Linux makes of it.
fn judge(device: Arc<MemoryDevice>, ino: Ino, wanted: &Model, what: &str, repaired: bool) -> Bench {
    if let Some(theirs) = linux(&device, ino, repaired) {
        assert!(theirs == *wanted, "{what}: Linux finishes it otherwise");
    }
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    assert_eq!(volume.recovery().intents, 1, "{what}");
    let bench = Bench { device, volume, ino, model: wanted.clone() }.turn(what);
    assert!(bench.volume.recovery().was_clean, "{what}: finished once and for all");
    let features = bench.volume.superblock().features;
    assert_eq!(features.log_incompat, 0, "{what}: nothing is left that only some can replay");
    bench
}

fn plain(bench: &Bench, name: &[u8], op: AttrOp, filter: u8) -> AttrUpdate {
    AttrUpdate { ino: bench.ino, generation: 0, filter, name: name.to_vec(), op }
}

/// Volumes whose attributes are short, in a leaf, in a tree.
fn forms() -> Vec<(&'static str, Bench)> {
    let sizes = [("empty", 0), ("short", 2), ("leaf", 12), ("tree", 90)];
    let made = sizes.map(|(form, count)| {
        let mut bench = with_features(Bench::new(&options(1024, 512)), 0, 1);
        if count == 0 {
            empty_fork(&bench);
        }
        for number in 0..count {
            bench.set(format!("attribute-{number:02}").as_bytes(), &[number; 30]);
        }
        (form, bench)
    });
    made.into()
}

#[test]
fn an_intent_to_set_is_finished_kernel() {
    for value in [&b"short"[..], &[5; 700], &[6; 20_000]] {
        for (form, bench) in forms() {
            let (mut wanted, ino) = (bench.model.clone(), bench.ino);
            wanted.insert((Namespace::User, b"new".to_vec()), value.to_vec());
            let update = plain(&bench, b"new", AttrOp::Set(value.to_vec()), 0);
            let what = format!("{} bytes beside {form}", value.len());
            judge(leave(bench, update), ino, &wanted, &what, true);
        }
    }
}

#[test]
fn an_intent_to_replace_is_finished_kernel() {
    for (form, mut bench) in forms() {
        bench.set(b"old", &[1; 9000]);
        let (mut wanted, ino) = (bench.model.clone(), bench.ino);
        wanted.insert((Namespace::User, b"old".to_vec()), vec![2; 5000]);
        let update = plain(&bench, b"old", AttrOp::Replace(vec![2; 5000]), 0);
        judge(leave(bench, update), ino, &wanted, form, true);
    }
}

#[test]
fn an_intent_to_remove_is_finished_kernel() {
    for length in [20, 700, 9000] {
        for (form, mut bench) in forms() {
            let (wanted, ino) = (bench.model.clone(), bench.ino);
            bench.set(b"old", &vec![1; length]);
            let update = plain(&bench, b"old", AttrOp::Remove, 0);
            judge(leave(bench, update), ino, &wanted, &format!("{form}, {length}"), true);
        }
    }
}

#[test]
fn an_intent_is_finished_from_half_way_kernel() {
    let nothing = || EntryValue::Remote { block: DaBlock(0), length: 0 };
    for (form, bench) in forms().into_iter().skip(2) {
        // The entry is there and so are blocks for its value, which was not written.
        half_way(&bench, b"new", nothing(), 5);
        let (mut wanted, ino) = (bench.model.clone(), bench.ino);
        wanted.insert((Namespace::User, b"new".to_vec()), vec![3; 5000]);
        let update = plain(&bench, b"new", AttrOp::Set(vec![3; 5000]), 0);
        let device = leave(bench, update);
        agree_with_linux(&device, ino, &wanted, form);
        judge_alone(device, ino, &wanted, form);
    }
    for (form, bench) in forms().into_iter().skip(2) {
        // The old value is half removed; what is left to do is marked in the intent.
        half_way(&bench, b"old", nothing(), 3);
        let (wanted, ino) = (bench.model.clone(), bench.ino);
        let update = plain(&bench, b"old", AttrOp::Remove, 1 << 7);
        let device = leave(bench, update);
        agree_with_linux(&device, ino, &wanted, form);
        judge_alone(device, ino, &wanted, form);
    }
}

/// Linux replaces otherwise where it logs intents, and gives up when it meets this.
#[test]
fn an_old_value_that_is_still_to_go_goes_check() {
    for (form, mut bench) in forms().into_iter().skip(2) {
        // The new one is complete already and the old one still to go.
        bench.set(b"both", b"new");
        half_way(&bench, b"both", EntryValue::Local(b"old".to_vec()), 0);
        let (wanted, ino) = (bench.model.clone(), bench.ino);
        let update = plain(&bench, b"both", AttrOp::Replace(b"new".to_vec()), 0);
        judge_alone(leave(bench, update), ino, &wanted, form);
    }
}

fn agree_with_linux(device: &MemoryDevice, ino: Ino, wanted: &Model, what: &str) {
    if let Some(theirs) = linux(device, ino, false) {
        assert!(theirs == *wanted, "{what}: Linux finishes it otherwise");
    }
}

/// Finishes the intent here; no block may be lost to the fork.
fn judge_alone(device: Arc<MemoryDevice>, ino: Ino, wanted: &Model, what: &str) {
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    assert_eq!(volume.recovery().intents, 1, "{what}");
    let mut bench = Bench { device, volume, ino, model: wanted.clone() }.turn(what);
    for (_, name) in wanted.clone().into_keys() {
        bench.remove(&name);
    }
    let bench = bench.turn(what);
    assert_eq!((bench.fork(), bench.blocks().0), ((0, 0), 0), "{what}: blocks are lost");
}

/// A volume with parent pointers, a file in its root, and the value of a pointer to the root.
fn with_parents() -> (Bench, Vec<u8>, u32) {
    let bench = Bench::new(&options(4096, 512));
    let root = bench.volume.metadata_of(bench.volume.root()).unwrap().inode;
    let generation = bench.volume.metadata_of(bench.ino).unwrap().inode.generation;
    let value = parent::encode_value(root.ino, root.generation).to_vec();
    let bench = with_features(bench, 1 << 7, 0);
    empty_fork(&bench);
    (bench, value, generation)
}

fn pointer(bench: &Bench, name: &[u8], op: AttrOp, generation: u32) -> AttrUpdate {
    AttrUpdate { ino: bench.ino, generation, filter: 1 << 3, name: name.to_vec(), op }
}

#[test]
fn intents_of_parent_pointers_are_finished_kernel() {
    let (bench, value, generation) = with_parents();
    let ino = bench.ino;
    let wanted = Model::from([((Namespace::Parent, b"file".to_vec()), value.clone())]);
    let update = pointer(&bench, b"file", AttrOp::SetParent(value.clone()), generation);
    let bench = judge(leave(bench, update), ino, &wanted, "set", false);
    let update = pointer(&bench, b"file", AttrOp::RemoveParent(value.clone()), generation);
    let device = leave(bench, update);
    assert_eq!(linux(&device, ino, false).unwrap_or_default(), Model::new());
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    assert_eq!(attributes(&volume, ino), Model::new());
    let bench = Bench { device, volume, ino, model: Model::new() };
    let update = pointer(&bench, b"other", AttrOp::SetParent(value.clone()), generation);
    let device = leave(bench, update);
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    let bench = Bench { device, volume, ino, model: Model::new() };
    let op = AttrOp::ReplaceParent {
        old_value: value.clone(),
        new_name: b"file".to_vec(),
        new_value: value,
    };
    let update = pointer(&bench, b"other", op, generation);
    judge(leave(bench, update), ino, &wanted, "replace", false);
}

#[test]
fn intents_that_cannot_be_are_refused() {
    let (bench, value, generation) = with_parents();
    let ino = bench.ino;
    let cases = [
        pointer(&bench, b"file", AttrOp::SetParent(value.clone()), generation ^ 1),
        pointer(&bench, b"file", AttrOp::SetParent(vec![1; 11]), generation),
        AttrUpdate { filter: 0, ..pointer(&bench, b"file", AttrOp::SetParent(value), generation) },
        AttrUpdate { filter: 6, ..plain(&bench, b"n", AttrOp::Remove, 0) },
        AttrUpdate { ino: Ino(ino.0 + 1), ..plain(&bench, b"n", AttrOp::Remove, 0) },
    ];
    bench.volume.close().unwrap();
    for update in cases {
        let device = Arc::new(bench.device.snapshot());
        let opened: Arc<dyn BlockDevice> = device.clone();
        let volume = Volume::open(opened, OpenOptions::default()).unwrap();
        let copy = Bench { device, volume, ino, model: Model::new() };
        let told = format!("{update:?}");
        let opened: Arc<dyn BlockDevice> = leave(copy, update);
        let refused = Volume::open(opened, OpenOptions::default());
        assert!(matches!(refused, Err(Error::Corrupt(_))), "{told}");
    }
}
