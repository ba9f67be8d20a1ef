//! The table of damages under xfs_repair, and on a volume that this machine's Linux makes.

use std::path::Path;

use super::damage::{self, Damage, Repair, image, image::Image, patient::Patient};
use super::recipe;
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
