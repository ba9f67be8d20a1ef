//! Archives that are refused, each with the entry's name.

use super::archive::Archive;
use super::tree_of;
use tar::EntryType;

#[track_caller]
fn refused(archive: &[u8], words: &[&str]) {
    let error = tree_of(archive).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} has no {word:?}");
    }
}

#[test]
fn names_that_lead_out_of_the_tree_are_refused() {
    refused(&Archive::new().file("../evil", b"").done(), &["../evil", "out of the tree"]);
    refused(&Archive::new().file("a/../../evil", b"").done(), &["a/../../evil", "`..`"]);
    refused(&Archive::new().file("/etc/evil", b"").done(), &["/etc/evil", "absolute"]);
    refused(&Archive::new().file("", b"x").done(), &["empty name"]);
    let pax = Archive::new().pax(&[("path", b"ok/../../evil")]).file("x", b"").done();
    refused(&pax, &["ok/../../evil"]);
    let zero = Archive::new().pax(&[("path", b"a\0b")]).file("x", b"").done();
    refused(&zero, &["zero byte"]);
    let long = "n".repeat(256);
    let long = Archive::new().pax(&[("path", long.as_bytes())]).file("x", b"").done();
    refused(&long, &["too long"]);
}

#[test]
fn links_to_what_is_not_in_the_archive_are_refused() {
    refused(&Archive::new().link("l", "missing").done(), &["l: ", "missing"]);
    refused(&Archive::new().link("l", "/etc/shadow").done(), &["l: ", "absolute"]);
    refused(&Archive::new().link("l", "../shadow").done(), &["l: ", "`..`"]);
    let directory = Archive::new().entry(EntryType::Directory, "d", "", b"").link("l", "d");
    refused(&directory.done(), &["l: ", "directory"]);
    let nothing = Archive::new().entry(EntryType::Symlink, "s", "", b"");
    refused(&nothing.done(), &["s: ", "nothing"]);
}

#[test]
fn zero_bytes_where_no_volume_has_them_are_refused() {
    let target = Archive::new().pax(&[("linkpath", b"a\0b")]);
    let target = target.entry(EntryType::Symlink, "s", "", b"").done();
    refused(&target, &["s: ", "zero byte in its target"]);
    let name = Archive::new().pax(&[("SCHILY.xattr.user.a\0b", b"x")]).file("f", b"").done();
    refused(&name, &["f: ", "zero byte in its name"]);
    let long = vec![b'a'; 1024];
    let long = Archive::new().pax(&[("linkpath", &long)]);
    let long = long.entry(EntryType::Symlink, "s", "", b"").done();
    refused(&long, &["s: ", "longer than XFS keeps"]);
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let through = Archive::new().entry(EntryType::Symlink, "s", "/etc", b"").file("s/passwd", b"x");
    refused(&through.done(), &["s/passwd", "no directory"]);
    let below = Archive::new().file("f", b"x").file("f/g", b"y").done();
    refused(&below, &["f/g", "no directory"]);
    let over = Archive::new().file("d/x", b"x").file("d", b"y").done();
    refused(&over, &["d: ", "is a directory already"]);
}

#[test]
fn sizes_that_the_archive_does_not_have_are_refused() {
    let says = |size: u64| {
        Archive::new().with(EntryType::Regular, "big", "", b"x", |header| header.set_size(size))
    };
    for size in [1 << 20, 1 << 40, u64::MAX, u64::MAX - 511] {
        refused(&says(size).done(), &["big: ", "cut off"]);
    }
    let pax = Archive::new().pax(&[("size", b"99999999999999")]).file("big", b"x").done();
    refused(&pax, &["big: ", "cut off"]);
    let long = Archive::new()
        .with(EntryType::XHeader, "pax", "", b"", |header| header.set_size(1 << 30))
        .done();
    refused(&long, &["archive.tar", "extended header"]);
}

#[test]
fn archives_that_are_cut_off_are_refused() {
    let whole = Archive::new().file("a", &[1; 1000]).file("b", &[2; 1000]).cut();
    for end in [100, 511, 513, 700, 1535 - 24, 1536 + 3, 1536 + 512 + 100] {
        let error = tree_of(&whole[..end]).unwrap_err().to_string();
        assert!(error.contains("cut off"), "{end}: {error}");
    }
    refused(&whole, &["archive.tar", "cut off", "zeroes"]);
    refused(&whole[..1536], &["archive.tar", "cut off"]);
    let ended = [&whole[..], &[0; 512]].concat();
    assert!(tree_of(&ended).is_ok());
    refused(b"", &["archive.tar", "empty"]);
    let told = Archive::new().file("a", b"").pax(&[("path", b"b")]);
    refused(&told.done(), &["archive.tar", "cut off"]);
}

