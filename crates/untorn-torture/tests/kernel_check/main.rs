//! The checker against Linux and xfs_repair: volumes that Linux filled, aged and crashed give no
//! findings exactly where xfs_repair -n has nothing to say.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../../../untorn-check/tests/damage/mod.rs"]
mod damage;
mod damages;
mod fields;
mod recipe;
mod superblocks;

use std::path::Path;
use untorn_check::{CheckError, Journal, Options, Report};
use untorn_device::MemoryDevice;
use untorn_torture::kernel::{
    self, Extra, Flush, MkfsOptions, Mounted, Recipe, Scratch, Storm, workload_during_crash,
    xfs_repair_n,
};

const MIB: u64 = 1 << 20;

fn check(path: &Path) -> Result<Report, CheckError> {
    untorn_check::check(&MemoryDevice::load(path).unwrap(), &Options::default())
}

/// How many random operations a test does; from the environment, so that a night can do more.
fn operations(usual: u64) -> u64 {
    let asked = std::env::var("UNTORN_CHECK_OPERATIONS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn agree(path: &Path) {
    check(path).unwrap().assert_clean();
    xfs_repair_n(path).unwrap().assert_clean();
}

/// Both judges say the same. Linux, cut off in the middle of setting an attribute or of freeing an
/// inode, now and then leaves it half-way when it recovers (an attribute that is incomplete, an
/// inode without links): then both must see it.
fn judge_alike(path: &Path) {
    let (ours, theirs) = (check(path).unwrap(), xfs_repair_n(path).unwrap());
    assert_eq!(ours.is_clean(), theirs.clean, "{ours}\n{theirs}");
}

/// Makes a volume, fills it by each recipe in turn, and asks both judges after each.
fn fill_and_agree(size: u64, options: &MkfsOptions, recipes: &[Recipe]) {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    kernel::make_volume(&path, size, options).unwrap();
    agree(&path);
    for (seed, recipe) in (1..).zip(recipes) {
        let mounted = Mounted::new(&path).unwrap();
        kernel::fill(&mounted.root(), *recipe, seed).unwrap();
        mounted.unmount().unwrap();
        agree(&path);
    }
}

#[test]
fn a_default_volume_of_every_form_is_clean_kernel() {
    let recipes =
        [Recipe::EveryForm, Recipe::Aged { operations: operations(3000) }, Recipe::Shattered];
    fill_and_agree(400 * MIB, &MkfsOptions::default(), &recipes);
}

#[test]
fn a_volume_of_small_blocks_with_rmapbt_is_clean_kernel() {
    let options =
        MkfsOptions { block_size: 1024, rmapbt: true, nrext64: true, ..Default::default() };
    let recipes = [
        Recipe::EveryForm,
        Recipe::HugeDirectory { names: 20_000 },
        Recipe::Aged { operations: operations(3000) },
        Recipe::Crumbs { blocks: 30_000 },
    ];
    fill_and_agree(400 * MIB, &options, &recipes);
}

#[test]
fn a_volume_of_large_blocks_is_clean_kernel() {
    let options = MkfsOptions { block_size: 65536, rmapbt: true, ..Default::default() };
    let recipes = [Recipe::EveryForm, Recipe::Aged { operations: operations(2000) }];
    fill_and_agree(2048 * MIB, &options, &recipes);
}

#[test]
fn a_volume_of_large_sectors_and_directory_blocks_is_clean_kernel() {
    let options = MkfsOptions {
        sector_size: 4096,
        directory_block_size: Some(16384),
        rmapbt: true,
        ..Default::default()
    };
    let recipes = [Recipe::EveryForm, Recipe::HugeDirectory { names: 20_000 }];
    fill_and_agree(400 * MIB, &options, &recipes);
}

#[test]
fn a_volume_without_anything_optional_is_clean_kernel() {
    let options = MkfsOptions {
        reflink: false,
        finobt: false,
        inobtcount: false,
        sparse: false,
        bigtime: false,
        ..Default::default()
    };
    let recipes = [Recipe::EveryForm, Recipe::Aged { operations: operations(2000) }];
    fill_and_agree(320 * MIB, &options, &recipes);
}

#[test]
fn a_volume_of_large_inodes_and_many_ags_is_clean_kernel() {
    let options = MkfsOptions {
        block_size: 2048,
        inode_size: 1024,
        ag_count: Some(9),
        rmapbt: true,
        ..Default::default()
    };
    let recipes = [
        Recipe::EveryForm,
        Recipe::Aged { operations: operations(2000) },
        Recipe::ManyFiles { count: 3000 },
        Recipe::Shattered,
    ];
    fill_and_agree(400 * MIB, &options, &recipes);
}

#[test]
fn a_volume_with_parent_pointers_is_clean_check() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let extra = vec![Extra::ParentPointers, Extra::ExchangeRange];
    let options = MkfsOptions { rmapbt: true, extra, ..Default::default() };
    kernel::make_volume(&path, 320 * MIB, &options).unwrap();
    let mounted = Mounted::new(&path).unwrap();
    kernel::fill(&mounted.root(), Recipe::Aged { operations: operations(2000) }, 7).unwrap();
    kernel::fill(&mounted.root(), Recipe::EveryForm, 7).unwrap();
    mounted.unmount().unwrap();
    // xfs_repair of this age refuses such a volume.
    check(&path).unwrap().assert_clean();
}

/// Crashes Linux in a storm; the checker refuses the dirty journal, and has nothing to say once
/// Linux recovered.
fn crash_and_agree(options: &MkfsOptions, storm: &Storm) {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    kernel::make_volume(&path, 320 * MIB, options).unwrap();
    for round in 0..3 {
        let storm = Storm { seed: storm.seed + round, ..storm.clone() };
        workload_during_crash(Mounted::new(&path).unwrap(), &storm).unwrap();
        assert!(matches!(check(&path), Err(CheckError::DirtyJournal)));
        let as_it_lies = Options { journal: Journal::AsItLies, ..Options::default() };
        untorn_check::check(&MemoryDevice::load(&path).unwrap(), &as_it_lies).unwrap();
        Mounted::new(&path).unwrap().unmount().unwrap();
        judge_alike(&path);
    }
}

#[test]
fn a_volume_that_linux_recovered_is_judged_alike_kernel() {
    let options = MkfsOptions { rmapbt: true, ..Default::default() };
    crash_and_agree(&options, &Storm::of_everything(operations(1500), Flush::Log, 11));
}

#[test]
fn a_volume_that_linux_recovered_from_open_intents_is_judged_alike_kernel() {
    let options = MkfsOptions { block_size: 1024, ..Default::default() };
    crash_and_agree(&options, &Storm::of_long_chains(operations(1500), Flush::NoLog, 21));
}
