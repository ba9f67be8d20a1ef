//! Volumes made from the letters of mkfs.xfs.

use super::Site;

#[test]
fn the_letters_choose_the_layout_check() {
    let site = Site::bare();
    let uuid = "uuid=01234567-89ab-cdef-0123-456789abcdef";
    let said = site.run(&[
        "mkfs",
        "-b",
        "size=2k",
        "-d",
        "size=100m,agcount=3",
        "-i",
        "size=1024,maxpct=10",
        "-m",
        "rmapbt=0,reflink=0",
        "-m",
        uuid,
        "-n",
        "size=8k",
        "-L",
        "somewhere",
        "@",
    ]);
    let layout = said.well().out;
    assert!(layout.contains("isize=1024   agcount=3"), "{layout}");
    assert!(layout.contains("bsize=2048   blocks=51200, imaxpct=10"), "{layout}");
    assert!(layout.contains("rmapbt=0\n") && layout.contains("reflink=0 "), "{layout}");
    assert!(layout.contains("naming   =version 2              bsize=8192"), "{layout}");
    let info = site.run(&["info", "@", "--json"]).json();
    assert_eq!(info["uuid"], "01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(info["label"], "somewhere");
    site.assert_sound();
}

#[test]
fn sizes_may_be_counted_in_blocks_whatever_the_order() {
    let site = Site::bare();
    let layout = site.run(&["mkfs", "-N", "-d", "size=65536b", "-b", "size=2k", "@"]);
    let layout = layout.well().out;
    assert!(layout.contains("bsize=2048   blocks=65536,"), "{layout}");
    assert!(!site.image.exists(), "-N made a file");
}

#[test]
fn a_volume_is_overwritten_only_when_forced_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], b"x").well();
    site.run(&["mkfs", "@"]).refused(1, "give -f");
    assert_eq!(site.run(&["ls", "@"]).well().out, "file\n");
    site.run(&["mkfs", "-q", "-f", "@"]).well();
    assert_eq!(site.run(&["ls", "@"]).well().out, "");
    site.assert_sound();
}

#[test]
fn options_that_are_not_known_are_refused_by_name() {
    let site = Site::bare();
    let cases = [
        (["-d", "sunit=8"], "-d sunit= and swidth= go together"),
        (["-d", "su=64k,swidth=128"], "-d su= and sw= exclude sunit="),
        (["-d", "thing=8"], "-d thing is not known here; -d takes size, agcount"),
        (["-m", "crc=0"], "-m crc=0: only v5"),
        (["-l", "logdev=/dev/null"], "-l logdev=/dev/null: external logs are not made"),
        (["-r", "size=1g"], "realtime sections are not made"),
        (["-p", "proto"], "--from"),
        (["-n", "version=ci"], "names ignore case"),
        (["-m", "metadir=1"], "metadata directories"),
        (["-i", "perblock=3"], "must divide a block"),
        (["-i", "size=512,perblock=8"], "exclude each other"),
        (["-d", "concurrency=8"], "agcount="),
        (["-i", "max_atomic_write=1m"], "give it to mount"),
        (["-b", "size=3000"], "block size 3000"),
        (["-b", "size"], "-b size= wants a value"),
        (["-i", "sparse=2"], "-i sparse=2: 0 or 1"),
        (["-m", "uuid=abc"], "-m uuid=abc"),
        (["-L", "thirteen chars"], "label"),
    ];
    for (option, words) in cases {
        let [letter, value] = option;
        site.run(&["mkfs", "-d", "size=64m", letter, value, "@"]).refused(1, words);
        assert!(!site.image.exists(), "{option:?} left a file");
    }
    site.run(&["mkfs", "@"]).refused(1, "-d size=1g");
    site.run(&["mkfs", "-d", "size=64m,size=1g", "@"]).refused(1, "given twice");
    site.run(&["mkfs", "-d", "agcount=2,agsize=16m,size=64m", "@"]).refused(1, "exclude");
}

