//! The commands about a volume as a whole: label, UUID, size, who mounts it.

use super::Site;

#[test]
fn a_label_is_shown_set_and_cleared_check() {
    let site = Site::new();
    assert_eq!(site.run(&["label", "@"]).well().out, "label = \"\"\n");
    assert_eq!(site.run(&["label", "@", "backup"]).well().out, "label = \"backup\"\n");
    assert_eq!(site.run(&["label", "@", "--json"]).json()["label"], "backup");
    site.run(&["label", "@", "thirteen char"]).refused(1, "at most 12 bytes");
    assert_eq!(site.run(&["label", "@", "--clear"]).well().out, "label = \"\"\n");
    site.assert_sound();
}

#[test]
fn a_uuid_is_shown_changed_and_restored_check() {
    let site = Site::new();
    let first = site.run(&["uuid", "@"]).well().out;
    let wanted = "01234567-89ab-cdef-0123-456789abcdef";
    assert_eq!(site.run(&["uuid", "@", wanted]).well().out, format!("UUID = {wanted}\n"));
    let json = site.run(&["uuid", "@", "--json"]).json();
    assert_eq!(format!("UUID = {}\n", json["metadata_uuid"].as_str().unwrap()), first);
    site.assert_sound();
    assert_ne!(site.run(&["uuid", "@", "--generate"]).well().out, first);
    site.run_on(&["write", "@", "/file"], b"x").well();
    site.assert_sound();
    assert_eq!(site.run(&["uuid", "@", "restore"]).well().out, first);
    let compat = site.run(&["compat", "@", "--json"]).json();
    assert!(compat["xfsprogs"].is_string(), "{compat}");
    site.run(&["uuid", "@", "nonsense"]).refused(1, "`generate` or `restore`");
    site.run(&["uuid", "@", "00000000-0000-0000-0000-000000000000"]).refused(1, "--generate");
    site.assert_sound();
}

#[test]
fn a_volume_grows_with_its_image_check() {
    let site = Site::new();
    assert!(site.run(&["grow", "@"]).well().out.ends_with("data size unchanged, skipping\n"));
    let image = std::fs::File::options().write(true).open(&site.image).unwrap();
    image.set_len(200 << 20).unwrap();
    let said = site.run(&["grow", "@", "--size", "100m"]).well().out;
    assert!(said.ends_with("data blocks changed from 16384 to 24576\n"), "{said}");
    site.assert_sound();
    let json = site.run(&["grow", "@", "--json"]).json();
    assert_eq!((&json["blocks"], &json["ag_count"]), (&49152.into(), &12.into()));
    site.run(&["grow", "@", "--size", "64m"]).refused(1, "not made smaller");
    site.run(&["grow", "@", "--size", "1g"]).refused(1, "truncate -s");
    site.run_on(&["write", "@", "/file"], b"x").well();
    site.assert_sound();
}

#[test]
fn who_mounts_a_volume_is_said_first_and_then_why() {
    let site = Site::new();
    let said = site.run(&["compat", "@"]).well().out;
    assert!(said.contains("Linux           5.10 and later\n"), "{said}");
    assert!(said.contains("GRUB            2.12 and later\n"), "{said}");
    let json = site.run(&["compat", "@", "--json"]).json();
    assert_eq!(json["linux"], "5.10");
    assert_eq!(json["untorn"], "reads and writes it");
    let features = json["features"].as_array().unwrap();
    assert!(features.iter().any(|f| f["name"] == "reflink" && f["linux"] == "4.9"));
}
