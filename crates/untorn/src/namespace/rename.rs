//! Renaming: lock all, check all, then change all, in one transaction.
//!
//! A directory may not move into itself. What lies above the directory that it moves to is looked
//! up first, and stays so while [`Core::moves`] is held: nobody else moves a directory meanwhile,
//! and what has entries is not removed.

use super::create::{Make, NewInode, make_inode};
use super::dir_fork::DirTx;
use super::entries::{
    Entry, Left, add_name, demand_room_for_links, demand_usable, drop_link, note_change,
    note_renamed, set_parent, take_name, turn_name,
};
use super::forks::lookup;
use super::link::demand_same_project;
use crate::core::Core;
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, core_of, demand_open};
use crate::tx::Tx;
use std::collections::BTreeSet;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::dir::FileType;
use untorn_format::inode::{FileKind, InodeCore};

/// What a rename does with what has the new name, and with the old name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    /// What has the new name loses it.
    Replace,
    /// Refused where something has the new name.
    NoReplace,
    /// Both names change places.
    Exchange,
    /// As [`Self::Replace`]; the old name becomes that of a whiteout (a character device 0:0),
    /// owned by this user and group: what overlays put over a name that is gone.
    Whiteout {
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// A directory and a name in it.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub dir: &'a Arc<Inode>,
    pub name: &'a [u8],
}

impl<'a> Spot<'a> {
    fn entry(&self) -> Entry<'a> {
        Entry { dir: self.dir.ino, name: self.name }
    }
}

/// Renames `from` to `to`. What no name leads to any more, for the caller to free.
pub(crate) fn rename(
    core: &Arc<Core>,
    from: Spot<'_>,
    to: Spot<'_>,
    how: Rename,
) -> Result<Option<Arc<Inode>>> {
    let across = from.dir.ino != to.dir.ino;
    let looks = across && moves_directory(core, from, to, how)?;
    if !looks && let Some(done) = attempt(core, from, to, how, None)? {
        return Ok(done);
    }
    let _still = core.moves.lock();
    let above = Above { from: ancestors(core, from.dir)?, to: ancestors(core, to.dir)? };
    match attempt(core, from, to, how, Some(&above))? {
        Some(done) => Ok(done),
        None => unreachable!("only who does not know what lies above is asked to look"),
    }
}

/// Whether a directory moves, as far as a look without locks can tell.
fn moves_directory(core: &Core, from: Spot<'_>, to: Spot<'_>, how: Rename) -> Result<bool> {
    let is_directory = |spot: Spot<'_>| {
        let found = lookup(core, spot.dir, spot.name)?;
        Ok::<_, Error>(found.is_some_and(|found| {
            matches!(found.file_type, FileType::Directory | FileType::Unknown)
        }))
    };
    Ok(is_directory(from)? || how == Rename::Exchange && is_directory(to)?)
}

/// What lies above both directories, themselves included.
struct Above {
    from: BTreeSet<Ino>,
    to: BTreeSet<Ino>,
}

/// The directories from `dir` up to the root.
fn ancestors(core: &Core, dir: &Arc<Inode>) -> Result<BTreeSet<Ino>> {
    let mut found = BTreeSet::from([dir.ino]);
    let mut at = Arc::clone(dir);
    while at.ino != core.superblock.root_ino {
        let up = match lookup(core, &at, b"..") {
            // It was removed meanwhile.
            Err(Error::NotDirectory(_)) => break,
            up => up?,
        };
        let Some(up) = up.filter(|up| found.insert(up.ino)) else { break };
        at = core.inodes.load(core, up.ino)?;
    }
    Ok(found)
}

/// One try; nothing where a directory turns out to move and what lies above is not known.
fn attempt(
    core: &Arc<Core>,
    from: Spot<'_>,
    to: Spot<'_>,
    how: Rename,
    above: Option<&Above>,
) -> Result<Option<Option<Arc<Inode>>>> {
    let parents = [Arc::clone(from.dir), Arc::clone(to.dir)];
    let (done, _) = core.transact(96 * 1024, &parents, |tx| {
        let change = match Move::prepare(tx, from.entry(), to.entry(), how)? {
            Prepared::Nothing => return Ok(Some(None)),
            Prepared::Move(change) => change,
        };
        if change.carries_directory() {
            let Some(above) = above else { return Ok(None) };
            change.demand_no_loop(above)?;
        }
        change.demand_alike()?;
        change.demand_admitted(tx)?;
        change.demand_empty(tx)?;
        change.run(tx).map(Some)
    })?;
    Ok(done)
}

