//! One operation as one transaction: staged blocks and inodes, locked owners, space taken and
//! freed.
//!
//! A transaction locks owners in one order: inodes by number, then AGs by number. It may wait for
//! an owner only when it holds none that come later; otherwise it tries, and where that fails the
//! operation starts again with the owner added to its set (`Error::Restart`, see
//! [`Core::transact`]). Nothing was published, so starting again is always possible.
//!
//! Dropping a transaction gives everything back. `commit` publishes buffers, inodes, counters and
//! held blocks before the first lock is released.

use crate::ag::{
    Hold, Hurry, LaterChange, LaterChanges, Update, discard, is_sound, prepare, prepare_contents,
    take,
};
use crate::core::{Core, CounterChange};
use crate::dir::Found;
use crate::error::{Error, Owner, Result};
use crate::few::Few;
use crate::inode::{Inode, InodeSnapshot, OwnerGuard};
use crate::met::Met;
use crate::volume::FreedBlocks;
use parking_lot::MutexGuard;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_device::Discarded;
use untorn_format::{AgExtent, AgNumber, Fault, Ino, Place};
use untorn_store::{BlockRef, Image, PutOff, Sequence, Transaction};

/// An inode as a transaction sees it.
struct StagedInode {
    inode: Arc<Inode>,
    image: Image,
    changed: Changed,
}

/// What a transaction changed of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    /// Nothing yet.
    No,
    /// Something.
    Yes,
}

/// How often an operation begins again because changes had waited that it had to make, too.
const MOST_HURRIES: usize = 4;

/// Whether a transaction took a user away from shared blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unshared {
    No,
    Yes,
}

/// Whether a transaction has to do with changes that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    No,
    Yes,
}

/// Whether a transaction must stay below the limit that the volume was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limited {
    Yes,
    /// It makes changes of others, whose journal was promised.
    No,
}

/// A set of changes by one operation.
pub(crate) struct Tx<'c> {
    pub core: &'c Arc<Core>,
    inner: Option<Transaction<'c>>,
    ags: Few<AgNumber, MutexGuard<'c, ()>>,
    inodes: Few<Ino, StagedInode>,
    inode_guards: Few<Ino, OwnerGuard>,
    /// Inodes made here: in the cache from the commit on.
    adopted: Vec<Arc<Inode>>,
    /// Blocks freed here: busy until durable.
    freed: Vec<AgExtent>,
    /// Claims that the btrees no longer call free.
    taken: Vec<AgExtent>,
    pub counters: CounterChange,
    /// Shared blocks have a user fewer now.
    unshared: Unshared,
    /// Inodes whose blocks stand elsewhere now.
    moved: Vec<Ino>,
    /// Where blocks of forks were found.
    pub met: Met,
    /// Names made here: known from the commit on.
    named: Vec<(Ino, Box<[u8]>, Found)>,
    /// AGs in which changes for the contents of files may wait, and those that do.
    puts_off: Few<AgNumber, LaterChanges>,
    /// AGs whose waiting changes are made here.
    settled: Few<AgNumber, ()>,
    /// AGs in which nothing may wait.
    at_once: Few<AgNumber, ()>,
    /// Whether changes waited, or were to wait.
    waited: Waited,
    limited: Limited,
}

#[cfg(test)]
thread_local! {
    /// Most parts that this thread puts into a transaction: what a far longer file would do.
    pub(crate) static MOST_IN_TESTS: std::cell::Cell<u64> =
        const { std::cell::Cell::new(u64::MAX) };
}

