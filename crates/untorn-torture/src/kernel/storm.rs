//! Crashes Linux in the middle of work: threads that live on a volume while it is shut down.
//!
//! What is left on the image is a dirty log with whatever was under way: intents without their
//! dones, unlinked files that were open, staging blocks of copy-on-write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::judge::xfs_logprint;
use super::life::{Life, Outcome};
use super::mount::{Flush, Mounted};
use crate::dice::Dice;

/// What goes on when the volume is shut down, and when that is.
#[derive(Clone, Debug)]
pub struct Storm {
    /// How many threads work at the same time, each in a directory of its own.
    pub lives: u64,
    /// The shutdown is issued once so many operations were performed by all together.
    pub operations: u64,
    /// Names of the operations (see [`Life::counts`]); all when empty.
    pub only: Vec<&'static str>,
    /// What the shutdown does to the journal.
    pub flush: Flush,
    /// Where the dice begin.
    pub seed: u64,
}

impl Storm {
    /// Everything at once, on two threads.
    pub fn of_everything(operations: u64, flush: Flush, seed: u64) -> Self {
        Self { lives: 2, operations, only: Vec::new(), flush, seed }
    }

    /// Operations that take several transactions, so that the log is likely to hold intents whose
    /// work was not finished.
    pub fn of_long_chains(operations: u64, flush: Flush, seed: u64) -> Self {
        let only = vec![
            "write",
            "comb",
            "truncate",
            "clone",
            "clone-range",
            "exchange",
            "collapse",
            "insert",
            "atomic",
            "unlink",
            "fsync",
        ];
        Self { lives: 3, operations, only, flush, seed }
    }
}

/// What was done before the end.
#[derive(Clone, Debug, Default)]
pub struct Aftermath {
    /// How often each operation was done and refused.
    pub counts: BTreeMap<(&'static str, Outcome), u64>,
    /// Files without a name that were open when the end came.
    pub held: usize,
}

impl Aftermath {
    /// How often this operation was done.
    pub fn done(&self, name: &'static str) -> u64 {
        self.counts.get(&(name, Outcome::Done)).copied().unwrap_or(0)
    }
}

/// Works on the volume, shuts it down in the middle, unmounts it: the image is what a crash leaves.
pub fn workload_during_crash(mounted: Mounted, storm: &Storm) -> Result<Aftermath> {
    let mut lives = lives(&mounted.root(), storm)?;
    let (stop, performed) = (AtomicBool::new(false), AtomicU64::new(0));
    let ended: Vec<std::io::Result<()>> = thread::scope(|scope| {
        let running: Vec<_> =
            lives.iter_mut().map(|life| scope.spawn(|| live(life, &stop, &performed))).collect();
        let shut = wait_then_shut_down(&mounted, storm, &performed);
        stop.store(true, Ordering::Relaxed);
        let mut ended: Vec<_> = running.into_iter().map(join).collect();
        ended.push(shut.map_err(std::io::Error::other));
        ended
    });
    ended.into_iter().collect::<std::io::Result<Vec<()>>>().context("the work went wrong")?;
    let aftermath = aftermath(&lives);
    // The lives hold files open, also removed ones: they must let go only now.
    drop(lives);
    mounted.unmount()?;
    Ok(aftermath)
}

fn lives(root: &Path, storm: &Storm) -> Result<Vec<Life>> {
    let life = |number: u64| {
        let folder = root.join(format!("storm-{}-{number}", storm.seed));
        fs::create_dir_all(&folder)?;
        let life = Life::new(&folder, Dice::at(storm.seed, number).roll())?;
        Ok(if storm.only.is_empty() { life } else { life.only(&storm.only) })
    };
    (0..storm.lives).map(life).collect()
}

/// Works until told to stop or until the volume is gone, which is no error.
fn live(life: &mut Life, stop: &AtomicBool, performed: &AtomicU64) -> std::io::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        match life.step() {
            Ok(_) => performed.fetch_add(1, Ordering::Relaxed),
            Err(_) => break,
        };
    }
    Ok(())
}

fn join(thread: thread::ScopedJoinHandle<'_, std::io::Result<()>>) -> std::io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")))
}

fn wait_then_shut_down(mounted: &Mounted, storm: &Storm, performed: &AtomicU64) -> Result<()> {
    let patience = Instant::now() + Duration::from_secs(120);
    while performed.load(Ordering::Relaxed) < storm.operations {
        ensure!(
            Instant::now() < patience,
            "the work is too slow for {} operations",
            storm.operations
        );
        thread::sleep(Duration::from_micros(200));
    }
    mounted.shutdown(storm.flush)
}

fn aftermath(lives: &[Life]) -> Aftermath {
    let mut sum = Aftermath::default();
    for life in lives {
        sum.held += life.held();
        for (what, count) in life.counts() {
            *sum.counts.entry(*what).or_default() += count;
        }
    }
    sum
}

/// How many intents of each kind (`EFI`, `RUI`, `CUI`, `BUI`) in the log have no done, according to
/// xfs_logprint, which does not know of exchanges.
pub fn unfinished_intents(image: &Path) -> Result<BTreeMap<String, usize>> {
    let printed = xfs_logprint(image)?;
    let mut open: BTreeMap<String, BTreeMap<String, ()>> = BTreeMap::new();
    for line in printed.lines() {
        let Some((kind, id)) = intent_of(line) else { continue };
        let family = open.entry(format!("{}I", &kind[..2])).or_default();
        match kind.as_bytes()[2] {
            b'I' => drop(family.insert(id, ())),
            b'D' => drop(family.remove(&id)),
            _ => return Err(anyhow!("no intent nor done: {line}")),
        }
    }
    let counted = open.into_iter().map(|(kind, ids)| (kind, ids.len()));
    Ok(counted.filter(|(_, count)| *count > 0).collect())
}

/// The kind and the id of a line like `EFI:  #regs: 1    num_extents: 1  id: 0xffff8881`.
fn intent_of(line: &str) -> Option<(&str, String)> {
    const KINDS: [&str; 8] = ["EFI", "EFD", "RUI", "RUD", "CUI", "CUD", "BUI", "BUD"];
    let (kind, rest) = line.split_once(':')?;
    let id = rest.split("id:").nth(1)?.split_whitespace().next()?;
    KINDS.contains(&kind).then(|| (kind, id.to_owned()))
}