/// One of the two inodes of a rename.
struct Party {
    inode: Arc<Inode>,
    core: InodeCore,
    kind: FileKind,
}

impl Party {
    fn lock(tx: &mut Tx<'_>, at: Entry<'_>) -> Result<Option<Self>> {
        let Some(found) = at.find(tx)? else { return Ok(None) };
        let inode = tx.core.inodes.load(tx.core, found.ino)?;
        tx.lock_inode(&inode)?;
        let core = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        let kind = core.kind().ok_or_else(|| Error::NotFound(at.shown()))?;
        Ok(Some(Self { inode, core, kind }))
    }

    fn ino(&self) -> Ino {
        self.inode.ino
    }

    fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Links that its directory has from it.
    fn links_up(&self) -> i32 {
        i32::from(self.is_directory())
    }
}

/// A rename with all owners locked and every rule held against it.
struct Move<'a> {
    from: Entry<'a>,
    to: Entry<'a>,
    how: Rename,
    source: Party,
    target: Option<Party>,
}

enum Prepared<'a> {
    /// Both names are of one inode already.
    Nothing,
    Move(Box<Move<'a>>),
}

impl<'a> Move<'a> {
    fn prepare(
        tx: &mut Tx<'_>,
        from: Entry<'a>,
        to: Entry<'a>,
        how: Rename,
    ) -> Result<Prepared<'a>> {
        let source_dir = demand_usable(tx, from.dir)?;
        let target_dir = demand_usable(tx, to.dir)?;
        let source = Party::lock(tx, from)?.ok_or_else(|| Error::NotFound(from.shown()))?;
        let target = Party::lock(tx, to)?;
        match (&target, how) {
            (Some(_), Rename::NoReplace) => return Err(Error::Exists(to.shown())),
            (None, Rename::Exchange) => return Err(Error::NotFound(to.shown())),
            (Some(target), _) if target.ino() == source.ino() => return Ok(Prepared::Nothing),
            _ => {}
        }
        demand_open(from.dir, source_dir.flags, Change::Rewrite)?;
        let change = if target.is_some() { Change::Rewrite } else { Change::Append };
        demand_open(to.dir, target_dir.flags, change)?;
        for party in [Some(&source), target.as_ref()].into_iter().flatten() {
            demand_open(party.ino(), party.core.flags, Change::Rewrite)?;
        }
        Ok(Prepared::Move(Box::new(Self { from, to, how, source, target })))
    }

    /// What is replaced.
    fn replaced(&self) -> Option<&Party> {
        self.target.as_ref().filter(|_| self.how != Rename::Exchange)
    }

    /// What goes the other way.
    fn back(&self) -> Option<&Party> {
        self.target.as_ref().filter(|_| self.how == Rename::Exchange)
    }

    /// Only a directory gives way to a directory, only something else to something else.
    fn demand_alike(&self) -> Result<()> {
        let Some(target) = self.replaced() else { return Ok(()) };
        match (self.source.is_directory(), target.is_directory()) {
            (true, false) => Err(Error::NotDirectory(self.to.shown())),
            (false, true) => Err(Error::IsDirectory(self.to.shown())),
            _ => Ok(()),
        }
    }

    fn demand_empty(&self, tx: &mut Tx<'_>) -> Result<()> {
        match self.replaced().filter(|target| target.is_directory()) {
            Some(target) if !dir::is_empty(&mut DirTx { tx, ino: target.ino() })? => {
                Err(Error::NotEmpty(self.to.shown()))
            }
            _ => Ok(()),
        }
    }

    /// Projects and link counts of the directories that something moves to. Linux asks for the
    /// project of what goes the other way in an exchange no more than this does.
    fn demand_admitted(&self, tx: &Tx<'_>) -> Result<()> {
        let directory = |ino| core_of(ino, tx.inode_bytes(ino));
        let (source_dir, target_dir) = (directory(self.from.dir)?, directory(self.to.dir)?);
        demand_same_project(&target_dir, &self.source.core, self.to)?;
        let gives_way = self.target.as_ref().is_some_and(Party::is_directory);
        if self.crosses() && self.source.is_directory() && !gives_way {
            demand_room_for_links(self.to.dir, &target_dir)?;
        }
        let Some(target) = self.back() else { return Ok(()) };
        if self.crosses() && target.is_directory() && !self.source.is_directory() {
            demand_room_for_links(self.from.dir, &source_dir)?;
        }
        Ok(())
    }

    fn crosses(&self) -> bool {
        self.from.dir != self.to.dir
    }

    /// Whether a directory changes its parent.
    fn carries_directory(&self) -> bool {
        let back = self.back().is_some_and(Party::is_directory);
        self.crosses() && (self.source.is_directory() || back)
    }

    /// No directory comes to lie below itself.
    fn demand_no_loop(&self, above: &Above) -> Result<()> {
        let looped = above.to.contains(&self.source.ino())
            || self.back().is_some_and(|target| above.from.contains(&target.ino()));
        if looped {
            let (from, to) = (self.from.shown(), self.to.shown());
            let told = format!("{from} to {to}: a directory cannot move into itself");
            return Err(Error::Invalid(told));
        }
        Ok(())
    }

    fn run(self, tx: &mut Tx<'_>) -> Result<Option<Arc<Inode>>> {
        match (&self.target, self.how) {
            (Some(target), Rename::Exchange) => self.exchange(tx, target).map(|()| None),
            _ => self.replace(tx),
        }
    }

    fn exchange(&self, tx: &mut Tx<'_>, target: &Party) -> Result<()> {
        let (from, to, source) = (self.from, self.to, &self.source);
        turn_name(tx, to, target.ino(), (source.ino(), source.kind))?;
        turn_name(tx, from, source.ino(), (target.ino(), target.kind))?;
        let change = target.links_up() - source.links_up();
        self.carry(tx, source, to.dir)?;
        self.carry(tx, target, from.dir)?;
        self.note_directories(tx, change, -change)
    }

    fn replace(&self, tx: &mut Tx<'_>) -> Result<Option<Arc<Inode>>> {
        let (from, to, source) = (self.from, self.to, &self.source);
        let mut gone = None;
        match &self.target {
            None => add_name(tx, to, source.ino(), source.kind)?,
            Some(target) => {
                turn_name(tx, to, target.ino(), (source.ino(), source.kind))?;
                let left = drop_link(tx, &target.inode)?;
                gone = (left == Left::Nothing).then(|| Arc::clone(&target.inode));
            }
        }
        match self.how {
            Rename::Whiteout { uid, gid } => {
                let what = Make::CharDevice(0, 0);
                let whiteout = NewInode { what, permissions: 0, uid, gid };
                // Group and project come from the other directory, as on Linux.
                let whiteout = make_inode(tx, to.dir, whiteout)?;
                turn_name(tx, from, source.ino(), (whiteout.ino, FileKind::CharDevice))?;
            }
            _ => take_name(tx, from, source.ino())?,
        }
        self.carry(tx, source, to.dir)?;
        let replaced = self.target.as_ref().map_or(0, Party::links_up);
        self.note_directories(tx, -source.links_up(), source.links_up() - replaced)?;
        Ok(gone)
    }

    /// What moved knows its new directory and the time.
    fn carry(&self, tx: &mut Tx<'_>, party: &Party, to: Ino) -> Result<()> {
        if self.crosses() && party.is_directory() {
            set_parent(tx, party.ino(), to)?;
        }
        note_renamed(tx, party.ino(), 0)
    }

    /// Times of both directories, and how many directories more they hold.
    fn note_directories(&self, tx: &mut Tx<'_>, from: i32, to: i32) -> Result<()> {
        if !self.crosses() {
            return note_change(tx, self.to.dir, from + to);
        }
        note_change(tx, self.from.dir, from)?;
        note_change(tx, self.to.dir, to)
    }
}
