//! Whole files read and written from end to end, and single blocks read at random.

use super::line::{Lines, Rate};
use super::peer::{Linux, Ours, Peer, Plain, Side};
use super::scale::Scale;
use super::subject::{Door, Subject, in_turn, read_all, read_at_random, write_all};
use crate::kernel::scratch_root;
use anyhow::{Context, Result};
use untorn::OpenOptions;

/// Part of the file that our page cache may hold.
const CACHED_PART: u64 = 8;

type Case = (&'static str, &'static str, fn(&dyn Subject, &Scale, u64) -> Result<f64>);

const MIB: &str = "MiB/s";

const CASES: [Case; 5] = [
    ("direct write", MIB, |file, scale, _| {
        mib(scale, write_all(file, scale.streamed, Door::Direct)?)
    }),
    ("direct read", MIB, |file, scale, _| {
        mib(scale, read_all(file, scale.streamed, Door::Direct)?)
    }),
    ("buffered write", MIB, |file, scale, _| {
        mib(scale, write_all(file, scale.streamed, Door::Cached)?)
    }),
    ("buffered read", MIB, |file, scale, _| {
        mib(scale, read_all(file, scale.streamed, Door::Cached)?)
    }),
    ("random 4 KiB direct read", "reads/s", |file, scale, round| {
        read_at_random(file, scale.streamed, scale.time, round)
    }),
];

fn mib(scale: &Scale, seconds: f64) -> Result<f64> {
    Ok((scale.streamed >> 20) as f64 / seconds)
}

/// Bytes or reads per second.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let folder = scratch_root();
    let size = scale.streamed * 2 + (256 << 20);
    lines.expect(1 + CASES.len() as u64)?;
    lines.step("making images")?;
    let page_bytes = (scale.streamed / CACHED_PART) as usize;
    let options = OpenOptions { page_bytes, ..OpenOptions::default() };
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(Ours::new(&folder, size, options)?)];
    if let Some(linux) = Linux::new(&folder, size)? {
        peers.push(Box::new(linux));
    }
    peers.push(Box::new(Plain::new(&folder, Side::None)?));
    let mut files = Vec::new();
    for peer in &mut peers {
        let who = peer.name();
        files.push((who, peer.files(1, scale.streamed).context(who)?));
    }
    for (case, unit, measure) in CASES {
        lines.step(case)?;
        // The first round warms up.
        for round in 0..=scale.rounds {
            lines.wait();
            for (who, files) in in_turn(round, &files) {
                files[0].forget()?;
                let value = measure(&*files[0], scale, round).context(*who)?;
                if round > 0 {
                    lines.rate(&Rate { case, who, unit, round, value })?;
                }
            }
        }
    }
    Ok(())
}
