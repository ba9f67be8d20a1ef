//! Copying: blocks are shared where they can be, bytes go through memory elsewhere.

use super::clone::prepare_end;
use super::look::{self, PIECE};
use super::own;
use super::remap::{After, Job, Pace, share_some};
use super::rules::{self, Files, Request, Same, Use};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::io::atomic::write_locked;
use crate::io::{self, Position, Sync, Wait, read_at, write_plain};
use std::ops::Range;
use std::sync::Arc;

/// Copies the bytes of `range` to byte `at` of `dest`: how many there were before the end of
/// `source`. An error may leave some copied, from the left.
pub(crate) fn copy_range(
    core: &Arc<Core>,
    dest: &Arc<Inode>,
    at: u64,
    source: &Arc<Inode>,
    range: &Range<u64>,
) -> Result<u64> {
    rules::demand_movable(source, Use::Read)?;
    rules::demand_movable(dest, Use::Changed)?;
    let same = if source.ino == dest.ino { Same::One } else { Same::Two };
    let asked = rules::request(at, range);
    let length = source.size()?.saturating_sub(asked.from).min(asked.length);
    // What lies behind the end of the source is no part of it: nothing to refuse.
    rules::demand_apart(core, &Request { length, ..asked }, length, same)?;
    let copy = Copy { core, source, dest, from: asked.from, to: at, length };
    let head = copy.head();
    let mut done = copy.bytes(0, head)?;
    if done == head {
        done += copy.clone_from(done)?;
        done += copy.bytes(done, length)?;
    }
    Ok(done)
}

struct Copy<'a> {
    core: &'a Arc<Core>,
    source: &'a Arc<Inode>,
    dest: &'a Arc<Inode>,
    from: u64,
    to: u64,
    length: u64,
}

impl Copy<'_> {
    /// Bytes before the first whole block; all where blocks do not meet blocks.
    fn head(&self) -> u64 {
        let block = self.core.geometry.block_size() as u64;
        match self.from % block == self.to % block && self.core.features.has_reflink() {
            true => ((block - self.from % block) % block).min(self.length),
            false => self.length,
        }
    }

    /// Copies the bytes from `done` up to `until` through memory; how many there were.
    fn bytes(&self, done: u64, until: u64) -> Result<u64> {
        let mut buffer = vec![0; until.saturating_sub(done).min(PIECE) as usize];
        let mut at = done;
        while at < until {
            let length = (until - at).min(PIECE) as usize;
            let count = read_at(
                self.core,
                self.source,
                self.from + at,
                &mut buffer[..length],
                Wait::Allowed,
            )?;
            if count == 0 {
                break;
            }
            let to = Position::At(self.to + at);
            let bytes = &buffer[..count];
            write_plain(self.core, self.dest, to, bytes, Sync::Visible, Wait::Allowed)?;
            at += count as u64;
        }
        Ok(at - done)
    }

    /// Shares the whole blocks from `done` on, and the last of the file where it may be; how many
    /// bytes those are.
    fn clone_from(&self, done: u64) -> Result<u64> {
        let Self { core, source, dest, .. } = *self;
        let _owned = own(core, source, dest)?;
        rules::demand_movable(source, Use::Read)?;
        rules::demand_movable(dest, Use::Changed)?;
        let files = Files::of(source, dest)?;
        let left = files.source.saturating_sub(self.from + done).min(self.length - done);
        let request = Request { from: self.from + done, to: self.to + done, length: left };
        let Some(request) = rules::cloneable(core, &request, files) else { return Ok(0) };
        prepare_end(core, dest, request.to)?;
        let after = After::Contents { end: request.to + request.length, hint: None };
        let blocks = rules::blocks_of(core, &request);
        let job = Job { source, dest, blocks, after };
        let mut pace = Pace::new(core);
        let mut shared = 0;
        while shared < blocks.blocks {
            shared += match share_some(core, &job, shared, &mut pace) {
                Err(Error::TooShared(_) | Error::NoSpace { .. }) => {
                    self.copy_owned(&request, shared)?
                }
                other => other?,
            };
        }
        Ok(request.length)
    }

    /// Copies a piece of a request that cannot be shared, both files owned; how many blocks.
    fn copy_owned(&self, request: &Request, shared: u64) -> Result<u64> {
        let Self { core, source, dest, .. } = *self;
        let skip = shared << core.geometry.block_log;
        let length = (request.length - skip).min(PIECE);
        let mut bytes = vec![0; length as usize];
        look::read(core, source, request.from + skip, &mut bytes)?;
        let target = io::Request { offset: request.to + skip, length };
        write_locked(core, dest, target, &bytes, Sync::Visible)?;
        Ok(core.geometry.blocks_for(length))
    }
}