#[test]
fn an_options_file_says_what_the_letters_say_check() {
    let site = Site::bare();
    let file = site.path("options");
    let text = "# a comment\n[block]\nsize=2k\n[data]\nsize = 65536b\nagcount=2\n";
    let text = format!("{text}\n[naming]\nsize=\"8k\"\n");
    std::fs::write(&file, text).unwrap();
    let options = format!("options={}", file.display());
    let layout = site.run(&["mkfs", "-c", &options, "-i", "nrext64=1", "@"]).well().out;
    assert!(
        layout.contains("agcount=2") && layout.contains("bsize=2048   blocks=65536"),
        "{layout}"
    );
    assert!(layout.contains("naming   =version 2              bsize=8192"), "{layout}");
    assert!(layout.contains("nrext64=1"), "{layout}");
    site.assert_sound();
    let site = Site::bare();
    site.run(&["mkfs", "-c", &options, "-b", "size=2k", "@"]).refused(1, "-b size is given twice");
    site.run(&["mkfs", "-c", &options, "-c", &options, "@"]).refused(1, "given twice");
    site.run(&["mkfs", "-c", "options=/nowhere/at/all", "@"]).refused(1, "/nowhere/at/all");
    std::fs::write(&file, "[data]\nagcount=x\n").unwrap();
    site.run(&["mkfs", "-c", &options, "-d", "size=64m", "@"])
        .refused(1, "line 2 of the options file");
    assert!(!site.image.exists());
}

#[test]
fn a_kernel_chooses_the_features_and_refuses_what_it_does_not_know_check() {
    let old = Site::bare();
    let layout = old.run(&["mkfs", "--for-kernel", "4.19", "-d", "size=64m", "@"]).well().out;
    assert!(layout.contains("reflink=1    bigtime=0 inobtcount=0 nrext64=0"), "{layout}");
    let default = Site::bare();
    let layout = default.run(&["mkfs", "-d", "size=64m", "@"]).well().out;
    assert!(layout.contains("reflink=1    bigtime=1 inobtcount=1 nrext64=0"), "{layout}");
    let new = Site::bare();
    let typed = ["mkfs", "--for-kernel", "6.6", "-d", "size=64m", "-m", "finobt=0", "@"];
    let layout = new.run(&typed).well().out;
    assert!(layout.contains("inobtcount=0 nrext64=1"), "{layout}");
    let bare = Site::bare();
    let refused = [
        (["--for-kernel", "5.15", "-i", "nrext64=1"], "nrext64=1 needs Linux 5.19"),
        (["--for-kernel", "6.9", "-n", "parent=1"], "parent=1 needs Linux 6.10"),
        (["--for-kernel", "3.10", "-b", "size=4k"], "3.15 or later"),
    ];
    for (options, words) in refused {
        let mut typed = vec!["mkfs", "-d", "size=64m"];
        typed.extend(options);
        bare.run(&[&typed[..], &["@"]].concat()).refused(1, words);
    }
    [old, default, new].iter().for_each(Site::assert_sound);
}

#[test]
fn parent_pointers_exchange_and_stripes_are_made_check() {
    let site = Site::bare();
    let typed = ["-n", "parent=1", "-i", "exchange=1", "-d", "size=1g,su=64k,sw=4,daxinherit=1"];
    let layout = site.run(&[&["mkfs"], &typed[..], &["@"]].concat()).well().out;
    assert!(layout.contains("exchange=1   metadir=0"), "{layout}");
    assert!(layout.contains("sunit=16     swidth=64 blks"), "{layout}");
    assert!(layout.contains("ftype=1, parent=1"), "{layout}");
    site.assert_sound();
}

#[test]
fn what_is_supported_can_be_read_by_programs() {
    let site = Site::bare();
    let list = site.run(&["mkfs", "--supported", "--json"]).json();
    let options = list["options"].as_array().unwrap();
    let of = |letter: &str, name: &str| {
        let found = options.iter().find(|o| o["letter"] == letter && o["name"] == name);
        found.unwrap_or_else(|| panic!("-{letter} {name}"))["supported"].clone()
    };
    assert_eq!(of("d", "agcount"), "yes");
    assert_eq!(of("m", "crc"), "only");
    assert_eq!(of("r", "rtdev"), "no");
    assert_eq!(list["default_kernel"], "5.15");
    let features = list["features"].as_array().unwrap();
    assert!(features.iter().any(|f| f["name"] == "parent" && f["since"] == "6.10"));
    let text = site.run(&["mkfs", "--supported"]).well().out;
    assert!(text.contains("-n parent"), "{text}");
}

