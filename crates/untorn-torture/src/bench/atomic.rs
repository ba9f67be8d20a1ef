//! Atomic overwrites: one at a time by everybody, and four files at once.

use super::line::{Lines, Rate};
use super::peer::{Linux, Ours, Peer, Plain, Side};
use super::scale::Scale;
use super::subject::{Durability, Overwrites, in_turn};
use crate::kernel::scratch_root;
use anyhow::{Context, Result};
use untorn::OpenOptions;

/// Files that are overwritten at once.
const FILES: usize = 4;

const DURABILITIES: [(Durability, &str); 2] =
    [(Durability::Unsynced, "unsynced"), (Durability::Dsync, "dsync")];

/// Writes per second.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let folder = scratch_root();
    // Linux sets aside 128 KiB for each place that is written out of place.
    let size = scale.overwritten * FILES as u64 * 4 + (128 << 20);
    lines.expect(DURABILITIES.len() as u64 * (scale.writes.len() as u64 + 2))?;
    lines.step("making images")?;
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    peers.push(Box::new(Ours::new(&folder, size, OpenOptions::default())?));
    match Linux::new(&folder, size)? {
        Some(linux) => peers.push(Box::new(linux)),
        None => lines.note("Linux is not measured: it needs root, loop devices and xfsprogs")?,
    }
    peers.push(Box::new(Plain::new(&folder, Side::None)?));
    peers.push(Box::new(Plain::new(&folder, Side::First)?));
    peers.push(Box::new(Plain::new(&folder, Side::Behind)?));
    for (durability, word) in DURABILITIES {
        for write in scale.writes.iter().copied() {
            let case = format!("{} KiB {word}", write / 1024);
            lines.step(&case)?;
            let load = load(scale, write, durability);
            let takes_part =
                |peer: &&mut Box<dyn Peer>| durability == Durability::Dsync || !is_synced(&***peer);
            let mut peers: Vec<_> = peers.iter_mut().filter(takes_part).collect();
            alone(&mut peers, &case, &load, scale, lines)?;
        }
    }
    for (durability, word) in DURABILITIES {
        let case = format!("4 KiB {word}");
        lines.step(&format!("{FILES} files, {case}"))?;
        for peer in peers.iter_mut().filter(|peer| !is_synced(&***peer)) {
            together(peer, &case, &load(scale, 4096, durability), scale, lines)?;
        }
    }
    Ok(())
}

/// Whether what a peer does has no meaning without its syncs.
fn is_synced(peer: &dyn Peer) -> bool {
    matches!(peer.name(), "twice" | "noted")
}

fn load(scale: &Scale, write: usize, durability: Durability) -> Overwrites {
    let Scale { overwritten: file, time, .. } = *scale;
    Overwrites { file, write, durability, time, seed: 1 }
}

const UNIT: &str = "writes/s";

/// One file each, in turns.
fn alone(
    peers: &mut [&mut Box<dyn Peer>],
    case: &str,
    load: &Overwrites,
    scale: &Scale,
    lines: &mut Lines<'_>,
) -> Result<()> {
    let mut files = Vec::new();
    for peer in peers {
        let who = peer.name();
        files.push((who, peer.files(1, load.file).context(who)?));
    }
    // The first round warms up.
    for round in 0..=scale.moments {
        lines.wait();
        for (who, files) in in_turn(round, &files) {
            let load = Overwrites { seed: load.seed + round, ..*load };
            let value = load.rate(files).context(*who)?;
            if round > 0 {
                lines.rate(&Rate { case, who, unit: UNIT, round, value })?;
            }
        }
    }
    Ok(())
}

/// Four files of one peer by four threads and one of them by one thread, in turns.
fn together(
    peer: &mut Box<dyn Peer>,
    case: &str,
    load: &Overwrites,
    scale: &Scale,
    lines: &mut Lines<'_>,
) -> Result<()> {
    let case = format!("{} {case}, {FILES} files", peer.name());
    let files = peer.files(FILES, load.file)?;
    let sides = [("four", &files[..]), ("one", &files[..1])];
    for round in 0..=scale.moments {
        lines.wait();
        let load = Overwrites { seed: load.seed + round, ..*load };
        for (who, files) in in_turn(round, &sides) {
            let value = load.rate(files).context(case.clone())?;
            if round > 0 {
                lines.rate(&Rate { case: &case, who, unit: UNIT, round, value })?;
            }
        }
    }
    Ok(())
}
