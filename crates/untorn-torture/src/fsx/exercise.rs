//! One run: operations done to a target and to the model, and everything compared.
//!
//! ```text
//! operation -> fit -> log -> target ... model -> compare (what was read; the size; on request all)
//! ```
//! Invariants: the target is asked for nothing that the model could not answer. After the first
//! failure nothing more is done. No memory is taken per operation.

use super::since::{Since, Verdict};
use super::target::{Alike, Door, Piece, Target, Trouble};
use super::{
    BadData, Entry, Failure, Fate, Growth, Io, Kind, Log, Model, Op, Pattern, Power, Settings,
    Then, When, Wrong, fit, generate::MOST_RANGES,
};

/// Operations without a sync after which one is made where the power may be cut: what happened
/// since is kept.
const MOST_SINCE: usize = 2_000;

/// Page of the cache, in bytes: what -e fills.
const PAGE: u64 = 4096;

/// What was done, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations done.
    pub ran: [u64; Kind::COUNT],
    /// Operations that the file could not bear.
    pub skipped: u64,
    /// Operations that the volume refused and that changed nothing.
    pub refused: u64,
    /// Files closed and opened again.
    pub reopened: u64,
    /// Looks of the checker.
    pub checks: u64,
    /// Power cuts after which the file was a whole earlier state.
    pub cuts_whole: u64,
    /// Power cuts after which plain writes were there in part.
    pub cuts_mixed: u64,
}

/// A run under way.
pub struct Exerciser<'a, T> {
    settings: &'a Settings,
    target: T,
    model: Model,
    pattern: Pattern,
    log: Log,
    tally: Tally,
    number: u64,
    /// Kept where the power may be cut.
    since: Option<Since>,
    /// Remounts and crashes.
    renewed: u64,
    /// What is being written.
    data: Vec<u8>,
    /// What was read.
    seen: Vec<u8>,
}

impl<'a, T: Target> Exerciser<'a, T> {
    /// A run on a target whose file holds `contents`.
    pub fn new(settings: &'a Settings, target: T, contents: &[u8]) -> Self {
        let limit = settings.file_limit.max(contents.len() as u64);
        let mut model = Model::new(limit);
        model.adopt(contents);
        Self {
            settings,
            target,
            model,
            pattern: Pattern::new(limit, settings.seed, settings.fill),
            log: Log::default(),
            tally: Tally::default(),
            number: 0,
            since: None,
            renewed: 0,
            data: Vec::with_capacity(settings.op_limit as usize),
            seen: vec![0; limit as usize],
        }
    }

    /// Makes the target as the settings want it found. Everything is durable then.
    pub fn prepare(&mut self, power: Power) -> Result<(), Box<Failure>> {
        let done = self.prepared(power);
        done.map_err(|trouble| self.failure(trouble))
    }

    fn prepared(&mut self, power: Power) -> Result<(), Trouble> {
        let Settings { file_limit, growth, preallocate, .. } = *self.settings;
        if growth == Growth::Fixed && self.model.size() < file_limit {
            let zeroes = Op::new(Kind::Write, 0, file_limit);
            self.data.resize(file_limit as usize, 0);
            self.target.write(Door::Direct, 0, &self.data)?;
            self.model.apply(&zeroes, &self.data);
        }
        if preallocate == When::Always {
            let mut all = Op::new(Kind::Fallocate, 0, file_limit);
            all.rule = super::Rule::Keep;
            self.target.change(&all)?;
        }
        if power == Power::Cut {
            self.target.sync()?;
            let mut since = Since::new(self.settings.file_limit.max(self.model.size()));
            since.rebase(self.model.contents());
            self.since = Some(since);
        }
        Ok(())
    }

    /// The file's size.
    pub fn size(&self) -> u64 {
        self.model.size()
    }

    /// Operations so far.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The last operations.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What was done.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What the file should hold.
    pub fn contents(&self) -> &[u8] {
        self.model.contents()
    }

    /// Takes a number for an operation that is not done.
    pub fn skip(&mut self, op: Op) {
        self.number += 1;
        self.tally.skipped += 1;
        let entry = Entry { number: self.number, op, size: self.size(), fate: Fate::Skipped };
        self.log.push(entry);
    }

    /// Does the next operation, made to fit, and compares.
    pub fn step(&mut self, op: Op) -> Result<(), Box<Failure>> {
        if self.number + 1 == self.settings.begin && self.number > 0 {
            self.write_image().map_err(|found| self.failure(found))?;
        }
        let done = match fit(op, self.size(), self.settings) {
            Some(fitted) => self.run(fitted),
            None => {
                self.skip(op);
                self.follow(op.then)
            }
        };
        done.map_err(|found| self.failure(found))
    }

