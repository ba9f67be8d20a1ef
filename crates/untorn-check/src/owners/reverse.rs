//! Compares the reverse mappings of an AG with the claims to its blocks.

use super::claims::{Claim, order};
use crate::code::Code;
use crate::merge::{Side, merge};
use crate::scan::{Scan, Step, block_place};
use untorn_format::units::*;

/// Compares canonical `claims` with the canonical mappings that the tree `said`; a finding for each
/// that the other side lacks. `unread` tells that somebody's claims may be missing.
pub(crate) fn compare(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    (claims, said): (&[Claim], &[Claim]),
    unread: bool,
) -> Step {
    for side in merge(claims.iter(), said.iter(), |a, b| order(a, b)) {
        match side {
            Side::Both(..) => {}
            Side::Left(claim) => report(scan, ag, claim, Code::RmapMissing)?,
            Side::Right(_) if unread => {}
            Side::Right(mapping) => report(scan, ag, mapping, Code::RmapExtra)?,
        }
    }
    Ok(())
}

fn report(scan: &mut Scan<'_>, ag: AgNumber, claim: &Claim, code: Code) -> Step {
    let place = block_place(scan.geometry(), ag, AgBlock(claim.start));
    let (length, start) = (claim.length, claim.start);
    let told = match code {
        Code::RmapMissing => {
            format!(
                "{length} blocks from block {start} belong to {claim}; no reverse mapping says so"
            )
        }
        _ => format!(
            "a reverse mapping says that {length} blocks from block {start} belong to {claim}"
        ),
    };
    scan.find(code, place, told)
}
