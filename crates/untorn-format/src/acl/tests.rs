//! Lists as the disk and the system calls of Linux have them.

use super::*;

fn list(entries: &[(Who, u8)]) -> Acl {
    let entry = |&(who, permissions): &(Who, u8)| AclEntry { who, permissions };
    Acl::new(entries.iter().map(entry).collect()).unwrap()
}

fn extended() -> Acl {
    list(&[
        (Who::Owner, 7),
        (Who::User(1000), 6),
        (Who::OwningGroup, 5),
        (Who::Mask, 6),
        (Who::Others, 4),
    ])
}

#[test]
fn a_list_is_read_as_it_was_stored_and_carried() {
    let list = extended();
    assert_eq!(Acl::decode(&list.encode()), Ok(list.clone()));
    assert_eq!(Acl::decode_carried(&list.encode_carried()), Ok(list.clone()));
    let stored = list.encode();
    assert_eq!(stored.len(), 4 + 5 * 12);
    assert_eq!(stored[..16], [0, 0, 0, 5, 0, 0, 0, 1, 255, 255, 255, 255, 0, 7, 0, 0]);
    assert_eq!(stored[16..28], [0, 0, 0, 2, 0, 0, 3, 0xe8, 0, 6, 0, 0]);
    assert_eq!(list.encode_carried()[..12], [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255]);
}

#[test]
fn a_list_that_does_not_hold_together_is_refused() {
    let entry = |who, permissions| AclEntry { who, permissions };
    let three = [entry(Who::Owner, 7), entry(Who::OwningGroup, 5), entry(Who::Others, 0)];
    assert!(Acl::new(three.to_vec()).is_ok());
    assert!(Acl::new(three[1..].to_vec()).is_err(), "no owner");
    assert!(Acl::new([&three[..], &three[..1]].concat()).is_err(), "two owners");
    assert!(Acl::new([&three[..], &[entry(Who::User(1), 1)]].concat()).is_err(), "no mask");
    assert!(Acl::new([&three[..2], &[entry(Who::Others, 8)]].concat()).is_err(), "permissions");
}

#[test]
fn damaged_bytes_are_refused() {
    let good = extended().encode();
    for length in 0..good.len() {
        assert!(Acl::decode(&good[..length]).is_err(), "{length} bytes");
    }
    let mut counted = good.clone();
    counted[3] = 6;
    assert!(Acl::decode(&counted).is_err());
    let mut tag = good;
    tag[7] = 3;
    assert!(Acl::decode(&tag).is_err());
    assert!(Acl::decode_carried(&[1, 0, 0, 0]).is_err(), "another version");
    assert!(Acl::decode_carried(&[2, 0, 0, 0, 1]).is_err());
}

#[test]
fn permission_bits_show_owner_mask_and_others() {
    let list = extended();
    assert_eq!(list.mode(), 0o764);
    let changed = list.with_mode(0o640);
    assert_eq!(changed.mode(), 0o640);
    assert_eq!(changed.entries()[1], AclEntry { who: Who::User(1000), permissions: 6 });
    assert_eq!(changed.entries()[2], AclEntry { who: Who::OwningGroup, permissions: 5 });
    assert!(list.is_extended());
}

#[test]
fn what_is_made_gets_no_more_than_it_was_made_with() {
    let (own, mode) = extended().restricted_to(0o644);
    assert_eq!(mode, 0o644);
    assert_eq!(own.mode(), 0o644);
    let plain = list(&[(Who::Owner, 7), (Who::OwningGroup, 5), (Who::Others, 0)]);
    let (own, mode) = plain.restricted_to(0o666);
    assert_eq!(mode, 0o640);
    assert!(!own.is_extended());
}
