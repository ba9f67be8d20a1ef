//! Reverse mappings and reference counts against twins that know every block on its own.

mod held;
mod refcount;
mod rmap;
mod short;

use super::trees::Trees;
use crate::btree::{Find, Refcounts};
use crate::error::Result;
use crate::tx::Tx;
use untorn_format::AgExtent;
use untorn_format::records::{RefcountDomain, RefcountRec};

/// Gives the blocks of `run`, a record of their own, any count: no test can share them so often.
pub(crate) fn recount(tx: &mut Tx<'_>, run: AgExtent, refs: u32) -> Result<()> {
    let mut tree = tx.tree(run.ag, Refcounts);
    let domain = RefcountDomain::Shared;
    let found = tree.seek(Find::Equal, (domain, run.start))?;
    assert_eq!(found.map(|record| record.length), Some(run.length));
    tree.replace(&RefcountRec { domain, start: run.start, length: run.length, refs })
}
