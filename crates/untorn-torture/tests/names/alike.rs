//! Clones have what their sources have beside bytes, and inodes know the names that lead to them.

use super::{PLAIN, assert_sound, made, open};
use std::sync::Arc;
use untorn::attr::{Namespace, SetMode};
use untorn::{AclKind, Error, Make, Name, NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::MemoryDevice;
use untorn_format::acl::{Acl, AclEntry, Who};

/// A list that names a user.
fn acl(permissions: u8) -> Acl {
    let who = [Who::Owner, Who::User(1000), Who::OwningGroup, Who::Mask, Who::Others];
    Acl::new(who.map(|who| AclEntry { who, permissions }).into()).unwrap()
}

/// A value that lies beside its name, and one that needs blocks.
const LENGTHS: [usize; 2] = [40, 9_000];

#[test]
fn a_clone_has_attributes_and_access_lists_of_its_source_check() {
    for length in LENGTHS {
        let device = made(PLAIN);
        let volume = open(&device);
        let source = volume.create_file("/source", NewFile::default()).unwrap();
        source.write_at(0, &[5; 20_000], Sync::Visible).unwrap();
        let key = (Namespace::User, &b"origin"[..]);
        let value = vec![3; length];
        volume.set_attribute(source.ino(), key, &value, SetMode::Create).unwrap();
        volume.set_acl_of(source.ino(), AclKind::Access, Some(&acl(7))).unwrap();
        // What the directory hands down does not count.
        let dir = volume.make("/dir", Make::Directory, NewFile::default()).unwrap();
        volume.set_acl_of(dir, AclKind::Default, Some(&acl(5))).unwrap();
        let clone = volume.clone_file("/source", "/dir/clone").unwrap();
        let attributes = |ino| {
            let mut all = volume.attributes(ino).unwrap();
            all.sort_by(|a, b| a.name.cmp(&b.name));
            all
        };
        assert_eq!(attributes(clone.ino()), attributes(source.ino()), "{length}");
        assert_eq!(attributes(clone.ino()).len(), 2);
        let mode = |ino| volume.metadata_of(ino).unwrap().inode.mode;
        assert_eq!(mode(clone.ino()), mode(source.ino()));
        assert_eq!(clone.size().unwrap(), 20_000);
        drop((source, clone));
        volume.close().unwrap();
        assert_sound(&*device, "cloned");
    }
}

#[test]
fn an_inode_knows_its_paths_where_the_volume_has_parent_pointers_check() {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    let features = mkfs::FeatureSet::ALL;
    mkfs::make(&*device, &mkfs::Options { features, ..Default::default() }).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let mut dir = volume.root();
    for _ in 0..1_500 {
        dir = volume.make(Name::In(dir, b"d"), Make::Directory, NewFile::default()).unwrap();
    }
    let ino = volume.make(Name::In(dir, b"file"), Make::File, NewFile::default()).unwrap();
    for number in 0..40 {
        volume.link(ino, &format!("/link-{number:02}")).unwrap();
    }
    let paths = volume.paths_of(ino).unwrap();
    assert_eq!(paths.len(), 41);
    assert!(paths.iter().all(|path| volume.lookup(path).unwrap() == ino));
    assert_eq!(paths[0].len(), 2 * 1_500 + 5);
    assert_eq!(volume.paths_of(volume.root()).unwrap(), [b"/"]);
    assert!(volume.parents_of(volume.root()).unwrap().is_empty());
    volume.close().unwrap();
    assert_sound(&*device, "linked");
    let plain = open(&made(PLAIN));
    assert!(matches!(plain.parents_of(plain.root()), Err(Error::Unsupported { .. })));
}