#[test]
fn volumes_reach_to_one_exbibyte() {
    let site = Site::bare();
    for size in ["1e", "64t", "17m"] {
        let sized = format!("size={size}");
        site.run(&["mkfs", "-q", "-N", "-d", &sized, "@"]).well();
    }
    site.run(&["mkfs", "-N", "-d", "size=15m", "@"]).refused(1, "at least 16 MiB");
}

#[test]
fn a_size_that_cannot_be_leaves_no_file_and_the_next_one_works() {
    let site = Site::bare();
    for size in ["1", "9e", "15m"] {
        site.run(&["mkfs", "-d", &format!("size={size}"), "@"]).refused(1, "");
        assert!(!site.image.exists(), "size={size} left a file");
    }
    site.run(&["mkfs", "-q", "-d", "size=300m", "@"]).well();
    site.assert_sound();
}

#[test]
fn a_size_of_parts_of_sectors_is_refused_as_such() {
    let site = Site::bare();
    for size in ["20000001", "20000000"] {
        let sized = format!("size={size}");
        let said = site.run(&["mkfs", "-d", &sized, "@"]);
        let said = said.refused(1, "is no multiple of 512 bytes, a sector; give size=19999744").err;
        assert!(!said.contains("device"), "{said}");
        site.run(&["mkfs", "-N", "-d", &sized, "@"]).refused(1, "no multiple of 512 bytes");
        assert!(!site.image.exists());
    }
}

#[test]
fn a_volume_that_is_too_small_for_its_choices_is_told_what_is_enough_check() {
    let site = Site::bare();
    let typed = ["mkfs", "-b", "size=64k", "-d", "size=16m", "@"];
    let said = site.run(&typed).refused(1, "size 16777216: is too small for these choices").err;
    assert!(!said.contains("log size"), "{said}");
    assert!(!site.image.exists());
    let enough = said.split("-d ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let mib: u64 = enough.trim_start_matches("size=").trim_end_matches('m').parse().unwrap();
    let less = format!("size={}m", mib - 1);
    site.run(&["mkfs", "-b", "size=64k", "-d", &less, "@"]).refused(1, "too small");
    site.run(&["mkfs", "-N", "-q", "-b", "size=64k", "-d", enough, "@"]).well();
    site.run(&["mkfs", "-q", "-b", "size=64k", "-d", enough, "@"]).well();
    site.assert_sound();
    let site = Site::bare();
    site.run(&["mkfs", "-b", "size=64k", "-l", "size=8m", "-d", "size=512m", "@"])
        .refused(1, "log size 8388608: must be at least");
}

#[test]
fn what_mkfs_xfs_refuses_to_overwrite_is_not_overwritten() {
    let site = Site::bare();
    let known: [(usize, &[u8], &str); 5] = [
        (510, b"\x55\xaa", "an MBR partition table"),
        (1034, b"\0\0\0\x1c\x08\x10\x7f\x13", "a Minix filesystem"),
        (0, b"QFI\xfb", "a qcow2 image"),
        ((32 << 20) - (64 << 10), b"\xfc\x4e\x2b\xa9", "a member of a RAID"),
        ((32 << 20) - 512, b"EFI PART", "a GPT partition table"),
    ];
    for (at, bytes, name) in known {
        let mut device = vec![0; 32 << 20];
        device[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(&site.image, &device).unwrap();
        site.run(&["mkfs", "@"]).refused(1, name);
        assert!(std::fs::read(&site.image).unwrap() == device, "{name} was changed");
        site.run(&["mkfs", "-q", "-f", "@"]).well();
        site.assert_sound();
    }
}
