//! Tests of `records`: round trips, bounds, hostile bytes.

use super::*;
use crate::units::*;
use proptest::prelude::*;

fn alloc() -> impl Strategy<Value = AllocRec> {
    (0..1u32 << 31, 1..1u32 << 31).prop_map(|(start, length)| {
        let start = AgBlock(start);
        AllocRec { start, length }
    })
}

fn extent() -> impl Strategy<Value = Extent> {
    let state = prop_oneof![Just(ExtentState::Written), Just(ExtentState::Unwritten)];
    (0..1u64 << 53, 0..1u64 << 52, 1..=Extent::MAX_LENGTH, state).prop_map(
        |(file, start, length, state)| {
            let (file, start) = (FileBlock(file), FsBlock(start));
            Extent { file, start, length, state }
        },
    )
}

fn owner() -> impl Strategy<Value = RmapOwner> {
    let special = [
        RmapOwner::Unknown,
        RmapOwner::Fs,
        RmapOwner::Log,
        RmapOwner::Ag,
        RmapOwner::Inobt,
        RmapOwner::Inodes,
        RmapOwner::Refcount,
        RmapOwner::Cow,
    ];
    prop_oneof![
        (0..1u64 << 63).prop_map(|ino| RmapOwner::Inode(Ino(ino))),
        proptest::sample::select(special.to_vec()),
    ]
}

fn rmap() -> impl Strategy<Value = RmapRec> {
    let start = (0..1u32 << 31, 1..1u32 << 31).prop_map(|(s, l)| (AgBlock(s), l));
    let kind = (0..1u64 << 53, 0..4u8);
    (start, owner(), kind).prop_map(|((start, length), owner, (offset, kind))| {
        let bare = RmapRec::special(start, length, RmapOwner::Fs);
        let mapped = RmapRec { owner, offset: FileBlock(offset), ..bare };
        let bmbt = RmapRec { owner, role: RmapRole::BmbtBlock, ..bare };
        match (owner.is_inode(), kind) {
            (false, _) => RmapRec { owner, ..bare },
            (true, 0) => mapped,
            (true, 1) => RmapRec { fork: Fork::Attr, ..mapped },
            (true, 2) => RmapRec { state: ExtentState::Unwritten, ..mapped },
            (true, _) => bmbt,
        }
    })
}

fn refcount() -> impl Strategy<Value = RefcountRec> {
    let place = (0..1u32 << 31, 1..1u32 << 31).prop_map(|(s, l)| (AgBlock(s), l));
    (place, 2..=u32::MAX, any::<bool>()).prop_map(|((start, length), refs, staged)| {
        let (domain, refs) = match staged {
            true => (RefcountDomain::Cow, 1),
            false => (RefcountDomain::Shared, refs),
        };
        RefcountRec { domain, start, length, refs }
    })
}

fn chunk() -> impl Strategy<Value = InobtRec> {
    (0..u32::MAX - 64, any::<u16>(), any::<u64>()).prop_map(|(start, holes, free)| {
        let bare = InobtRec { start: AgIno(start), holes, count: 0, free_count: 0, free: 0 };
        let allocated = bare.allocated();
        let count = allocated.count_ones() as u8;
        let free_count = (free & allocated).count_ones() as u8;
        InobtRec { count, free_count, free: free | !allocated, ..bare }
    })
}

proptest! {
    #[test]
    fn free_extents_survive_the_disk(rec in alloc()) {
        prop_assert_eq!(AllocRec::decode(&rec.encode()), Ok(rec));
    }

    #[test]
    fn file_extents_survive_the_disk(rec in extent()) {
        prop_assert_eq!(Extent::decode(&rec.encode()), Ok(rec));
        prop_assert_eq!(rank::extent(&rec.encode()), rec.file);
    }

    #[test]
    fn reverse_mappings_survive_the_disk(rec in rmap()) {
        prop_assert_eq!(RmapRec::decode(&rec.encode()), Ok(rec));
        for key in [rec.low_key(), rec.high_key()] {
            prop_assert_eq!(RmapKey::decode(&key.encode()), Ok(key));
        }
        prop_assert!(rec.low_key() <= rec.high_key());
    }

    #[test]
    fn reference_counts_survive_the_disk(rec in refcount()) {
        prop_assert_eq!(RefcountRec::decode(&rec.encode()), Ok(rec));
    }

    #[test]
    fn inode_chunks_survive_the_disk(rec in chunk()) {
        let bytes = rec.encode(ChunkForm::Sparse);
        prop_assert_eq!(InobtRec::decode(&bytes, ChunkForm::Sparse), Ok(rec));
        let full = InobtRec { holes: 0, count: 64, free_count: rec.free.count_ones() as u8, ..rec };
        prop_assert_eq!(InobtRec::decode(&full.encode(ChunkForm::Full), ChunkForm::Full), Ok(full));
    }

    #[test]
    fn keys_made_from_bytes_are_those_of_the_records(rec in rmap()) {
        use crate::btree::BtreeKind;
        let mut key = [0; 20];
        BtreeKind::Rmapbt.key_of(&rec.encode(), &mut key);
        prop_assert_eq!(key, rec.low_key().encode());
        BtreeKind::Rmapbt.high_key_of(&rec.encode(), &mut key);
        prop_assert_eq!(key, rec.high_key().encode());
    }

    #[test]
    fn bytes_compare_as_keys_do(a in rmap(), b in rmap(), c in alloc(), d in alloc()) {
        use crate::btree::BtreeKind::*;
        let (low, high) = (a.low_key(), b.high_key());
        prop_assert_eq!(Rmapbt.compare_keys(&low.encode(), &high.encode()), low.cmp(&high));
        let (left, right) = (c.encode(), d.encode());
        prop_assert_eq!(Bnobt.compare_keys(&left, &right), c.by_block().cmp(&d.by_block()));
        prop_assert_eq!(Cntbt.compare_keys(&left, &right), c.by_length().cmp(&d.by_length()));
    }

    #[test]
    fn records_of_any_bytes_decode_to_what_encodes_alike_or_fail(bytes in any::<[u8; 24]>()) {
        if let Ok(rec) = AllocRec::decode(&bytes) {
            prop_assert_eq!(&rec.encode()[..], &bytes[..8]);
        }
        if let Ok(rec) = Extent::decode(&bytes) {
            prop_assert_eq!(&rec.encode()[..], &bytes[..16]);
        }
        if let Ok(rec) = RefcountRec::decode(&bytes) {
            prop_assert_eq!(&rec.encode()[..], &bytes[..12]);
        }
        if let Ok(rec) = RmapRec::decode(&bytes) {
            prop_assert_eq!(rec.encode(), bytes);
        }
        for form in [ChunkForm::Full, ChunkForm::Sparse] {
            if let Ok(rec) = InobtRec::decode(&bytes, form) {
                prop_assert_eq!(&rec.encode(form)[..], &bytes[..16]);
            }
        }
    }
}

