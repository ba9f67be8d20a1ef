//! Contents: a load of the reader is dealt out to files as these are made, and written when all of
//! it is: large runs alone, all small ones in one commit.

use super::place::Place;
use super::{Age, Data, Done, Failure, Step, Writer};
use crate::error::Error;
use crate::reader::{Last, Load, Part, is_zero};
use crate::tree::ItemId;
use std::ops::Range;
use untorn::{File, SizeRule, Sync};

/// Runs of at least so many bytes are written alone: they are what devices are fast with.
const LARGE: usize = 256 << 10;

/// A file that has its name and not all of its contents.
pub(super) struct Waiting {
    pub id: ItemId,
    pub file: File,
    pub in_dir: Age,
    /// Its names.
    pub places: Vec<Place>,
    /// Parts of the load that are its.
    parts: Range<usize>,
    /// Whether they are the last.
    pub last: Last,
    /// Its bytes, where they are.
    size: u64,
}

/// A load whose parts are dealt out to files as these are made.
pub(super) struct Dealt {
    load: Load,
    /// Parts that have their file.
    count: usize,
}

impl Waiting {
    /// A file that was made in a directory of this age.
    pub fn new(id: ItemId, file: File, in_dir: Age, place: Place) -> Self {
        Self { id, file, in_dir, places: vec![place], parts: 0..0, last: Last::No, size: 0 }
    }
}

impl Writer<'_, '_> {
    /// Deals the file that was made last its parts. A load is written when all of it is dealt.
    pub(super) fn deal(&mut self) -> Done {
        loop {
            let dealt = match self.load.take() {
                Some(dealt) => dealt,
                None => {
                    let load = self.loads.next().ok_or_else(|| Failure::Told(ended()))?;
                    Dealt { load, count: 0 }
                }
            };
            let Dealt { load, count } = self.load.insert(dealt);
            let Some(waiting) = self.waiting.last_mut() else { return Ok(()) };
            if waiting.parts.is_empty() {
                waiting.parts = *count..*count;
            }
            let Some(part) = load.parts.get(*count) else { return Err(Failure::Told(ended())) };
            *count += 1;
            let id = waiting.id;
            (waiting.parts.end, waiting.last, waiting.size) = (*count, part.last, part.size);
            let (last, full) = (part.last, *count == load.parts.len());
            let lost = if last == Last::Lost { load.lost.pop_front() } else { None };
            if full {
                self.flush()?;
            }
            match last {
                Last::No => {}
                Last::Yes => return Ok(()),
                Last::YesButChanged => {
                    (self.watch)(Step::Changed(&self.path));
                    return Ok(());
                }
                Last::Lost => return self.lose(id, lost.unwrap_or_else(ended)),
            }
        }
    }

    /// Writes what was dealt of the load, and finishes the files that are all there then.
    pub(super) fn flush(&mut self) -> Done {
        let Some(dealt) = self.load.take() else { return Ok(()) };
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.write_load(&dealt.load, &waiting);
        if let Err(failure) = written {
            (self.load, self.waiting) = (Some(dealt), waiting);
            return Err(failure);
        }
        self.loads.give_back(dealt.load);
        let mut rest = waiting.into_iter();
        while let Some(waiting) = rest.next() {
            let done = match waiting.last {
                Last::Yes | Last::YesButChanged => self.complete(&waiting),
                Last::Lost => {
                    self.remove_all(&waiting);
                    continue;
                }
                Last::No => {
                    self.waiting.push(Waiting { parts: 0..0, ..waiting });
                    continue;
                }
            };
            if done.is_err() {
                self.waiting.push(waiting);
                self.waiting.extend(rest);
                return done;
            }
        }
        Ok(())
    }

    fn write_load(&mut self, load: &Load, waiting: &[Waiting]) -> Done {
        let readable = waiting.iter().filter(|waiting| waiting.last != Last::Lost);
        let runs: Vec<_> = readable.flat_map(|waiting| self.runs(load, waiting)).collect();
        let bytes: u64 = runs.iter().map(|run| run.bytes.len() as u64).sum();
        let (large, small): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| run.bytes.len() >= LARGE);
        large.iter().try_for_each(|run| self.put(run))?;
        self.put_all(&small)?;
        self.summary.bytes += bytes;
        (self.watch)(Step::Bytes(bytes));
        Ok(())
    }

    /// What a file has of a load.
    fn runs<'b>(&self, load: &'b Load, waiting: &'b Waiting) -> Vec<Run<'b>> {
        let parts = load.parts.get(waiting.parts.clone()).unwrap_or_default();
        let of = |part: &'b Part| {
            let runs = nonzero(&load.buffer[part.bytes.clone()], part.offset, self.block);
            runs.map(|(at, bytes)| Run { file: &waiting.file, at, bytes })
        };
        parts.iter().flat_map(of).collect()
    }

    /// The load that was not written.
    pub(super) fn take_load(&mut self) -> Option<Load> {
        self.load.take().map(|dealt| dealt.load)
    }

    /// Writes what a file has of a load.
    pub(super) fn put_parts(&self, load: &Load, waiting: &Waiting) -> Done {
        self.runs(load, waiting).iter().try_for_each(|run| self.put(run))
    }

    fn put(&self, run: &Run<'_>) -> Done {
        let range = run.at..run.at + run.bytes.len() as u64;
        match self.data {
            Data::Write => run.file.write_at(run.at, run.bytes, Sync::Visible)?,
            Data::Reserve => run.file.allocate(range, SizeRule::Grow)?,
        }
        Ok(())
    }

    /// Writes many small runs in one commit, or in a few where the journal cannot carry one.
    fn put_all(&self, runs: &[Run<'_>]) -> Done {
        if runs.len() < 2 || self.data == Data::Reserve {
            return runs.iter().try_for_each(|run| self.put(run));
        }
        let batch =
            runs.iter().fold(self.volume.atomic(), |b, run| b.write(run.file, run.at, run.bytes));
        match batch.commit(Sync::Visible) {
            Err(untorn::Error::TooLarge { .. }) => {
                let (before, behind) = runs.split_at(runs.len() / 2);
                self.put_all(before)?;
                self.put_all(behind)
            }
            done => Ok(done?),
        }
    }

    /// All of a file's contents were written: zeroes at its end, and what else is to be said.
    pub(super) fn complete(&self, waiting: &Waiting) -> Done {
        let Waiting { id, file, in_dir, places, size, .. } = waiting;
        if file.size()? != *size {
            file.truncate(*size)?;
        }
        self.finish(*id, file.ino(), *in_dir)?;
        places.iter().try_for_each(|place| self.settle(place))
    }
}

/// Bytes of a file to be written.
struct Run<'b> {
    file: &'b File,
    at: u64,
    bytes: &'b [u8],
}

/// The runs of blocks in `bytes`, which begin at byte `offset` of a file, that are not all zeroes.
fn nonzero(bytes: &[u8], offset: u64, block: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = 0;
    // Blocks are those of the file: what the source calls data may begin inside one.
    let next = move |at: usize| {
        let end = (offset + at as u64) / block * block + block - offset;
        usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len())
    };
    let is_zero = move |at: usize| is_zero(&bytes[at..next(at)]);
    std::iter::from_fn(move || {
        while at < bytes.len() && is_zero(at) {
            at = next(at);
        }
        let start = at;
        while at < bytes.len() && !is_zero(at) {
            at = next(at);
        }
        (start < at).then(|| (offset + start as u64, &bytes[start..at]))
    })
}

fn ended() -> Error {
    Error::Source { path: "the source".to_owned(), what: "ended while it was read".to_owned() }
}