#[test]
fn what_is_no_archive_is_refused() {
    refused(&[b'x'; 2048], &["archive.tar", "no tar archive"]);
    refused(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0], &["compressed", "zcat"]);
    let mut bent = Archive::new().file("a", b"x").done();
    bent[120] ^= 1;
    refused(&bent, &["no tar archive, or damaged"]);
    let kind = Archive::new().entry(EntryType::new(b'M'), "part", "", b"").done();
    refused(&kind, &["part", "another archive"]);
    let kind = Archive::new().entry(EntryType::new(b'Q'), "odd", "", b"").done();
    refused(&kind, &["odd", "kind"]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    let user = Archive::new().pax(&[("uid", b"4294967296")]).file("u", b"").done();
    refused(&user, &["u: ", "uid"]);
    let nobody = Archive::new().pax(&[("gid", b"4294967295")]).file("g", b"").done();
    refused(&nobody, &["g: ", "gid"]);
    let time = Archive::new().pax(&[("mtime", b"soon")]).file("t", b"").done();
    refused(&time, &["t: ", "mtime"]);
    let acl = Archive::new().pax(&[("SCHILY.acl.access", b"user::rwx")]).file("l", b"").done();
    refused(&acl, &["l: ", "access list"]);
    let broken = Archive::new().entry(EntryType::XHeader, "p", "", b"99 path=x\n").file("x", b"");
    refused(&broken.done(), &["extended header"]);
}

#[test]
fn lists_of_holes_that_contradict_themselves_are_refused() {
    let map = |map: &str, size: &str| {
        let records = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())];
        Archive::new().pax(&records).file("s", &[1; 1024]).done()
    };
    for (list, size) in [
        ("0,512,256,512", "4096"),
        ("512,512,0,512", "4096"),
        ("0,2048", "4096"),
        ("4000,512", "4096"),
        ("0,512,1", "4096"),
        ("0,18446744073709551615", "4096"),
        ("18446744073709551615,512", "4096"),
        ("0,512", "many"),
    ] {
        refused(&map(list, size), &["s: ", "holes"]);
    }
    for size in [1 << 63, u64::MAX] {
        refused(&map("0,512", &size.to_string()), &["s: ", "more than any file"]);
    }
    let first = |text: &[u8]| {
        let records: [(&str, &[u8]); 2] =
            [("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"4096")];
        Archive::new().pax(&records).file("s", text).done()
    };
    for text in [&b""[..], b"1\n0\n", b"99999999\n", b"x\n", b"\n\n", &[b'1'; 600]] {
        refused(&first(text), &["s: ", "holes"]);
    }
}

#[test]
fn what_is_said_of_all_entries_is_bounded() {
    let value = vec![b'v'; 60_000];
    let pax = Archive::new().global(&[("SCHILY.xattr.user.a", &value)]).file("f", b"").done();
    refused(&pax, &["archive.tar", "of all entries"]);
    let part = vec![b'v'; 9 << 20];
    let pax = Archive::new().pax(&[("comment", &part)]).pax(&[("comment", &part)]);
    refused(&pax.file("f", b"").done(), &["archive.tar", "of one entry"]);
}

#[test]
fn many_attributes_take_no_longer_than_their_bytes() {
    let records: Vec<u8> = (0..300_000)
        .flat_map(|number| format!("33 SCHILY.xattr.user.{number:09}=v\n").into_bytes())
        .collect();
    let archive = Archive::new().entry(EntryType::XHeader, "p", "", &records).file("f", b"").done();
    let begun = std::time::Instant::now();
    let tree = tree_of(&archive).unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    let item = tree.item(tree.find(b"f").unwrap());
    assert_eq!(item.attributes.len(), 300_000);
}

#[test]
fn archives_with_any_byte_bent_are_read_or_refused_and_never_more() {
    let archive = Archive::new()
        .pax(&[("path", b"long"), ("GNU.sparse.size", b"9000"), ("GNU.sparse.map", b"0,9")])
        .file("a", &[1; 9])
        .entry(EntryType::Directory, "d/", "", b"")
        .link("d/b", "long")
        .done();
    for at in 0..archive.len() {
        for bit in [0, 3, 7] {
            let mut bent = archive.clone();
            bent[at] ^= 1 << bit;
            // The header's sum would hide all that is behind it.
            let start = at / 512 * 512;
            if [0, 1024, 2048, 2560].contains(&start) {
                bent[start + 148..start + 156].fill(b' ');
                let sum: u32 = bent[start..start + 512].iter().map(|&byte| u32::from(byte)).sum();
                bent[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
            let _ = tree_of(&bent);
        }
    }
}
