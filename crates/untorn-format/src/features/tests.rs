//! Tests of `features`: round trips, bounds, hostile bytes.

use super::*;

fn incompat(bits: u32) -> Features {
    Features { incompat: bits, ..Features::default() }
}

#[test]
fn every_bit_that_linux_knows_has_one_name() {
    let bits = |word| {
        let of_word = FEATURES.iter().filter(|f| f.word == word);
        of_word.fold(0u32, |all, f| {
            assert!(all >> f.bit & 1 == 0, "{} twice", f.name);
            all | 1 << f.bit
        })
    };
    assert_eq!(bits(FeatureWord::Compat), 0);
    assert_eq!(bits(FeatureWord::RoCompat), 0xf);
    assert_eq!(bits(FeatureWord::Incompat), 0x7ff);
    assert_eq!(bits(FeatureWord::LogIncompat), 1);
}

#[test]
fn queries_ask_for_the_bit_of_their_name() {
    let all = Features { compat: 0, ro_compat: 0xf, incompat: 0x7ff, log_incompat: 1 };
    assert_eq!(all.named().count(), FEATURES.len());
    let rmapbt = Features { ro_compat: 2, ..Features::default() };
    assert!(rmapbt.has_rmapbt() && !rmapbt.has_reflink() && !rmapbt.has_finobt());
    assert!(incompat(1 << 5).has_nrext64() && !incompat(1 << 5).has_needsrepair());
}

#[test]
fn an_unknown_incompatible_bit_is_refused_by_number() {
    for access in [Access::Read, Access::Write] {
        let found = incompat(1 << 11 | 1 << 4).check(access);
        assert_eq!(found, Err(Unsupported::UnknownIncompat { bit: 11 }));
    }
}

#[test]
fn an_unknown_read_only_compatible_bit_allows_reading() {
    let features = Features { ro_compat: 1 << 31, ..Features::default() };
    assert_eq!(features.check(Access::Read), Ok(()));
    assert_eq!(features.check(Access::Write), Err(Unsupported::UnknownRoCompat { bit: 31 }));
}

#[test]
fn an_unknown_log_bit_allows_reading() {
    let features = Features { log_incompat: 2, ..Features::default() };
    assert_eq!(features.check(Access::Read), Ok(()));
    assert_eq!(features.check(Access::Write), Err(Unsupported::UnknownLogIncompat { bit: 1 }));
}

#[test]
fn an_unknown_compatible_bit_is_nobodys_business() {
    let features = Features { compat: u32::MAX, ..Features::default() };
    assert_eq!(features.check(Access::Write), Ok(()));
}

#[test]
fn features_that_are_not_supported_are_refused_by_name() {
    for (bit, name) in [(4, "needsrepair"), (8, "metadir"), (9, "zoned"), (10, "zone_gaps")] {
        let Err(Unsupported::Refused { name: found, .. }) = incompat(1 << bit).check(Access::Read)
        else {
            panic!("{name} is not refused");
        };
        assert_eq!(found, name);
    }
}

#[test]
fn refusals_name_what_is_not_supported() {
    let text = incompat(1 << 8).check(Access::Read).unwrap_err().to_string();
    assert_eq!(text, "the feature metadir (Linux 6.13 and later)");
}
