//! Short-form attributes against a list, remote blocks, and bytes that lie.

use super::short_edit::Key;
use super::*;
use crate::da::{Birth, Fit, Part};
use crate::{DiskAddr, FsBlock, Geometry, Ino, kind};
use proptest::prelude::*;

fn listed(bytes: &[u8]) -> Vec<(Namespace, Vec<u8>, Vec<u8>)> {
    short::verify(bytes).unwrap();
    let attrs = Short::parse(bytes).unwrap().attrs().map(|attr| attr.unwrap());
    let owned = attrs.map(|attr| match attr.value {
        Value::Local(value) => (attr.namespace, attr.name.to_vec(), value.to_vec()),
        Value::Remote { .. } => panic!("short forms have no remote values"),
    });
    owned.collect()
}

fn namespace() -> impl Strategy<Value = Namespace> {
    prop_oneof![
        Just(Namespace::User),
        Just(Namespace::Trusted),
        Just(Namespace::Security),
        Just(Namespace::Parent)
    ]
}

proptest! {
    #[test]
    fn short_attributes_hold_what_was_set_model(
        adds in proptest::collection::vec(
            (
                namespace(),
                proptest::collection::vec(any::<u8>(), 1..=255),
                proptest::collection::vec(any::<u8>(), 0..300),
            ),
            0..20,
        ),
        removes in proptest::collection::vec(any::<usize>(), 0..20),
        inline in 40usize..1200,
    ) {
        let mut bytes = short_edit::init();
        let mut model = Vec::new();
        for (namespace, name, value) in adds {
            let before = bytes.clone();
            let fits = name.len() < 255 && value.len() < 255
                && bytes.len() + 3 + name.len() + value.len() <= inline;
            let done = short_edit::add(&mut bytes, namespace, &name, &value, inline).unwrap();
            prop_assert_eq!(done == Fit::Done, fits);
            if fits {
                        model.push((namespace, name, value))
                    } else {
                        prop_assert_eq!(&before, &bytes)
                    }
            prop_assert_eq!(&listed(&bytes), &model);
        }
        for index in removes {
            if model.is_empty() {
                break;
            }
            let (namespace, name, value) = model.remove(index % model.len());
            let key = Key::NameAndValue(namespace, &name, &value);
            prop_assert_eq!(short_edit::remove(&mut bytes, key).unwrap(), Some(value.clone()));
            prop_assert_eq!(&listed(&bytes), &model);
        }
    }

    #[test]
    fn random_bytes_are_refused_or_harmless(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        read_everything(&bytes);
        for (at, value) in [(8, 0x3bu8), (9, 0xee), (56, 0), (57, 7), (60, 0), (61, 200)] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        read_everything(&bytes);
        if let Some(magic) = bytes.get_mut(..4) {
            magic.copy_from_slice(b"XARM");
        }
        read_everything(&bytes);
    }
}

fn read_everything(bytes: &[u8]) {
    let _ = short::verify(bytes);
    if let Ok(short) = Short::parse(bytes) {
        short.attrs().count();
        let _ = short_edit::remove(&mut bytes.to_vec(), Key::Name(Namespace::User, b"x"));
    }
    if let Ok(leaf) = Leaf::parse(bytes) {
        leaf.attrs().count();
        leaf.matching(0).count();
    }
    let _ = remote::parse(bytes);
}

#[test]
fn a_name_alone_finds_its_namespace() {
    let mut bytes = short_edit::init();
    for (namespace, value) in [(Namespace::User, b"1"), (Namespace::Trusted, b"2")] {
        short_edit::add(&mut bytes, namespace, b"name", value, 100).unwrap();
    }
    let key = Key::Name(Namespace::Trusted, b"name");
    assert_eq!(short_edit::remove(&mut bytes, key).unwrap(), Some(b"2".to_vec()));
    assert_eq!(short_edit::remove(&mut bytes, key).unwrap(), None);
    let left = Short::parse(&bytes).unwrap().find(Namespace::User, b"name").unwrap();
    assert_eq!(left.map(|attr| attr.value), Some(Value::Local(b"1")));
}

#[test]
fn two_namespaces_at_once_are_a_fault() {
    let mut bytes = short_edit::init();
    short_edit::add(&mut bytes, Namespace::User, b"name", b"value", 100).unwrap();
    for flags in [ROOT | SECURE, ROOT | PARENT, INCOMPLETE] {
        bytes[6] = flags;
        assert!(short::verify(&bytes).is_err(), "{flags:#x}");
    }
}

#[test]
fn a_remote_block_carries_its_part_and_no_lsn() {
    let geometry = Geometry {
        block_log: 12,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: 3,
        ag_block_log: 20,
        dir_block_log: 0,
        ag_blocks: 1 << 20,
        ag_count: 1,
        data_blocks: 1 << 20,
        log_start: FsBlock(0),
        log_blocks: 0,
    };
    let birth = Birth { uuid: [1; 16], addr: DiskAddr(88), owner: Ino(77) };
    let mut block = vec![9; 4096];
    let value = vec![3; remote::capacity(4096)];
    remote::encode(&mut block, &birth, Part { offset: 4040, bytes: &value });
    let identity = kind::Identity {
        geometry: &geometry,
        uuid: [1; 16],
        addr: DiskAddr(88),
        owner: Some(77),
        newest: Some(crate::Lsn(1)),
    };
    kind::verify(kind::BlockKind::AttrRemote, &block, &identity).unwrap();
    assert_eq!(remote::parse(&block), Ok(Part { offset: 4040, bytes: &value }));
    assert_eq!(&block[48..56], [0xff; 8]);
}
