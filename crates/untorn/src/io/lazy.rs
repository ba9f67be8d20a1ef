//! Times that no transaction carries yet: those of writes that change nothing but bytes in place.
//!
//! Such a write needs the journal for its times alone. A volume may keep them in memory instead, as
//! Linux does with `lazytime`: the next change of the file carries them, a sync of the file or of
//! the volume, a close, or the volume's thread when they are a day old. A power cut loses times,
//! never bytes.

use super::commit::{FileChange, commit};
use super::demand_regular;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, Sharing};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use untorn_format::Ino;

/// When the time of a write in place goes to the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// With the write.
    #[default]
    Eager,
    /// With the next change of the file, its next sync or that of the volume, the close, or after a
    /// day. Until then a durable write in place costs one flush of the device and no journal.
    Lazy,
}

/// The files of a volume whose times are newer than any transaction says.
pub(crate) struct LazyTimes {
    rule: Times,
    files: Mutex<BTreeMap<Ino, (Arc<Inode>, Instant)>>,
}

impl LazyTimes {
    /// None.
    pub fn new(rule: Times) -> Self {
        Self { rule, files: Mutex::default() }
    }

    /// The pages, blocks and times of `ino` are nobody's any more.
    pub fn forget(&self, ino: Ino) {
        self.files.lock().remove(&ino);
    }

    fn waiting(&self, until: Option<Instant>) -> Vec<Arc<Inode>> {
        let files = self.files.lock();
        let old = files.values().filter(|(_, since)| until.is_none_or(|until| *since <= until));
        old.map(|(inode, _)| Arc::clone(inode)).collect()
    }
}

/// The file's bytes up to `end` changed in place just now, its range is held: says so in memory or
/// in a transaction.
pub(super) fn stamp(core: &Arc<Core>, inode: &Arc<Inode>, end: u64) -> Result<()> {
    // Cached writes may have made the file longer than any commit has.
    if core.lazy.rule == Times::Eager || end > inode.core()?.size {
        return commit(core, &[FileChange::write(core, inode, &[], end)]).map(drop);
    }
    inode.note_lazy(core.clock.now());
    let now = || (Arc::clone(inode), Instant::now());
    core.lazy.files.lock().entry(inode.ino).or_insert_with(now);
    Ok(())
}

/// Gives the file's time to a transaction. Call it with nothing locked.
pub(crate) fn save_times(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    // First: whoever stamps the file from here on waits anew.
    let waited = core.lazy.files.lock().remove(&inode.ino);
    let saved = save_time(core, inode);
    if let (Err(_), Some(waited)) = (&saved, waited) {
        core.lazy.files.lock().entry(inode.ino).or_insert(waited);
    }
    saved
}

fn save_time(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<()> {
    if inode.lazy_time().is_none() {
        return Ok(());
    }
    let _range = inode.ranges.lock(0..1, Sharing::Exclusive);
    match demand_regular(inode) {
        // It was removed.
        Err(Error::NotRegular(_)) => return Ok(()),
        regular => regular?,
    }
    if let Some(time) = inode.lazy_time() {
        let change = FileChange { time, ..FileChange::write(core, inode, &[], 0) };
        commit(core, &[change])?;
    }
    Ok(())
}

/// As [`save_times`] for all files whose time waits since `until`, or at all.
pub(crate) fn save_all_times(core: &Arc<Core>, until: Option<Instant>) -> Result<()> {
    let saved: Vec<_> =
        core.lazy.waiting(until).iter().map(|inode| save_times(core, inode)).collect();
    saved.into_iter().collect()
}
