//! Finishing what the journal says was begun: each intent in one transaction, with its done item,
//! by the code that performs the operation live.

use super::{attributes, legal};
use crate::ag::{self, Users, own, prepare};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::map;
use crate::tx::Tx;
use std::borrow::Cow;
use std::sync::Arc;
use untorn_format::log::{
    FreeExtent, Intent, MapOp, MapUpdate, RefcountOp, RefcountUpdate, RmapOp, RmapUpdate, Work,
};
use untorn_format::records::{Extent, ExtentState, RmapOwner, RmapRec, RmapRole};
use untorn_format::{AgExtent, Fault, FileBlock, Ino, Lsn, Place};
use untorn_store::{BlockRef, Item, ItemKey, Logged};

const CLASS: u8 = 3;
/// Journal bytes that finishing an intent is expected to take.
const EXPECTED: u64 = 64 * 1024;

/// Finishes one intent.
pub(super) fn finish(core: &Arc<Core>, intent: &Intent) -> Result<()> {
    let inodes = inodes(core, &intent.work)?;
    legal::demand(core, intent, &inodes)?;
    let answer = || Arc::new(Answer(intent.clone()));
    if let (Work::Attr(update), [inode]) = (&intent.work, inodes.as_slice()) {
        return attributes::finish(core, inode, update, answer);
    }
    core.transact(EXPECTED, &inodes, |tx| {
        perform(tx, &intent.work)?;
        tx.buffers_mut().log(answer());
        Ok(())
    })?;
    Ok(())
}

/// The inodes that the work changes.
fn inodes(core: &Core, work: &Work) -> Result<Vec<Arc<Inode>>> {
    let numbers: Vec<Ino> = match work {
        Work::Map(list) => list.iter().map(|update| update.ino).collect(),
        Work::Exchange(exchange) => exchange.inodes.to_vec(),
        Work::Attr(update) => vec![update.ino],
        Work::Free(_) | Work::Rmap(_) | Work::Refcount(_) => Vec::new(),
    };
    numbers.into_iter().map(|ino| core.inodes.load(core, ino)).collect()
}

fn perform(tx: &mut Tx<'_>, work: &Work) -> Result<()> {
    match work {
        Work::Free(list) => list.iter().try_for_each(|extent| free(tx, extent)),
        Work::Rmap(list) => list.iter().try_for_each(|update| rmap(tx, update)),
        Work::Refcount(list) => list.iter().try_for_each(|update| refcount(tx, update)),
        Work::Map(list) => list.iter().try_for_each(|update| map(tx, update)),
        Work::Exchange(one) => map::exchange(tx, one),
        Work::Attr(_) => unreachable!("attributes have values that are written first"),
    }
}

/// Blocks to give back. The journal does not say whose they were.
fn free(tx: &mut Tx<'_>, extent: &FreeExtent) -> Result<()> {
    let run = legal::run(tx.core, extent.start, extent.length)?;
    ag::free_unknown(tx, run)
}

fn rmap(tx: &mut Tx<'_>, update: &RmapUpdate) -> Result<()> {
    let run = legal::run(tx.core, update.start, update.length)?;
    prepare(tx, run.ag)?;
    let mapping = reverse_mapping(run, update)?;
    legal::demand_possible(update, &mapping)?;
    let opposite = match mapping.state {
        ExtentState::Written => ExtentState::Unwritten,
        ExtentState::Unwritten => ExtentState::Written,
    };
    match update.op {
        RmapOp::Map | RmapOp::MapShared | RmapOp::Alloc => own(tx, run.ag, mapping),
        RmapOp::Unmap | RmapOp::UnmapShared | RmapOp::Free => ag::disown(tx, run.ag, mapping),
        RmapOp::Convert | RmapOp::ConvertShared => {
            ag::disown(tx, run.ag, RmapRec { state: opposite, ..mapping })?;
            own(tx, run.ag, mapping)
        }
    }
}

fn reverse_mapping(run: AgExtent, update: &RmapUpdate) -> Result<RmapRec> {
    let unknown = || {
        let fault = Fault::Field { what: "RUI", field: "me_owner", value: update.owner };
        Error::from(fault.at(Place { ag: Some(run.ag), ..Place::default() }))
    };
    let owner = RmapOwner::from_disk(update.owner).ok_or_else(unknown)?;
    let role = if update.bmbt { RmapRole::BmbtBlock } else { RmapRole::Mapped };
    let has_offset = owner.is_inode() && !update.bmbt;
    Ok(RmapRec {
        start: run.start,
        length: run.length,
        owner,
        offset: if has_offset { update.offset } else { FileBlock(0) },
        fork: update.fork,
        role,
        state: state(update.unwritten),
    })
}

fn state(unwritten: bool) -> ExtentState {
    if unwritten { ExtentState::Unwritten } else { ExtentState::Written }
}

fn refcount(tx: &mut Tx<'_>, update: &RefcountUpdate) -> Result<()> {
    let run = legal::run(tx.core, update.start, update.length)?;
    match update.op {
        RefcountOp::Increase => ag::share(tx, run),
        RefcountOp::Decrease => ag::release(tx, run, Users::Several),
        RefcountOp::AllocCow => ag::stage(tx, run),
        RefcountOp::FreeCow => ag::unstage(tx, run),
    }
}

fn map(tx: &mut Tx<'_>, update: &MapUpdate) -> Result<()> {
    if update.realtime {
        return Err(Error::Unsupported {
            what: "an unfinished change of a realtime file".to_owned(),
            remedy: "mount and unmount the volume on Linux once; it finishes the change".to_owned(),
        });
    }
    let MapUpdate { ino, fork, offset: file, start, length, .. } = *update;
    match update.op {
        MapOp::Map => {
            let extent = Extent { file, start, length, state: state(update.unwritten) };
            map::map(tx, ino, fork, extent)
        }
        MapOp::Unmap => {
            let end = FileBlock(file.0 + u64::from(length));
            map::unmap(tx, ino, fork, file..end).map(drop)
        }
    }
}

/// The done item of an intent.
pub(super) struct Answer(Intent);

impl Item for Answer {
    fn key(&self) -> ItemKey {
        ItemKey { class: CLASS, id: self.0.id }
    }

    fn log<'a>(&'a self, out: &mut Vec<Logged<'a>>) {
        let freed: &[FreeExtent] = match &self.0.work {
            Work::Free(list) => list,
            _ => &[],
        };
        out.push(self.0.done().encode(freed).into_iter().map(Cow::Owned).collect());
    }

    fn homes(&self) -> &[BlockRef] {
        &[]
    }

    fn apply(&self, _home: &BlockRef, _bytes: &mut [u8], _lsn: Lsn) {
        unreachable!("an answer has no home")
    }
}
