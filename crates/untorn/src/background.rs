//! What is done while nobody asks: old dirty pages are written back, old commits made durable and
//! written home, idle blocks of the CoW forks given back. And checkpoints that have grown large are
//! written while others go on committing.
//!
//! One thread a volume, started with the first change of the volume, told to end and waited for by
//! whoever closes or abandons it. It takes the locks that a sync takes, one file after the other,
//! and none while it waits. What it could not write stays dirty: the next sync meets the fault and
//! tells it.
//!
//! Never here: work that a caller waits for.

use crate::core::Core;
use crate::io::{flush_range, save_all_times};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use untorn_store::{Load, Sequence, Store, WaitsFor};

/// What a volume does while nobody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Nothing. What is cached stays so until a sync, a close or a lack of memory.
    Off,
    /// What has grown old is dealt with by a thread.
    On(Ages),
}

/// When something counts as old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// How often the thread looks.
    pub look: Duration,
    /// Cached bytes are written back after this time.
    pub dirty: Duration,
    /// Commits are made durable after this time, and written home once nothing was committed for
    /// as long.
    pub committed: Duration,
    /// Blocks that a hint set aside for a file are given back after this time.
    pub idle: Duration,
}

impl Default for Ages {
    /// What Linux does: 5 s, 30 s, 30 s, 300 s.
    fn default() -> Self {
        Self {
            look: Duration::from_secs(5),
            dirty: Duration::from_secs(30),
            committed: Duration::from_secs(30),
            idle: Duration::from_secs(300),
        }
    }
}

impl Default for Background {
    fn default() -> Self {
        Self::On(Ages::default())
    }
}

/// Times of writes in place that wait for longer are written (`Times::Lazy`).
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the thread is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// Wait.
    #[default]
    Wait,
    /// Write the open checkpoint: it has grown large.
    Relieve,
    /// Look now: memory is full of dirty pages.
    Look,
    /// End.
    End,
}

#[derive(Debug, Default)]
struct Signal {
    order: Mutex<Order>,
    given: Condvar,
}

impl Signal {
    /// Gives an order; a greater one that was given stands, the end for ever.
    fn give(&self, order: Order) {
        let mut given = self.order.lock();
        if *given < order {
            *given = order;
            self.given.notify_all();
        }
    }

    /// The next order: to look at `due` at the latest, to relieve, or to end.
    fn next(&self, due: Instant) -> Order {
        let mut order = self.order.lock();
        if *order == Order::Wait {
            self.given.wait_until(&mut order, due);
        }
        match *order {
            Order::End => Order::End,
            Order::Relieve if Instant::now() < due => std::mem::take(&mut *order),
            Order::Wait | Order::Relieve | Order::Look => {
                *order = Order::Wait;
                Order::Look
            }
        }
    }
}

/// The thread of a volume, if it has one.
#[derive(Debug)]
pub(crate) struct Worker {
    background: Background,
    signal: Arc<Signal>,
    thread: Mutex<State>,
    /// Whether the thread is there to be told.
    runs: AtomicBool,
}

#[derive(Debug)]
enum State {
    NotStarted,
    Running(JoinHandle<()>),
    Ended,
}

impl Worker {
    /// A worker that has not begun.
    pub fn new(background: Background) -> Self {
        let thread = Mutex::new(State::NotStarted);
        Self { background, signal: Arc::default(), thread, runs: AtomicBool::new(false) }
    }

    /// Starts the thread, unless it runs, has ended, or is not wanted.
    pub fn start(&self, core: &Arc<Core>) {
        let Background::On(ages) = self.background else { return };
        let mut thread = self.thread.lock();
        if !matches!(*thread, State::NotStarted) {
            return;
        }
        let (core, signal) = (Arc::downgrade(core), Arc::clone(&self.signal));
        let spawned = Builder::new()
            .name("untorn-background".to_owned())
            .spawn(move || run(&core, &signal, ages));
        match spawned {
            Ok(handle) => {
                *thread = State::Running(handle);
                self.runs.store(true, Ordering::Relaxed);
            }
            // Without it a volume works as if there were nothing old.
            Err(error) => {
                tracing::warn!(%error, "no background thread");
                *thread = State::Ended;
            }
        }
    }

