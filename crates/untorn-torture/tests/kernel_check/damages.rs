//! The table of damages under xfs_repair, and on a volume that this machine's Linux makes.

use std::path::Path;

use super::damage::{self, Damage, Repair, image, image::Image, patient::Patient};
use super::recipe;
use untorn_check::{Options, check};
use untorn_format::btree::BtreeKind;
use untorn_format::{BlockKind, DiskAddr};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{self, Scratch, xfs_repair_n};

/// What xfs_repair says of a damage, where that is not what the table says.
fn disagreement(damage: &Damage, patient: &Patient, path: &Path) -> Option<String> {
    patient.device.store(path).unwrap();
    let verdict = xfs_repair_n(path).unwrap();
    let (expected, why) = match damage.repair {
        Repair::Complains => (false, ""),
        Repair::Silent(why) => (true, why),
    };
    let theirs = if verdict.clean { "clean" } else { "damaged" };
    println!("{:<56} {:<24} {theirs:<8} {why}", damage.name, damage.code.name());
    let told = format!("{}: xfs_repair is clean: {}\n{verdict}", damage.name, verdict.clean);
    (verdict.clean != expected).then_some(told)
}

#[test]
fn xfs_repair_complains_of_what_the_checker_finds_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let kept = Image::kept();
    println!("{:<56} {:<24} xfs_repair -n", "damage", "the checker");
    let told: Vec<_> = damage::all()
        .filter_map(|damage| {
            let (patient, _) = damage::miss(damage, &kept);
            disagreement(damage, &patient, &scratch.image("hurt"))
        })
        .collect();
    assert!(told.is_empty(), "{} disagree:\n{}", told.len(), told.join("\n"));
}

/// Damages at random that a test does; from the environment, so that a night can do more.
fn seeds(usual: u64) -> u64 {
    std::env::var("UNTORN_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A byte that is not of the checksum, which is made right again.
fn beside(crc: usize, at: usize) -> usize {
    if (crc..crc + 4).contains(&at) { at + 4 } else { at }
}

/// Changes a bit somewhere in the used part of a block or inode and leaves the checksum right;
/// says where.
fn hurt_somewhere(patient: &Patient, dice: &mut Dice) -> String {
    let trees = [BtreeKind::Bnobt, BtreeKind::Cntbt, BtreeKind::Inobt, BtreeKind::Finobt];
    let trees = trees.into_iter().chain([BtreeKind::Rmapbt, BtreeKind::Refcountbt]);
    let headers = [(BlockKind::Superblock, 0, 280), (BlockKind::Agf, 1, 200)];
    let headers = headers.into_iter().chain([(BlockKind::Agi, 2, 300), (BlockKind::Agfl, 3, 60)]);
    let mut spots: Vec<(BlockKind, DiskAddr, u64)> = headers
        .map(|(kind, index, length)| (kind, patient.header(dice.below(2) as u32, index), length))
        .collect();
    for kind in trees {
        spots.extend(patient.tree(kind).iter().map(|b| (kind.block_kind(), b.addr, 400)));
    }
    let inodes = patient.inodes();
    let flip = 1 << dice.below(8);
    if dice.chance(1, 2) {
        let ino = *dice.pick(&inodes);
        let at = beside(100, dice.below(220) as usize);
        patient.edit_inode_bytes(ino, |bytes| bytes[at] ^= flip);
        return format!("inode {ino}, byte {at} ^ {flip:#x}");
    }
    let (kind, addr, length) = *dice.pick(&spots);
    let at = beside(kind.seal_at().map_or(0, |seal| seal.crc), dice.below(length) as usize);
    patient.edit(kind, addr, |bytes| bytes[at] ^= flip);
    format!("{} at {addr}, byte {at} ^ {flip:#x}", kind.name())
}

/// xfs_repair calls an LSN ahead that is where the log ends; Linux and the checker do not.
fn is_at_head(told: &str) -> bool {
    let line = told.lines().find_map(|line| line.strip_prefix("Maximum metadata LSN ("));
    let pair = line.and_then(|line| line.split_once(") is ahead of log ("));
    pair.is_some_and(|(newest, head)| head.trim_end_matches(").") == newest)
}

#[test]
fn what_xfs_repair_finds_in_a_volume_that_was_hurt_at_random_the_checker_finds_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let (path, kept) = (scratch.image("hurt"), Image::kept());
    let mut missed = Vec::new();
    for seed in 0..seeds(60) {
        let patient = Patient::new(&kept.device, &kept.names);
        let place = hurt_somewhere(&patient, &mut Dice::new(seed));
        let clean = check(&patient.device, &Options::default()).is_ok_and(|r| r.is_clean());
        patient.device.store(&path).unwrap();
        let verdict = xfs_repair_n(&path).unwrap();
        if clean != verdict.clean {
            println!(
                "{seed}: {place}: checker clean: {clean}, xfs_repair clean: {}",
                verdict.clean
            );
        }
        if clean && !verdict.clean && !is_at_head(&verdict.output) {
            missed.push(format!("{seed}: {place}\n{verdict}"));
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

/// With UNTORN_BLESS=1 this writes the image that is kept with the tests anew.
#[test]
fn a_volume_of_this_machine_is_hurt_in_the_same_ways_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let fresh = recipe::make(&scratch.image("fresh"));
    if std::env::var_os("UNTORN_BLESS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../untorn-check/tests/linux");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("damage.image"), image::pack(&fresh.device)).unwrap();
        std::fs::write(folder.join("damage.names"), fresh.names_as_text()).unwrap();
    }
    let missed: Vec<_> =
        damage::all().filter_map(|damage| damage::miss(damage, &fresh).1).collect();
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}