#[test]
fn a_file_extent_has_the_bits_of_the_format() {
    let extent = Extent {
        file: FileBlock(0x2a_aaaa_aaaa_aaaa),
        start: FsBlock(0x5_5555_5555_5555),
        length: 0x1f_0f0f,
        state: ExtentState::Unwritten,
    };
    let bits = format!("{:0128b}", u128::from_be_bytes(extent.encode()));
    assert_eq!(&bits[..1], "1");
    assert_eq!(u64::from_str_radix(&bits[1..55], 2), Ok(extent.file.0));
    assert_eq!(u64::from_str_radix(&bits[55..107], 2), Ok(extent.start.0));
    assert_eq!(u32::from_str_radix(&bits[107..], 2), Ok(extent.length));
}

#[test]
fn an_extent_past_the_last_file_block_is_a_fault() {
    let last = Extent {
        file: Extent::MAX_FILE_BLOCK,
        start: FsBlock(1),
        length: 1,
        state: ExtentState::Written,
    };
    assert_eq!(Extent::decode(&last.encode()), Ok(last));
    let mut bytes = last.encode();
    bytes[15] = 2;
    assert!(Extent::decode(&bytes).is_err());
}

#[test]
fn records_without_length_are_faults() {
    assert!(AllocRec::decode(&[0; 8]).is_err());
    assert!(Extent::decode(&[0; 16]).is_err());
    assert!(RmapRec::decode(&[0; 24]).is_err());
    assert!(RefcountRec::decode(&[0; 12]).is_err());
}

#[test]
fn records_cut_short_are_faults() {
    let short = |fault| matches!(fault, Fault::Short { .. });
    assert!(AllocRec::decode(&[1; 7]).is_err_and(short));
    assert!(Extent::decode(&[1; 15]).is_err_and(short));
    assert!(RmapRec::decode(&[1; 23]).is_err_and(short));
    assert!(RefcountRec::decode(&[1; 11]).is_err_and(short));
    assert!(InobtRec::decode(&[1; 15], ChunkForm::Full).is_err_and(short));
}

#[test]
fn owners_that_mean_nothing_are_faults() {
    for number in [10u64, 11, 1 << 40] {
        assert_eq!(RmapOwner::from_disk(number.wrapping_neg()), None);
    }
    assert_eq!(RmapOwner::from_disk(u64::MAX), Some(RmapOwner::Null));
    assert_eq!(RmapOwner::from_disk(0), Some(RmapOwner::Inode(Ino(0))));
}

#[test]
fn counts_that_disagree_with_the_domain_are_faults() {
    let staged = RefcountRec { domain: RefcountDomain::Cow, start: AgBlock(7), length: 2, refs: 1 };
    assert_eq!(staged.key(), 1 << 31 | 7);
    let mut bytes = staged.encode();
    bytes[0] = 0;
    assert!(RefcountRec::decode(&bytes).is_err());
    bytes[11] = 2;
    assert!(RefcountRec::decode(&bytes).is_ok());
    bytes[0] = 0x80;
    assert!(RefcountRec::decode(&bytes).is_err());
}

#[test]
fn counts_that_disagree_with_the_masks_are_faults() {
    let rec = InobtRec { start: AgIno(64), holes: 1, count: 60, free_count: 1, free: 0x1f };
    let sparse = ChunkForm::Sparse;
    assert_eq!(InobtRec::decode(&rec.encode(sparse), sparse), Ok(rec));
    let wrong = [
        InobtRec { count: 64, ..rec },
        InobtRec { free_count: 5, ..rec },
        InobtRec { free: 0x10, ..rec },
        InobtRec { holes: 3, ..rec },
    ];
    for rec in wrong {
        assert!(InobtRec::decode(&rec.encode(sparse), sparse).is_err(), "{rec:?}");
    }
    assert_eq!(rec.first_free(), Some(4));
}

#[test]
fn extents_continue_only_in_file_volume_and_state() {
    let extent = |file, start, state| Extent {
        file: FileBlock(file),
        start: FsBlock(start),
        length: 4,
        state,
    };
    let first = extent(0, 100, ExtentState::Written);
    assert!(first.continues_as(extent(4, 104, ExtentState::Written)));
    assert!(!first.continues_as(extent(5, 104, ExtentState::Written)));
    assert!(!first.continues_as(extent(4, 105, ExtentState::Written)));
    assert!(!first.continues_as(extent(4, 104, ExtentState::Unwritten)));
}