impl Core {
    /// Runs `body` as one transaction that journals about `bytes` bytes, with the owners of `first`
    /// locked. `body` may run several times; it must depend on nothing but its transaction.
    pub fn transact<R>(
        self: &Arc<Self>,
        bytes: u64,
        first: &[Arc<Inode>],
        body: impl FnMut(&mut Tx<'_>) -> Result<R>,
    ) -> Result<(R, Sequence)> {
        self.run(bytes, first, body, |tx| tx.commit())
    }

    /// Does as [`Core::transact`] would, up to the commit, and drops it: what it would say.
    pub fn rehearse<R>(
        self: &Arc<Self>,
        bytes: u64,
        first: &[Arc<Inode>],
        body: impl FnMut(&mut Tx<'_>) -> Result<R>,
    ) -> Result<R> {
        Ok(self.run(bytes, first, body, |tx| tx.demand_fits())?.0)
    }

    fn run<R, E>(
        self: &Arc<Self>,
        bytes: u64,
        first: &[Arc<Inode>],
        mut body: impl FnMut(&mut Tx<'_>) -> Result<R>,
        end: impl Fn(&mut Tx<'_>) -> Result<E>,
    ) -> Result<(R, E)> {
        let mut bytes = bytes;
        let limit = self.largest_transaction;
        let mut late = BTreeSet::new();
        let mut forced = false;
        let mut hurry = Vec::new();
        loop {
            let mut tx = Tx::begin(self, bytes)?;
            let outcome = tx.lock(first, &late).and_then(|()| body(&mut tx));
            let outcome = outcome.and_then(|result| Ok((result, end(&mut tx)?)));
            let waited = tx.waited == Waited::Yes;
            drop(tx);
            match outcome {
                Err(Error::Restart(owner)) => {
                    late.insert(owner);
                }
                Err(Error::Outgrown(need) | Error::TooLarge { need, .. }) if need > limit => {
                    if !waited || hurry.len() == MOST_HURRIES {
                        return Err(Error::TooLarge { need, limit });
                    }
                    // It may fit without what waited before it. Who is past asking whether it may
                    // wait could still come between.
                    hurry.push(Hurry::new(self));
                    self.settle_busy()?;
                }
                Err(Error::Outgrown(need)) => bytes = need + need / 4,
                Err(Error::NoSpace { .. } | Error::NoRun { .. })
                    if !forced && self.busy_blocks() > 0 =>
                {
                    self.settle_busy()?;
                    forced = true;
                }
                Err(error) => return Err(error),
                Ok(done) => {
                    // What is committed stays committed; a store that failed tells the next caller.
                    let _ = self.worker.relieve(&self.store);
                    #[cfg(test)]
                    self.part_transactions()?;
                    return Ok(done);
                }
            }
        }
    }

    /// Makes what was committed durable where a test wants transactions small: so that a power cut
    /// can find it without what follows.
    #[cfg(test)]
    fn part_transactions(&self) -> Result<()> {
        match MOST_IN_TESTS.get() {
            u64::MAX => Ok(()),
            _ => Ok(self.store.force_all()?),
        }
    }
}

impl<'c> Tx<'c> {
    fn begin(core: &'c Arc<Core>, bytes: u64) -> Result<Self> {
        let bytes = bytes.min(core.largest_transaction);
        Ok(Self::new(core, core.store.begin(bytes)?))
    }

    /// The transaction of who closes a checkpoint: it makes changes that waited, no others.
    pub fn closing(core: &'c Arc<Core>) -> Self {
        let mut tx = Self::new(core, core.store.begin_closing());
        tx.limited = Limited::No;
        tx
    }

    fn new(core: &'c Arc<Core>, inner: Transaction<'c>) -> Self {
        Self {
            core,
            inner: Some(inner),
            ags: Few::default(),
            inodes: Few::default(),
            inode_guards: Few::default(),
            adopted: Vec::new(),
            freed: Vec::new(),
            taken: Vec::new(),
            counters: CounterChange::default(),
            unshared: Unshared::No,
            moved: Vec::new(),
            met: Met::default(),
            named: Vec::new(),
            puts_off: Few::default(),
            settled: Few::default(),
            at_once: Few::default(),
            waited: Waited::No,
            limited: Limited::Yes,
        }
    }

    fn lock(&mut self, first: &[Arc<Inode>], late: &BTreeSet<Owner>) -> Result<()> {
        let mut inodes: SmallVec<[Arc<Inode>; 4]> = first.into();
        for owner in late {
            if let Owner::Inode(ino) = owner {
                inodes.push(self.core.inodes.load(self.core, *ino)?);
            }
        }
        // The handles that came first count.
        inodes.sort_by_key(|inode| inode.ino);
        inodes.dedup_by_key(|inode| inode.ino);
        inodes.iter().try_for_each(|inode| self.lock_inode(inode))?;
        late.iter().try_for_each(|owner| match owner {
            Owner::Ag(ag) => self.lock_ag(*ag),
            Owner::Contents(ag) => {
                self.at_once.insert(*ag, ());
                prepare_contents(self, *ag)
            }
            Owner::Inode(_) => Ok(()),
        })
    }

    /// Locks an AG, or asks to start again with it.
    pub fn lock_ag(&mut self, ag: AgNumber) -> Result<()> {
        if self.ags.contains(ag) {
            return Ok(());
        }
        let owner = &self.core.ag(ag).owner;
        let in_order = self.ags.last_key().is_none_or(|last| last < ag);
        let guard = if in_order { Some(owner.lock()) } else { owner.try_lock() };
        self.ags.insert(ag, guard.ok_or(Error::Restart(Owner::Ag(ag)))?);
        Ok(())
    }

    /// Locks an inode, or asks to start again with it.
    pub fn lock_inode(&mut self, inode: &Arc<Inode>) -> Result<()> {
        let ino = inode.ino;
        if let Some(staged) = self.inodes.at(ino) {
            // The number was another inode's when it was locked: its handle is another by now.
            let same = Arc::ptr_eq(&staged.inode, inode);
            return if same { Ok(()) } else { Err(Error::Restart(Owner::Inode(ino))) };
        }
        let last = self.inode_guards.last_key();
        let in_order = self.ags.last_key().is_none() && last.is_none_or(|last| last < ino);
        let guard = match in_order {
            true => Some(inode.lock_owner()),
            false => inode.owner.try_write_arc(),
        };
        self.inode_guards.insert(ino, guard.ok_or(Error::Restart(Owner::Inode(ino)))?);
        let staged =
            StagedInode { inode: Arc::clone(inode), image: inode.image(), changed: Changed::No };
        self.inodes.insert(ino, staged);
        Ok(())
    }

    /// Takes a new inode into the transaction: `inode` is not in the cache yet, nobody else has it.
    pub fn adopt_inode(&mut self, inode: &Arc<Inode>) -> Result<()> {
        let guard = inode.owner.try_write_arc();
        let guard = guard.ok_or(Error::Restart(Owner::Inode(inode.ino)))?;
        self.inode_guards.insert(inode.ino, guard);
        self.adopted.push(Arc::clone(inode));
        let (inode, image, changed) = (Arc::clone(inode), inode.image(), Changed::Yes);
        self.inodes.insert(inode.ino, StagedInode { inode, image, changed });
        Ok(())
    }

    fn staged(&mut self, ino: Ino) -> &mut StagedInode {
        match self.inodes.at_mut(ino) {
            Some(staged) => staged,
            None => panic!("inode {ino} is not locked by this transaction"),
        }
    }

    /// The inode's bytes as this transaction sees them; it must be locked.
    pub fn inode(&self, ino: Ino) -> Image {
        match self.inodes.at(ino) {
            Some(staged) => Arc::clone(&staged.image),
            None => panic!("inode {ino} is not locked by this transaction"),
        }
    }

    /// The inode's bytes, borrowed.
    pub fn inode_bytes(&self, ino: Ino) -> &[u8] {
        match self.inodes.at(ino) {
            Some(staged) => &staged.image,
            None => panic!("inode {ino} is not locked by this transaction"),
        }
    }

    /// The inode's bytes, to edit; it must be locked.
    pub fn inode_mut(&mut self, ino: Ino) -> &mut [u8] {
        let staged = self.staged(ino);
        staged.changed = Changed::Yes;
        Arc::make_mut(&mut staged.image)
    }

    /// The shared handle of a locked inode.
    pub fn handle(&mut self, ino: Ino) -> Arc<Inode> {
        Arc::clone(&self.staged(ino).inode)
    }

    fn buffers(&self) -> &Transaction<'c> {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("a transaction ends with its commit"),
        }
    }

    /// The transaction below, to stage, create, cancel and log.
    pub fn buffers_mut(&mut self) -> &mut Transaction<'c> {
        match &mut self.inner {
            Some(inner) => inner,
            None => unreachable!("a transaction ends with its commit"),
        }
    }

    /// A metadata buffer as this transaction sees it.
    pub fn read(&self, block: &BlockRef) -> Result<Image> {
        Ok(self.buffers().read(block)?)
    }

    /// A private copy of a metadata buffer, to edit.
    pub fn stage(&mut self, block: &BlockRef) -> Result<&mut [u8]> {
        Ok(self.buffers_mut().stage(block)?)
    }

    /// Takes claimed blocks out of the free-space btrees; they count as free no longer. The claim
    /// itself is settled once this is committed.
    pub fn take_claimed(&mut self, extent: AgExtent) -> Result<()> {
        self.counters.free_blocks -= i64::from(extent.length);
        if self.puts_off(extent.ag) {
            return self.put_off(extent.ag, LaterChange::Take(extent));
        }
        prepare(self, extent.ag)?;
        take(self, extent)?;
        self.note_taken(extent);
        Ok(())
    }

    /// Says that claimed blocks left the free-space btrees.
    pub fn note_taken(&mut self, extent: AgExtent) {
        self.taken.push(extent);
    }

    /// Lets changes for the contents of files wait in `ag`, which is locked.
    pub fn let_wait(&mut self, ag: AgNumber) {
        self.waited = Waited::Yes;
        self.puts_off.or_default(ag);
    }

    /// Whether changes for the contents of files wait in `ag`.
    pub fn puts_off(&self, ag: AgNumber) -> bool {
        self.puts_off.contains(ag)
    }

    /// Whether nothing may wait in `ag`.
    pub fn changes_at_once(&self, ag: AgNumber) -> bool {
        self.at_once.contains(ag)
    }

    /// What this transaction lets wait in `ag`.
    pub fn put_off_here(&self, ag: AgNumber) -> &[LaterChange] {
        self.puts_off.at(ag).map_or(&[], |changes| &changes[..])
    }

    /// Lets `change` of `ag` wait; where it cannot the operation starts again and makes it itself.
    pub fn put_off(&mut self, ag: AgNumber, change: LaterChange) -> Result<()> {
        if !is_sound(self, ag, &change)? {
            return Err(Error::Restart(Owner::Contents(ag)));
        }
        self.puts_off.or_default(ag).push(change);
        Ok(())
    }

    /// Whether the changes that wait in `ag` are still to be made here; they count as made now.
    pub fn begin_settling(&mut self, ag: AgNumber) -> bool {
        self.waited = Waited::Yes;
        self.settled.insert(ag, ())
    }

    /// Says that shared blocks have a user fewer: until this is durable the others may not write
    /// them in place.
    pub fn note_unshared(&mut self) {
        self.unshared = Unshared::Yes;
    }

    /// Says that blocks of `ino` stand elsewhere now: until this is durable they may not be written
    /// in place.
    pub fn note_moved(&mut self, ino: Ino) {
        self.moved.push(ino);
    }

    /// Says that `name` is about to change in `dir`, which is locked.
    pub fn forget_name(&mut self, dir: Ino, name: &[u8]) {
        self.core.names.forget(dir, name);
        self.named.retain(|(other, named, _)| *other != dir || **named != *name);
    }

    /// Says what `name` names in `dir` now.
    pub fn note_name(&mut self, dir: Ino, name: &[u8], found: Found) {
        self.named.push((dir, name.into(), found));
    }

    /// AGs that this transaction has locked.
    pub fn held_ags(&self) -> Vec<AgNumber> {
        self.ags.keys().collect()
    }

    /// Notes freed blocks: nobody may pick them until this transaction is durable. Those that it
    /// took itself are nobody's as soon as it is committed. Others that are claimed or busy cannot
    /// have had an owner: the volume is corrupt.
    pub fn note_freed(&mut self, extent: AgExtent) -> Result<()> {
        if self.hold_freed(extent).is_ok() {
            return Ok(());
        }
        let others = self.taken.iter().fold(vec![extent], |left, taken| {
            left.into_iter().flat_map(|run| without(run, taken)).collect()
        });
        others.into_iter().try_for_each(|run| {
            self.hold_freed(run).map_err(|twice| {
                let (field, value) = ("block with two owners", u64::from(twice.start));
                let fault = Fault::Field { what: "free space", field, value };
                fault.at(Place { ag: Some(extent.ag), ..Place::default() }).into()
            })
        })
    }

    fn hold_freed(&mut self, extent: AgExtent) -> std::result::Result<(), Range<u32>> {
        let range = extent.start.0..extent.end().0;
        self.core.ag(extent.ag).held.lock().try_insert(range, Hold::Busy)?;
        self.freed.push(extent);
        Ok(())
    }

    /// Refuses what no transaction could journal. Ends the transaction all the same.
    fn demand_fits(&mut self) -> Result<()> {
        let Some(mut inner) = self.inner.take() else {
            unreachable!("a transaction ends with its commit");
        };
        self.log_snapshots(&mut inner);
        let (need, limit) = (inner.cost(), self.core.largest_transaction);
        if need > limit { Err(Error::TooLarge { need, limit }) } else { Ok(()) }
    }

    /// Adds the changed inodes to `inner`, at the cost that a commit of them has.
    fn log_snapshots(&self, inner: &mut Transaction<'_>) {
        let cost = largest_inode_item(self.core.geometry.inode_size());
        let open = self.core.store.open_sequence();
        for staged in self.inodes.values().filter(|s| s.changed == Changed::Yes) {
            let snapshot = InodeSnapshot::new(&staged.inode, &staged.image, open);
            inner.log_at_most(Arc::new(snapshot), cost);
        }
    }

    /// What becomes of the changes that wait in AGs.
    fn updates(&mut self) -> Result<SmallVec<[Update<'c>; 2]>> {
        let mut new = std::mem::take(&mut self.puts_off);
        let mut updates = SmallVec::new();
        for ag in self.ags.keys() {
            // Where something waits its promise changes with the trees.
            let waits = self.core.ag(ag).growth.load(Ordering::Relaxed) > 0;
            let new = new.remove(ag);
            if waits || new.is_some() {
                let settled = self.settled.contains(ag);
                updates.push(Update::of(self, ag, settled, new.unwrap_or_default())?);
            }
        }
        Ok(updates)
    }

    /// Publishes everything.
    pub fn commit(&mut self) -> Result<Sequence> {
        let updates = self.updates()?;
        let Some(mut inner) = self.inner.take() else {
            unreachable!("a transaction ends with its commit");
        };
        let changed = |s: &&StagedInode| s.changed == Changed::Yes;
        self.log_snapshots(&mut inner);
        if !self.freed.is_empty() {
            // The store keeps this until then: an abandoned volume must not keep itself alive.
            let (core, freed) = (Arc::downgrade(self.core), self.freed.clone());
            inner.on_durable(Box::new(move || {
                let Some(core) = core.upgrade() else { return };
                if core.freed == FreedBlocks::Discard {
                    forget_contents(&core, &freed);
                }
                release(&core, &freed);
            }));
        }
        let limit = self.core.largest_transaction;
        let is_limited = self.limited == Limited::Yes;
        if is_limited && limit < self.core.store.largest_transaction() && inner.cost() > limit {
            return Err(Error::Outgrown(inner.cost()));
        }
        let add = |sum: PutOff, update: &Update<'_>| sum + update.put_off;
        inner.put_off(updates.iter().fold(PutOff::default(), add));
        // Closing the volume waits until inodes and counters are published too.
        let committed = inner.commit()?;
        let sequence = committed.sequence;
        updates.into_iter().for_each(Update::publish);
        if self.unshared == Unshared::Yes {
            self.core.unshared.fetch_max(sequence.0, std::sync::atomic::Ordering::AcqRel);
        }
        for ino in &self.moved {
            if let Some(staged) = self.inodes.at(*ino) {
                staged.inode.note_moved(sequence);
            }
        }
        self.freed.clear();
        self.adopted.iter().for_each(|inode| self.core.inodes.insert(inode));
        for staged in self.inodes.values().filter(changed) {
            staged.inode.publish(&staged.image, sequence);
        }
        for (dir, name, found) in self.named.drain(..) {
            self.core.names.learn(dir, &name, found);
        }
        for extent in self.taken.drain(..) {
            let range = extent.start.0..extent.end().0;
            self.core.ag(extent.ag).held.lock().remove(range, Hold::Claimed);
        }
        self.core.counters.add(&self.counters);
        Ok(sequence)
    }
}

/// What is left of `run` without `gone`.
fn without(run: AgExtent, gone: &AgExtent) -> impl Iterator<Item = AgExtent> {
    let (from, to) = match run.ag == gone.ag {
        true => (gone.start.clamp(run.start, run.end()), gone.end().clamp(run.start, run.end())),
        false => (run.end(), run.end()),
    };
    let parts = [(run.start, from), (to, run.end())].into_iter();
    parts.filter(|(from, to)| from < to).map(move |(from, to)| AgExtent {
        start: from,
        length: to.0 - from.0,
        ..run
    })
}

/// Most journal bytes of an inode of `size` bytes: format, core and both forks, roots of B+trees
/// with the longer headers that they have in the journal; and the chunk of its cluster with the
/// unlinked-list pointer.
fn largest_inode_item(size: usize) -> u64 {
    let (format, root_headers) = (56, 2 * 72);
    let (buffer_format, chunk) = (24 + 4 * 16, 128);
    (format + size + root_headers + buffer_format + chunk) as u64 + 6 * untorn_store::OP_COST
}

fn release(core: &Core, freed: &[AgExtent]) {
    for extent in freed {
        let range = extent.start.0..extent.end().0;
        core.ag(extent.ag).held.lock().remove(range, Hold::Busy);
    }
}

/// Tells the device of blocks that nobody needs any more, before anybody may pick them. A device
/// that fails to hear it loses nothing; one that cannot is not told again.
fn forget_contents(core: &Core, freed: &[AgExtent]) {
    for extent in freed {
        if core.deaf.load(Ordering::Relaxed) {
            return;
        }
        match discard(core, *extent) {
            Ok(Discarded::Done) => {}
            Ok(Discarded::Ignored) => {
                core.deaf.store(true, Ordering::Relaxed);
                tracing::warn!("the device cannot discard: freed blocks keep their bytes");
            }
            Err(error) => tracing::warn!(%error, "freed blocks were not discarded"),
        }
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        release(self.core, &self.freed);
    }
}
