//! Picking blocks between thousands that others hold.

use super::Bench;
use crate::ag::{Claim, Hold};

/// Claims all that data may have, cut into single blocks: the longest run, in order.
fn singles(bench: &Bench) -> (Vec<Claim>, Vec<Claim>) {
    let core = bench.core();
    let all = core.claim(None, core.free_for_data().unwrap()).unwrap();
    let (mut longest, mut others) = (Vec::new(), all);
    let at = (0..others.len()).max_by_key(|&at| others[at].extent().length).unwrap();
    let mut rest = others.swap_remove(at);
    while rest.extent().length > 1 {
        let behind = rest.split(1);
        longest.push(std::mem::replace(&mut rest, behind));
    }
    longest.push(rest);
    (longest, others)
}

#[test]
fn what_must_be_found_is_found_behind_a_thousand_gaps_and_what_need_not_be_is_not() {
    let bench = Bench::new();
    let core = bench.core();
    let (mut held, _others) = singles(&bench);
    assert!(held.len() > 2100, "{} blocks in one run", held.len());
    let first = held[0].block(0);
    let (last, ag) = (held[2001].extent().start, held[2001].extent().ag);
    // What is kept back for the AG's trees is free and not for data: it must not be found either.
    let kept: Vec<_> = {
        let all = 0..core.geometry.blocks_of(ag);
        core.ag(ag).held.lock().gaps(all).collect()
    };
    kept.into_iter().for_each(|gap| core.ag(ag).held.lock().insert(gap, Hold::Claimed));
    // Every second block of the first two thousand, and four side by side behind them.
    let mut index = 0;
    held.retain(|_| {
        index += 1;
        let is_gap = if index <= 2000 { index % 2 == 0 } else { index <= 2005 && index > 2001 };
        !is_gap
    });
    core.ag(ag).rotor.store(0, std::sync::atomic::Ordering::Relaxed);
    assert!(core.claim_run(Some(first), 2).unwrap().is_none());
    let found = core.claim(Some(first), 2).unwrap();
    let [found] = &found[..] else { panic!("in pieces: {found:?}") };
    assert_eq!((found.extent().ag, found.extent().start, found.extent().length), (ag, last, 2));
    // The next search goes on where that one ended.
    let next = core.claim_run(Some(first), 2).unwrap().unwrap();
    assert_eq!(next.extent().start, found.extent().end());
}

#[test]
fn claims_near_one_place_lie_one_behind_the_other() {
    let bench = Bench::new();
    let core = bench.core();
    let (held, _others) = singles(&bench);
    let (ag, start) = (held[0].extent().ag, held[0].extent().start);
    drop(held);
    let goal = Some(core.geometry.fs_block(ag, start));
    let claims: Vec<_> = (0..1500).map(|_| core.claim_run(goal, 2).unwrap().unwrap()).collect();
    let follow = |pair: &[Claim]| pair[0].extent().end() == pair[1].extent().start;
    assert!(claims.windows(2).all(follow), "one behind the other");
}
