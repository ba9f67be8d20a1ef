//! Archives with every kind of entry.

use super::archive::Archive;
use super::{built, open, read, tree_of};
use tar::EntryType;
use untorn::AclKind;
use untorn::mkfs::Options;
use untorn_format::attr::Namespace;
use untorn_format::inode::{FileKind, Timestamp};

#[test]
fn every_kind_of_entry_becomes_what_it_says_check() {
    let long = "deep/".repeat(40) + "file";
    let archive = Archive::new()
        .entry(EntryType::Directory, "./", "", b"")
        .entry(EntryType::Directory, "dir/", "", b"")
        .file("./dir/file", b"contents")
        .link("dir/again", "dir/file")
        .entry(EntryType::Symlink, "abs", "/etc/../passwd", b"")
        .entry(EntryType::Fifo, "fifo", "", b"")
        .with(EntryType::Char, "null", "", b"", |header| {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        })
        .with(EntryType::Block, "disk", "", b"", |header| {
            header.set_device_major(8).unwrap();
            header.set_device_minor(17).unwrap();
        })
        .entry(EntryType::GNULongName, "././@LongLink", "", format!("{long}\0").as_bytes())
        .file("cut", b"long")
        .file("dir/.wh.gone", b"")
        .done();
    let (device, built) = built(&tree_of(&archive).unwrap(), &Options::default());
    let volume = open(&device);
    assert_eq!(read(&volume, "/dir/file"), b"contents");
    assert_eq!(volume.lookup("/dir/again").unwrap(), volume.lookup("/dir/file").unwrap());
    assert_eq!(volume.metadata("/dir/file").unwrap().inode.nlink, 2);
    assert_eq!(volume.read_link("/abs").unwrap(), b"/etc/../passwd");
    assert_eq!(volume.metadata("/fifo").unwrap().kind, FileKind::Fifo);
    assert_eq!(volume.metadata("/null").unwrap().device, Some((1, 3)));
    assert_eq!(volume.metadata("/disk").unwrap().kind, FileKind::BlockDevice);
    assert_eq!(volume.metadata("/disk").unwrap().device, Some((8, 17)));
    assert_eq!(read(&volume, &format!("/{long}")), b"long");
    assert!(volume.lookup("/dir/.wh.gone").is_ok(), "whiteouts are files as any");
    let found = volume.metadata("/dir/file").unwrap().inode;
    assert_eq!((found.mode & 0o7777, found.uid, found.gid), (0o640, 1000, 100));
    assert_eq!(found.mtime, Timestamp { seconds: 1_700_000_000, nanos: 0 });
    let found = built.summary;
    assert_eq!((found.files, found.links, found.specials, found.symlinks), (3, 1, 3, 1));
}

#[test]
fn extended_headers_say_more_than_the_header_can_check() {
    let acl = "user::rw-,user:7:rwx,group::r--,mask::rwx,other::---";
    let archive = Archive::new()
        .pax(&[
            ("path", b"name\nwith newline"),
            ("mtime", b"1700000000.123456789"),
            ("atime", b"-1.5"),
            ("LIBARCHIVE.creationtime", b"1600000000.5"),
            ("uid", b"3000000000"),
            ("SCHILY.xattr.user.binary", b"a\n\0=b"),
            ("SCHILY.xattr.security.capability", b"\x01\0\0\x02\0\x20\0\0"),
            ("SCHILY.xattr.btrfs.compression", b"zstd"),
            ("SCHILY.acl.access", acl.as_bytes()),
        ])
        .file("short", b"1")
        .file("plain", b"2")
        .done();
    let (device, _) = built(&tree_of(&archive).unwrap(), &Options::default());
    let volume = open(&device);
    let ino = volume.lookup("/name\nwith newline").unwrap();
    let found = volume.metadata_of(ino).unwrap().inode;
    assert_eq!(found.uid, 3_000_000_000);
    assert_eq!(found.mtime, Timestamp { seconds: 1_700_000_000, nanos: 123_456_789 });
    assert_eq!(found.atime, Timestamp { seconds: -2, nanos: 500_000_000 });
    assert_eq!(found.crtime, Timestamp { seconds: 1_600_000_000, nanos: 500_000_000 });
    let mut all: Vec<_> = volume
        .attributes(ino)
        .unwrap()
        .into_iter()
        .filter(|listed| listed.namespace != Namespace::Trusted)
        .map(|listed| (listed.name, listed.value))
        .collect();
    all.sort();
    let expected = [
        (b"binary".to_vec(), b"a\n\0=b".to_vec()),
        (b"capability".to_vec(), b"\x01\0\0\x02\0\x20\0\0".to_vec()),
    ];
    assert_eq!(all, expected);
    assert_eq!(volume.acl_of(ino, AclKind::Access).unwrap().unwrap().entries().len(), 5);
    assert_eq!(volume.metadata("/plain").unwrap().inode.uid, 1000, "of one entry only");
}

