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
        (["-d", "sunit=8"], "-d sunit is not known here"),
        (["-m", "crc=0"], "-m crc=0: only v5"),
        (["-l", "logdev=/dev/null"], "-l logdev is not known here"),
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