    /// Says that memory is full of dirty pages.
    pub fn hurry(&self) {
        self.signal.give(Order::Look);
    }

    /// Writes the open checkpoint once it has grown large: the thread does, and the caller only
    /// where there is no thread or it does not keep up.
    pub fn relieve(&self, store: &Store) -> untorn_store::Result<()> {
        match store.load() {
            Load::Light => Ok(()),
            Load::Heavy if self.runs.load(Ordering::Relaxed) => {
                self.signal.give(Order::Relieve);
                Ok(())
            }
            Load::Heavy | Load::TooHeavy => store.relieve(),
        }
    }

    /// Ends the thread and waits for it.
    pub fn end(&self) {
        self.runs.store(false, Ordering::Relaxed);
        self.signal.give(Order::End);
        let state = std::mem::replace(&mut *self.thread.lock(), State::Ended);
        if let State::Running(handle) = state
            && handle.join().is_err()
        {
            tracing::error!("the background thread panicked");
        }
    }
}

fn run(core: &Weak<Core>, signal: &Signal, ages: Ages) {
    let mut commits = Commits::default();
    let mut due = Instant::now() + ages.look;
    loop {
        let order = signal.next(due);
        let Some(core) = core.upgrade().filter(|_| order != Order::End) else { return };
        match order {
            // A store that failed tells the next caller.
            Order::Relieve => drop(core.store.relieve()),
            _ => {
                pass(&core, ages, Instant::now(), &mut commits);
                due = Instant::now() + ages.look;
            }
        }
    }
}

/// Since when the journal has looked as it does.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    open: Option<(Sequence, Instant)>,
    /// The open checkpoint when all before it had been brought home.
    home: Option<Sequence>,
}

/// Deals with what is old at `now`.
pub(crate) fn pass(core: &Arc<Core>, ages: Ages, now: Instant, commits: &mut Commits) {
    let before = |age: Duration| now.checked_sub(age);
    for inode in core.pages.dirty_since(before(ages.dirty)) {
        if let Err(error) = flush_range(core, &inode, 0..u64::MAX) {
            tracing::warn!(ino = inode.ino.0, %error, "cached bytes were not written back");
        }
    }
    if let Err(error) = before(DAY).map_or(Ok(()), |day| save_all_times(core, Some(day))) {
        tracing::warn!(%error, "times were not written");
    }
    core.pages.shrink();
    if let Some(idle) = before(ages.idle) {
        core.inodes.all().iter().for_each(|inode| inode.cow.lock().drop_idle_since(idle));
    }
    if let Err(error) = commits.settle_old(core, ages.committed, now) {
        tracing::warn!(%error, "the journal was not written");
    }
}

impl Commits {
    /// Makes durable what waits for longer than `age`; where nothing has been committed for as
    /// long, writes home what only the journal has.
    fn settle_old(&mut self, core: &Core, age: Duration, now: Instant) -> untorn_store::Result<()> {
        let sequence = core.store.open_sequence();
        let waits = core.store.waits_for();
        // The checkpoint that says what is home waits itself; nobody gains by another.
        if waits == WaitsFor::Nothing || (waits == WaitsFor::Home && self.home == Some(sequence)) {
            self.open = None;
            return Ok(());
        }
        let since = match self.open {
            Some((seen, since)) if seen == sequence => since,
            _ => self.open.insert((sequence, now)).1,
        };
        if now.duration_since(since) < age {
            return Ok(());
        }
        self.open = None;
        if waits == WaitsFor::Journal {
            return core.store.force_all();
        }
        core.store.bring_home()?;
        if core.store.waits_for() != WaitsFor::Journal {
            self.home = Some(core.store.open_sequence());
        }
        Ok(())
    }
}
