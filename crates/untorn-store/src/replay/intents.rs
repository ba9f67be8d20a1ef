//! Intents whose done item has not come yet.

use std::collections::BTreeMap;
use untorn_format::Lsn;
use untorn_format::log::{Done, Intent};

/// An operation that the log says was begun and not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingIntent {
    /// LSN of the checkpoint that holds it: the tail may not pass it before it is done.
    pub lsn: Lsn,
    /// What is to be done.
    pub intent: Intent,
}

/// Intents by the done item that would end them.
#[derive(Debug, Default)]
pub(crate) struct Intents {
    begun: u64,
    pending: BTreeMap<Done, (u64, PendingIntent)>,
}

impl Intents {
    /// An intent of the transaction at `lsn`.
    pub(crate) fn begin(&mut self, lsn: Lsn, intent: &Intent) {
        let pending = PendingIntent { lsn, intent: intent.clone() };
        self.pending.insert(intent.done(), (self.begun, pending));
        self.begun += 1;
    }
    /// A done item. That of an intent before the tail ends nothing.
    pub(crate) fn finish(&mut self, done: Done) {
        self.pending.remove(&done);
    }
    /// What is left, in the order of the log.
    pub(crate) fn into_pending(self) -> Vec<PendingIntent> {
        let mut pending: Vec<_> = self.pending.into_values().collect();
        pending.sort_by_key(|(order, _)| *order);
        pending.into_iter().map(|(_, pending)| pending).collect()
    }
}