    /// Compares everything, and lets the checker look: the end of a run.
    pub fn finish(&mut self) -> Result<(), Box<Failure>> {
        self.number += 1;
        let done = self.finished();
        self.number -= 1;
        done.map_err(|what| self.failure(what))
    }

    fn finished(&mut self) -> Result<(), Found> {
        if self.number < self.settings.begin {
            return Ok(());
        }
        self.compare_size()?;
        self.compare_all()?;
        self.check()?;
        self.compare_size()?;
        self.compare_all()
    }

    /// The target, at the end.
    pub fn into_target(self) -> T {
        self.target
    }

    fn failure(&self, found: impl Into<Found>) -> Box<Failure> {
        let wrong = match found.into() {
            Found::Refused(what) => Wrong::Error(what),
            Found::Wrong(wrong) => wrong,
        };
        Box::new(Failure { number: self.number, wrong, name: "fsx".to_owned() })
    }

    fn run(&mut self, op: Op) -> Result<(), Found> {
        self.number += 1;
        let size = self.size();
        self.log.push(Entry { number: self.number, op, size, fate: Fate::Ran });
        if self.number < self.settings.begin {
            self.simulate(&op);
            return Ok(());
        }
        match self.perform(&op) {
            Err(Found::Refused(_)) => {
                self.log.last_was(Fate::Refused);
                self.tally.refused += 1;
            }
            done => {
                done?;
                self.tally.ran[op.kind as usize] += 1;
            }
        }
        if self.settings.content_checks == When::Always {
            self.compare_all()?;
        }
        self.follow(op.then)?;
        if self.settings.size_checks == When::Always {
            self.compare_size()?;
        }
        Ok(())
    }

    fn simulate(&mut self, op: &Op) {
        self.pattern.fill(self.number, op, &mut self.data);
        self.model.apply(op, &self.data);
    }

    /// The file as it should be where the run really begins.
    fn write_image(&mut self) -> Result<(), Found> {
        self.target.write(Door::Direct, 0, self.model.contents())?;
        self.synced()
    }

    fn follow(&mut self, then: Then) -> Result<(), Found> {
        if then == Then::Reopen && self.number >= self.settings.begin {
            self.target.reopen()?;
            self.tally.reopened += 1;
        }
        Ok(())
    }

    fn perform(&mut self, op: &Op) -> Result<(), Found> {
        match op.kind {
            Kind::Read => return self.read(op, self.door()),
            Kind::MapRead => return self.read(op, Door::Cached),
            Kind::Fsync => {
                self.target.sync()?;
                return self.synced();
            }
            Kind::DedupeRange => return self.dedupe(op),
            Kind::Remount => return self.remount(),
            Kind::Crash => return self.crash(op.offset),
            _ => {}
        }
        self.pollute(op)?;
        self.pattern.fill(self.number, op, &mut self.data);
        match op.kind {
            Kind::Write => self.target.write(self.door(), op.offset, &self.data)?,
            Kind::WriteAtomic => self.target.write(Door::Atomic, op.offset, &self.data)?,
            Kind::MapWrite => self.map_write(op)?,
            Kind::Batch => self.batch(op)?,
            _ => self.target.change(op)?,
        }
        self.model.apply(op, &self.data);
        self.note(*op)?;
        self.after_write(op)
    }

    fn door(&self) -> Door {
        match self.settings.io {
            Io::Cached => Door::Cached,
            Io::Direct => Door::Direct,
        }
    }

    fn read(&mut self, op: &Op, door: Door) -> Result<(), Found> {
        let seen = &mut self.seen[..op.length as usize];
        let found = self.target.read(door, op.offset, seen)? as u64;
        if found != op.length {
            return Err(Wrong::Short { found, expected: op.length }.into());
        }
        compare(op.offset, self.model.part(op.offset, op.length), seen)
    }

    fn dedupe(&mut self, op: &Op) -> Result<(), Found> {
        let same = self.model.part(op.offset, op.length) == self.model.part(op.other, op.length);
        match (self.target.dedupe(op)?, same) {
            (Alike::Same, true) | (Alike::Differ, false) => Ok(()),
            (alike, _) => {
                let what = format!("dedupe_range: the bytes are said to be: {alike:?}");
                Err(Wrong::Error(what).into())
            }
        }
    }

    /// A mapping cannot reach past the end: the file grows first.
    fn map_write(&mut self, op: &Op) -> Result<(), Found> {
        if op.end() > self.size() && self.target.can(Kind::Truncate) {
            let longer = Op::new(Kind::Truncate, 0, op.end());
            self.target.change(&longer)?;
            self.model.apply(&longer, &[]);
            self.note(longer)?;
        }
        Ok(self.target.write(Door::Cached, op.offset, &self.data)?)
    }