/// A sparse file of 10 MiB with these runs, in each of the ways in which archives say so.
fn sparse_files(runs: &[(u64, &[u8])]) -> Vec<Vec<u8>> {
    let size = 10u64 << 20;
    let text = size.to_string();
    let data: Vec<u8> = runs.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
    let numbers: Vec<String> =
        runs.iter().flat_map(|(at, bytes)| [at.to_string(), bytes.len().to_string()]).collect();
    let old = Archive::new().with(EntryType::GNUSparse, "sparse", "", &data, |header| {
        let header = header.as_gnu_mut().unwrap();
        header.set_real_size(size);
        for (place, (offset, bytes)) in header.sparse.iter_mut().zip(runs) {
            place.set_offset(*offset);
            place.set_length(bytes.len() as u64);
        }
    });
    let first = numbers.chunks(2).flat_map(|pair| {
        let value = |text: &String| text.clone().into_bytes();
        [("GNU.sparse.offset", value(&pair[0])), ("GNU.sparse.numbytes", value(&pair[1]))]
    });
    let mut first: Vec<_> = first.collect();
    first.push(("GNU.sparse.size", text.clone().into_bytes()));
    let first: Vec<_> = first.iter().map(|(key, value)| (*key, value.as_slice())).collect();
    let second = numbers.join(",");
    let mut third = format!("{}\n{}\n", runs.len(), numbers.join("\n")).into_bytes();
    third.resize(third.len().next_multiple_of(512), 0);
    third.extend(&data);
    vec![
        old.done(),
        Archive::new().pax(&first).file("sparse", &data).done(),
        Archive::new()
            .pax(&[
                ("GNU.sparse.size", text.as_bytes()),
                ("GNU.sparse.name", b"sparse"),
                ("GNU.sparse.map", second.as_bytes()),
            ])
            .file("GNUSparseFile.0/sparse", &data)
            .done(),
        Archive::new()
            .pax(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"sparse"),
                ("GNU.sparse.realsize", text.as_bytes()),
            ])
            .file("GNUSparseFile.0/sparse", &third)
            .done(),
    ]
}

#[test]
fn sparse_files_keep_their_holes_in_every_way_of_saying_so_check() {
    let runs: [(u64, &[u8]); 3] = [(0, &[1; 512]), (70_000, &[2; 5000]), (9 << 20, &[3; 1 << 20])];
    for archive in sparse_files(&runs) {
        let (device, _) = built(&tree_of(&archive).unwrap(), &Options::default());
        let volume = open(&device);
        let bytes = read(&volume, "/sparse");
        let mut expected = vec![0; 10 << 20];
        for (at, run) in runs {
            expected[at as usize..at as usize + run.len()].copy_from_slice(run);
        }
        assert!(bytes == expected, "{} bytes", bytes.len());
        assert!(volume.metadata("/sparse").unwrap().inode.blocks <= 256 + 4);
    }
}

#[test]
fn later_entries_replace_earlier_ones_and_links_keep_what_they_led_to_check() {
    let archive = Archive::new()
        .file("a", b"old")
        .link("b", "a")
        .file("a", b"new")
        .entry(EntryType::Directory, "d", "", b"")
        .file("d/x", b"x")
        .with(EntryType::Directory, "d/", "", b"", |header| header.set_mode(0o2711))
        .done();
    let (device, built) = built(&tree_of(&archive).unwrap(), &Options::default());
    let volume = open(&device);
    assert_eq!((read(&volume, "/a"), read(&volume, "/b")), (b"new".to_vec(), b"old".to_vec()));
    assert_eq!(volume.metadata("/d").unwrap().inode.mode & 0o7777, 0o2711);
    assert_eq!(read(&volume, "/d/x"), b"x");
    assert_eq!(built.summary.links, 0);
}

#[test]
fn the_order_of_an_archive_makes_no_difference_model() {
    let uuid = Some([7; 16]);
    let time = Some(std::time::UNIX_EPOCH);
    let options = Options { uuid, time, size: Some(64 << 20), ..Options::default() };
    let names: Vec<String> = (0..200).map(|i| format!("d{}/f{i}", i % 7)).collect();
    let image = |names: &mut dyn Iterator<Item = &String>| {
        let archive = names
            .fold(Archive::new(), |archive, name| archive.file(name, name.repeat(97).as_bytes()));
        let mut tree = tree_of(&archive.done()).unwrap();
        tree.stamp(untorn_image::Epoch::All(Timestamp::default()));
        let (device, _) = built(&tree, &options);
        let mut bytes = vec![0; 64 << 20];
        untorn_device::BlockDevice::read_at(&*device, 0, &mut bytes).unwrap();
        bytes
    };
    let forth = image(&mut names.iter());
    assert!(forth == image(&mut names.iter().rev()), "the images differ");
    assert!(forth == image(&mut names.iter()), "the images differ");
}

#[test]
fn incremental_archives_list_what_directories_held_check() {
    let dumped = EntryType::new(b'D');
    let listed = [&b"Yfile\0Nother\0\0"[..], &[b'x'; 600]].concat();
    let archive = Archive::new().entry(dumped, "d/", "", &listed).file("d/file", b"bytes").done();
    let (device, built) = built(&tree_of(&archive).unwrap(), &Options::default());
    assert_eq!(read(&open(&device), "/d/file"), b"bytes");
    assert_eq!((built.summary.files, built.summary.directories), (1, 1));
}

#[test]
fn times_before_1970_are_kept_check() {
    let archive = Archive::new()
        .with(EntryType::Regular, "old", "", b"", |header| {
            header.as_mut_bytes()[136..148].copy_from_slice(&[
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
            ]);
        })
        .done();
    let (device, _) = built(&tree_of(&archive).unwrap(), &Options::default());
    let found = open(&device).metadata("/old").unwrap().inode;
    assert_eq!(found.mtime, Timestamp { seconds: -2, nanos: 0 });
}
