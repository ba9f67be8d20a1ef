//! What is searched for: all of it must hold.

use super::super::glob::{Letters, Pattern};
use super::super::walk::Step;
use crate::accounts::Accounts;
use crate::arguments::{Find, Sort};
use crate::failure::At;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use untorn::{Metadata, Volume};
use untorn_format::inode::{FileKind, Timestamp};

/// What was typed, as the volume has it.
pub struct Wanted {
    names: Vec<Pattern>,
    paths: Vec<Pattern>,
    /// Before all of these times.
    since: Vec<Timestamp>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Wanted {
    /// Looks up what is compared with. Fails where that is not there.
    pub fn new(volume: &Volume, asked: &Find) -> anyhow::Result<Self> {
        let mut since = Vec::new();
        for path in &asked.newer {
            since.push(volume.metadata(path).at(path)?.inode.mtime);
        }
        let (uid, gid) = match (&asked.user, &asked.group) {
            (None, None) => (None, None),
            (user, group) => {
                let accounts = Accounts::of(volume);
                let uid = user.as_deref().map(|name| accounts.user(name)).transpose()?;
                (uid, group.as_deref().map(|name| accounts.group(name)).transpose()?)
            }
        };
        Ok(Self {
            names: patterns(&asked.name, &asked.iname),
            paths: patterns(&asked.path, &asked.ipath),
            since,
            uid,
            gid,
        })
    }

    /// Whether something is meant. What costs most is asked last.
    pub fn fits(&self, volume: &Volume, step: &Step<'_>, asked: &Find) -> anyhow::Result<bool> {
        let fits = self.fits_name(step, asked)
            && self.fits_inode(step.found, asked)
            && asked.mindepth.is_none_or(|least| step.depth >= least);
        match fits && asked.empty {
            true => is_empty(volume, step),
            false => Ok(fits),
        }
    }

    fn fits_name(&self, step: &Step<'_>, asked: &Find) -> bool {
        let name = step.path.name().unwrap_or(b"/");
        asked.inode.is_none_or(|number| number == step.found.inode.ino.0)
            && self.names.iter().all(|pattern| pattern.matches(name))
            && self.paths.iter().all(|pattern| pattern.matches(step.path.as_ref()))
    }

    fn fits_inode(&self, found: &Metadata, asked: &Find) -> bool {
        let core = &found.inode;
        let changed = (core.mtime.seconds, core.mtime.nanos);
        (asked.sort.is_empty() || asked.sort.contains(&Sort::of(found.kind)))
            && asked.size.iter().all(|size| size.fits(core.size))
            && asked.links.iter().all(|count| count.fits(core.nlink.into()))
            && asked.perm.iter().all(|permissions| permissions.fits(core.mode))
            && self.since.iter().all(|time| changed > (time.seconds, time.nanos))
            && self.uid.is_none_or(|uid| uid == core.uid)
            && self.gid.is_none_or(|gid| gid == core.gid)
            && asked.uid.iter().all(|count| count.fits(core.uid.into()))
            && asked.gid.iter().all(|count| count.fits(core.gid.into()))
    }
}

fn patterns(exact: &[OsString], any_case: &[OsString]) -> Vec<Pattern> {
    let of = |letters| move |pattern: &OsString| Pattern::new(pattern.as_bytes(), letters);
    let exact = exact.iter().map(of(Letters::Exact));
    exact.chain(any_case.iter().map(of(Letters::AnyCase))).collect()
}

fn is_empty(volume: &Volume, step: &Step<'_>) -> anyhow::Result<bool> {
    Ok(match step.found.kind {
        FileKind::Regular => step.found.inode.size == 0,
        FileKind::Directory => volume.entries_of(step.found.inode.ino).at(step.path)?.is_empty(),
        _ => false,
    })
}
