//! What is known of names stays true and within its limit.

use crate::dir::Found;
use crate::{Error, NewFile, OpenOptions, Rename, Volume, mkfs};
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::Ino;
use untorn_format::dir::FileType;

fn volume(options: OpenOptions) -> Volume {
    let device = Arc::new(MemoryDevice::new(128 << 20));
    mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    Volume::open(device, options).unwrap()
}

/// What is known of a name of the root.
fn known(volume: &Volume, name: &str) -> Option<Ino> {
    let names = &volume.core().names;
    names.find(volume.root(), name.as_bytes()).map(|found| found.ino)
}

#[test]
fn known_names_stay_within_their_limit_and_the_newest_are_among_them() {
    let names = super::KnownNames::new(64);
    let found = |ino| Found { ino: Ino(ino), file_type: FileType::Regular };
    let most = 64 * super::EACH;
    for ino in 0..10_000 {
        names.learn(Ino(7), ino.to_string().as_bytes(), found(ino));
        assert!(names.count() <= most, "{} of at most {most} names", names.count());
        assert_eq!(names.find(Ino(7), ino.to_string().as_bytes()), Some(found(ino)));
        assert_eq!(names.find(Ino(8), ino.to_string().as_bytes()), None);
    }
    assert!(names.count() >= most / 4, "{} of {most} names", names.count());
    names.clear();
    assert_eq!(names.count(), 0);
}

#[test]
fn a_name_is_known_when_it_is_made_or_found_until_it_changes() {
    let volume = volume(OpenOptions::default());
    let ino = volume.create_file("/a", NewFile::default()).unwrap().ino();
    assert_eq!(known(&volume, "a"), Some(ino), "made");
    volume.core().names.clear();
    assert_eq!(volume.lookup("/a").unwrap(), ino);
    assert_eq!(known(&volume, "a"), Some(ino), "found");
    let other = volume.create_file("/b", NewFile::default()).unwrap().ino();
    volume.rename("/a", "/b", Rename::Exchange).unwrap();
    assert_eq!((known(&volume, "a"), known(&volume, "b")), (Some(other), Some(ino)));
    volume.rename("/a", "/b", Rename::Whiteout { uid: 0, gid: 0 }).unwrap();
    assert_eq!(known(&volume, "b"), Some(other));
    assert!(known(&volume, "a").is_some_and(|ino| ino != other), "the whiteout has the name");
    volume.remove("/b").unwrap();
    assert_eq!(known(&volume, "b"), None);
    assert!(matches!(volume.lookup("/b"), Err(Error::NotFound(_))));
    volume.close().unwrap();
}

#[test]
fn what_a_dropped_transaction_did_to_names_is_not_known() {
    use crate::namespace::entries::{Entry, add_name, take_name, turn_name};
    use untorn_format::inode::FileKind;

    let volume = volume(OpenOptions::default());
    let ino = volume.create_file("/a", NewFile::default()).unwrap().ino();
    let turned = volume.create_file("/c", NewFile::default()).unwrap().ino();
    let core = volume.core();
    let root = core.inodes.load(core, volume.root()).unwrap();
    let file = core.inodes.load(core, ino).unwrap();
    let entry = |name| Entry { dir: root.ino, name };
    let dropped = core.transact(64 * 1024, &[Arc::clone(&root), file], |tx| {
        take_name(tx, entry(b"a"), ino)?;
        assert_eq!(entry(b"a").find(tx)?, None);
        add_name(tx, entry(b"b"), ino, FileKind::Regular)?;
        assert_eq!(entry(b"b").find(tx)?.map(|found| found.ino), Some(ino));
        assert_eq!(known(&volume, "b"), None, "nothing is published");
        turn_name(tx, entry(b"c"), turned, (ino, FileKind::Regular))?;
        assert_eq!(entry(b"c").find(tx)?.map(|found| found.ino), Some(ino));
        Err::<(), _>(Error::Invalid("enough".to_owned()))
    });
    assert!(matches!(dropped, Err(Error::Invalid(_))));
    assert_eq!((known(&volume, "a"), known(&volume, "b")), (None, None));
    assert_eq!(volume.lookup("/a").unwrap(), ino);
    assert_eq!(volume.lookup("/c").unwrap(), turned);
    assert!(matches!(volume.lookup("/b"), Err(Error::NotFound(_))));
    drop(root);
    volume.close().unwrap();
}

#[test]
fn a_directory_of_a_number_that_is_used_again_knows_nothing_of_the_last() {
    let volume = volume(OpenOptions::default());
    let make = |path: &str| volume.create_dir(path, NewFile::default()).unwrap();
    let first = make("/dir");
    drop(volume.create_file("/dir/name", NewFile::default()).unwrap());
    volume.remove("/dir/name").unwrap();
    volume.remove("/dir").unwrap();
    let again = (0..64).map(|i| make(&format!("/{i}"))).position(|ino| ino == first);
    let again = again.expect("a free number is used again");
    let outcome = volume.lookup(format!("/{again}/name"));
    assert!(matches!(outcome, Err(Error::NotFound(_))), "{outcome:?}");
    volume.close().unwrap();
}
