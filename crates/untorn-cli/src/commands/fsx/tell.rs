//! What a run says while it goes well, in the words of fsx.

use super::options::Fsx;
use super::summary::Summary;
use crate::show;
use anyhow::Context;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use untorn_torture::fsx::{Ended, Entry, Exerciser, Fate, Kind, Plan, Source, Target, ops_file};

/// Tells what is done.
pub struct Teller<'a> {
    arguments: &'a Fsx,
    plan: &'a Plan,
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
    record: Option<Record>,
}

/// The ops file of --record-ops. The log remembers the last operations; this has all.
struct Record {
    file: BufWriter<File>,
    /// Number of the last operation in it.
    last: u64,
}

impl Record {
    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.last = entry.number;
        writeln!(self.file, "{}", ops_file::line(entry, None))
    }
}

impl<'a> Teller<'a> {
    /// One that tells to `out`.
    pub fn new(arguments: &'a Fsx, plan: &'a Plan, out: &'a mut dyn Write) -> Self {
        Self { arguments, plan, out, failed: None, record: None }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        if show::is_json() {
            return Ok(());
        }
        match &self.arguments.output.log_id {
            Some(id) => writeln!(self.out, "{id}: {text}"),
            None => writeln!(self.out, "{text}"),
        }
    }

    /// Before the first operation.
    pub fn begin(&mut self, options: &str) -> anyhow::Result<()> {
        if let Some(path) = &self.arguments.output.record_ops {
            let default = || super::fail::path(self.arguments, "fsxops");
            let path = path.clone().unwrap_or_else(default);
            let file = File::create(&path).with_context(|| path.display().to_string())?;
            self.record = Some(Record { file: BufWriter::new(file), last: 0 });
        }
        if !options.is_empty() {
            self.line(&format!("fsx {options}"))?;
        }
        if !self.arguments.output.quiet && self.plan.source == Source::Random {
            self.line(&format!("Seed set to {}", self.plan.settings.seed))?;
        }
        Ok(())
    }

    /// An operation was done.
    pub fn did<T: Target>(&mut self, run: &Exerciser<'_, T>) {
        let Some(entry) = run.log().last().filter(|_| self.failed.is_none()) else { return };
        let recorded = self.record.as_mut().map_or(Ok(()), |record| record.add(entry));
        let told = recorded.and_then(|()| match self.is_wanted(entry) {
            true => self.line(&shown(entry)).and_then(|()| self.seen_now()),
            false => Ok(()),
        });
        self.failed = told.err();
    }

    /// Who asked for one line in so many wants to see it when it comes.
    fn seen_now(&mut self) -> io::Result<()> {
        match self.arguments.output.progress {
            Some(_) => self.out.flush(),
            None => Ok(()),
        }
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        let output = &self.arguments.output;
        if output.debug_from.is_some_and(|from| entry.number >= from) {
            return true;
        }
        if output.progress.is_some_and(|every| entry.number.is_multiple_of(every)) {
            return true;
        }
        match output.monitor {
            Some((start, end)) => {
                entry.fate != Fate::Skipped && entry.op.reach() > start && entry.op.offset <= end
            }
            None => output.debug,
        }
    }

    /// After the last operation, well or not: what went wrong while telling.
    pub fn told<T: Target>(&mut self, run: &Exerciser<'_, T>) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)?;
        let Some(mut record) = self.record.take() else { return Ok(()) };
        if let Some(failed) = run.log().last().filter(|entry| entry.number > record.last) {
            record.add(failed)?;
        }
        record.file.flush()
    }

    /// After the last operation, all well.
    pub fn end<T: Target>(&mut self, summary: &Summary, ended: &Ended<'_, T>) -> io::Result<()> {
        if !self.arguments.output.quiet {
            self.line(&summary.words())?;
        }
        self.line(&format!("All {} operations completed A-OK!", ended.exerciser.number()))
    }
}

/// The line of -d.
fn shown(entry: &Entry) -> String {
    let Entry { number, op, size, fate } = entry;
    if *fate != Fate::Ran {
        return format!("{number} {} skipped", op.kind.word());
    }
    let word = op.kind.word();
    match op.kind {
        Kind::Fsync | Kind::Remount | Kind::Crash => format!("{number} {word}"),
        Kind::Truncate => format!("{number} trunc\tfrom 0x{size:x} to 0x{:x}", op.length),
        kind => {
            let last = op.end().saturating_sub(1);
            let at = if kind.has_other() { format!(" at 0x{:x}", op.other) } else { String::new() };
            let (offset, length) = (op.offset, op.length);
            format!("{number} {word}\t0x{offset:x} thru\t0x{last:x}\t(0x{length:x} bytes){at}")
        }
    }
}