    fn batch(&mut self, op: &Op) -> Result<(), Found> {
        let mut pieces: [Piece<'_>; MOST_RANGES as usize] = [(0, &[]); MOST_RANGES as usize];
        let chunks = self.data.chunks(op.length as usize);
        let ranges = op.writes().zip(chunks);
        let mut count = 0;
        for (piece, (range, bytes)) in pieces.iter_mut().zip(ranges) {
            *piece = (range.start, bytes);
            count += 1;
        }
        Ok(self.target.write_batch(&pieces[..count])?)
    }

    /// -e: fills the rest of the last page and cuts it off again, where the size will change.
    fn pollute(&mut self, op: &Op) -> Result<(), Found> {
        let size = self.size();
        let to = size.next_multiple_of(PAGE).min(self.settings.file_limit);
        let changes = op.size_after(size) != size && op.offset.max(op.length) > 0;
        if self.settings.pollute == When::Never || !changes || to <= size {
            return Ok(());
        }
        let garbage = Op::new(Kind::Write, size, to - size);
        self.pattern.fill(self.number, &garbage, &mut self.data);
        self.target.write(Door::Cached, size, &self.data)?;
        self.note(garbage)?;
        let cut = Op::new(Kind::Truncate, 0, size);
        self.target.change(&cut)?;
        self.note(cut)
    }

    /// Something was done that the power may take away again.
    fn note(&mut self, op: Op) -> Result<(), Found> {
        let Some(since) = &mut self.since else { return Ok(()) };
        since.push(self.number, op);
        if since.len() >= MOST_SINCE {
            self.target.sync()?;
            self.synced()?;
        }
        Ok(())
    }

    /// Everything is durable.
    fn synced(&mut self) -> Result<(), Found> {
        if let Some(since) = &mut self.since {
            since.rebase(self.model.contents());
        }
        Ok(())
    }

    fn after_write(&mut self, op: &Op) -> Result<(), Found> {
        let writes = matches!(op.kind, Kind::Write | Kind::WriteAtomic | Kind::Batch);
        let Settings { sync, flush, .. } = self.settings;
        if writes && (*sync == When::Always || *flush == When::Always) {
            self.target.sync()?;
            self.synced()?;
        }
        if writes && *flush == When::Always {
            self.target.reopen()?;
        }
        Ok(())
    }

    fn remount(&mut self) -> Result<(), Found> {
        match self.check_is_due() {
            true => self.check()?,
            false => self.target.remount()?,
        }
        self.synced()
    }

    fn check_is_due(&mut self) -> bool {
        self.renewed += 1;
        let every = self.settings.check_every;
        every > 0 && self.renewed.is_multiple_of(every)
    }

    fn check(&mut self) -> Result<(), Found> {
        self.tally.checks += 1;
        self.target.check()?;
        self.synced()
    }

    fn crash(&mut self, seed: u64) -> Result<(), Found> {
        self.target.crash(seed)?;
        let size = self.target.size()? as usize;
        if size > self.seen.len() {
            let expected = self.size();
            return Err(Wrong::Size { expected, found: size as u64 }.into());
        }
        let seen = &mut self.seen[..size];
        let found = self.target.read(Door::Direct, 0, seen)?;
        if found != size {
            let (found, expected) = (found as u64, size as u64);
            return Err(Wrong::Short { found, expected }.into());
        }
        if let Some(since) = &self.since {
            let verdict = since.judge(seen, &self.pattern).map_err(Wrong::Lost)?;
            match verdict {
                Verdict::After(_) => self.tally.cuts_whole += 1,
                Verdict::Mixed | Verdict::SizeOnly => self.tally.cuts_mixed += 1,
            }
        }
        self.model.adopt(seen);
        self.synced()?;
        match self.check_is_due() {
            true => self.check(),
            false => Ok(()),
        }
    }

    fn compare_size(&mut self) -> Result<(), Found> {
        let (expected, found) = (self.model.size(), self.target.size()?);
        match expected == found {
            true => Ok(()),
            false => Err(Wrong::Size { expected, found }.into()),
        }
    }

    fn compare_all(&mut self) -> Result<(), Found> {
        let size = self.size();
        self.read(&Op::new(Kind::Read, 0, size), self.door())
    }
}

fn compare(offset: u64, good: &[u8], bad: &[u8]) -> Result<(), Found> {
    match good == bad {
        true => Ok(()),
        false => Err(Wrong::Data(BadData::new(offset, good, bad)).into()),
    }
}

/// What came up in an operation.
enum Found {
    /// The target refused it and changed nothing.
    Refused(String),
    /// Something is wrong.
    Wrong(Wrong),
}

impl From<Trouble> for Found {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(what) => Self::Refused(what),
            Trouble::Failed(what) => Self::Wrong(Wrong::Error(what)),
            Trouble::Unsound(what) => Self::Wrong(Wrong::Unsound(what)),
        }
    }
}

impl From<Wrong> for Found {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}
