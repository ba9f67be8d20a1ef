//! `untorn db` on volumes of our own: what it prints, refuses, and makes of damage.

use crate::Site;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

/// A volume with a file, a directory and a link.
fn site() -> Site {
    let site = Site::new();
    site.run_on(&["write", "@", "/file", "--atomic"], &[7; 5000]).well();
    site.run(&["mkdir", "@", "/folder"]).well();
    site.run(&["ln", "-s", "@", "target", "/link"]).well();
    site
}

fn overwrite(site: &Site, at: u64, bytes: &[u8]) {
    let image = OpenOptions::new().write(true).open(&site.image).unwrap();
    image.write_all_at(bytes, at).unwrap();
}

#[test]
fn fields_print_by_their_names_in_xfs_db() {
    let site = site();
    let said = site.run(&["db", "@", "-c", "sb 0", "-c", "p magicnum blocksize crc"]).well();
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines[..2], ["magicnum = 0x58465342", "blocksize = 4096"]);
    assert!(lines[2].starts_with("crc = 0x") && lines[2].ends_with(" (correct)"), "{lines:?}");
    let said = site.run(&["db", "@", "-c", "path /file", "-c", "p core.size u3.bmx"]).well();
    assert!(said.out.starts_with("core.size = 5000\nu3.bmx[0] = [startoff,"), "{}", said.out);
    assert!(said.out.contains(",2,0]\n"), "{}", said.out);
    let said = site.run(&["db", "@", "-c", "path /link", "-c", "p u3.symlink"]).well();
    assert_eq!(said.out, "u3.symlink = \"target\"\n");
}

#[test]
fn pointers_are_followed_and_places_come_back() {
    let site = site();
    let typed =
        ["agf 0", "push", "addr bnoroot", "p magic", "back", "p magicnum", "pop", "p seqno"];
    let commands = typed.iter().flat_map(|command| ["-c", command]);
    let arguments: Vec<_> = ["db", "@"].into_iter().chain(commands).collect();
    let said = site.run(&arguments).well();
    assert_eq!(said.out, "magic = 0x41423342\nmagicnum = 0x58414746\nseqno = 0\n");
}

#[test]
fn commands_come_from_standard_input_until_quit() {
    let said = site().run_on(&["db", "@"], b"hash abc\n\nquit\nhash abc\n").well();
    assert_eq!(said.out, "0x187163\n");
}

#[test]
fn lines_that_are_no_text_have_bytes_in_names_and_the_rest_is_done_check() {
    let site = site();
    let said = site.run_on(&["db", "@"], b"hash a\xffc\nhash abc\r\n\xfe\0\nhash \\141bc");
    let hashes: Vec<_> = said.out.lines().collect();
    assert_eq!((said.status, hashes.len(), hashes[1], hashes[2]), (1, 3, "0x187163", "0x187163"));
    assert_eq!(hashes[0], "0x183fe3");
    assert!(said.err.starts_with("untorn: \\xfe") && said.err.lines().count() == 1, "{}", said.err);
    site.run(&["touch", "@", "/a b\\"]).well();
    let inode = site.run(&["stat", "--json", "@", "/a b\\"]).json()[0]["inode"].to_string();
    for path in ["path /a\\040b\\\\", "path /a\\x20b\\134"] {
        let said = site.run(&["db", "@", "-c", path, "-c", "p v3.inumber"]).well().out;
        assert_eq!(said, format!("v3.inumber = {inode}\n"), "{path}");
    }
    site.assert_sound();
}

#[test]
fn json_has_the_same_fields() {
    let said = site().run(&["db", "@", "--json", "-c", "agf 0", "-c", "p seqno uuid crc"]);
    let json = said.json();
    assert_eq!(json["seqno"], 0);
    assert_eq!(json["crc"]["state"], "correct");
    assert_eq!(json["uuid"].as_str().unwrap().len(), 36);
}

#[test]
fn what_is_not_supported_is_refused_by_name_and_the_rest_is_done() {
    let site = site();
    let said = site.run(&["db", "@", "-c", "write magicnum 0", "-c", "hash abc"]);
    assert_eq!((said.status, said.out.as_str()), (1, "0x187163\n"));
    assert!(said.err.contains("write is not supported: nothing is written here"), "{}", said.err);
    site.run(&["db", "@", "-c", "frobnicate"]).refused(1, "not found: try help");
    site.run(&["db", "@", "-c", "p"]).refused(1, "no current place");
    site.run(&["db", "@", "-c", "agf 99"]).refused(1, "bad allocation group");
    site.run(&["db", "@", "-c", "inode 128", "-c", "p core.nothing"]).refused(1, "not found");
    site.run(&["db", "@", "-c", "inode 99999999999999"]).refused(1, "bad inode number");
    site.assert_sound();
}

#[test]
fn a_damaged_block_is_shown_with_its_bad_checksum() {
    let site = site();
    overwrite(&site, 512 + 40, &[0xff; 4]);
    let said = site.run(&["db", "@", "-c", "agf 0", "-c", "p flfirst crc"]).well();
    assert!(said.out.starts_with("flfirst = 4294967295\ncrc = 0x"), "{}", said.out);
    assert!(said.out.ends_with(" (bad)\n"), "{}", said.out);
    assert_eq!(site.run(&["check", "@"]).status, 1);
}

#[test]
fn bytes_that_are_no_such_structure_are_shown_as_bytes() {
    let said = site().run(&["db", "@", "-c", "fsblock 1", "-c", "type dir3", "-c", "p"]).well();
    let mut lines = said.out.lines();
    assert!(lines.next().unwrap().starts_with("# no dir3 in any form that is known here"));
    assert!(lines.next().unwrap().starts_with("000: 41423342 "));
}

#[test]
fn a_list_that_is_longer_than_its_block_ends_with_it() {
    let site = site();
    let at = site.run(&["db", "@", "-c", "agf 0", "-c", "addr bnoroot", "-c", "daddr"]).well().out;
    let daddr: u64 = at.trim().trim_start_matches("current daddr is ").parse().unwrap();
    overwrite(&site, daddr * 512 + 6, &[0xff, 0xff]);
    let said = site.run(&["db", "@", "-c", "agf 0", "-c", "addr bnoroot", "-c", "p"]).well();
    assert!(said.out.contains("recs[1-505] = "), "{}", said.out);
    assert!(said.out.contains("65030 of 65535 lie past the end"), "{}", said.out);
}

#[test]
fn a_copy_of_the_superblock_serves_where_the_first_is_gone() {
    let site = site();
    overwrite(&site, 0, &[0; 512]);
    let said = site.run(&["db", "@", "-c", "agf 0", "-c", "p seqno magicnum"]).well();
    assert_eq!(said.out, "seqno = 0\nmagicnum = 0x58414746\n");
    assert!(said.err.contains("reading by the copy at byte"), "{}", said.err);
}

#[test]
fn what_is_no_volume_is_refused() {
    let site = Site::bare();
    std::fs::write(&site.image, vec![0; 1 << 20]).unwrap();
    site.run(&["db", "@", "-c", "sb 0"]).refused(1, "no superblock of XFS and no copy");
}
