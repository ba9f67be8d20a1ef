//! Files made, looked at, listed, renamed and removed: in one directory and in a tree, by one
//! thread and by four, with a sync of the volume at the end of each phase.

use super::line::{Lines, Rate};
use super::names::{LinuxNames, Names, OurNames};
use super::scale::Scale;
use super::subject::in_turn;
use crate::kernel::scratch_root;
use anyhow::{Context, Result, ensure};
use std::time::Instant;

const THREADS: [usize; 2] = [1, 4];

/// Directories of the tree; every thread has as many of them.
const DIRECTORIES: usize = 100;

/// Where the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    One,
    Tree,
}

impl Shape {
    const ALL: [Self; 2] = [Self::One, Self::Tree];

    fn name(self) -> &'static str {
        match self {
            Self::One => "directory",
            Self::Tree => "tree",
        }
    }

    fn directories(self) -> usize {
        match self {
            Self::One => 1,
            Self::Tree => DIRECTORIES,
        }
    }
}

/// What is done with all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Create,
    Stat,
    List,
    Rename,
    Unlink,
}

impl Phase {
    /// In the order in which each finds what it needs.
    const ALL: [Self; 5] = [Self::Create, Self::Stat, Self::List, Self::Rename, Self::Unlink];

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
        }
    }

    /// How often a phase is gone through: one look at all names takes milliseconds, in which the
    /// machine may be busy with something else.
    fn passes(self) -> usize {
        match self {
            Self::List => 10,
            Self::Stat => 2,
            Self::Create | Self::Rename | Self::Unlink => 1,
        }
    }
}

/// Files per second in each phase.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let folder = scratch_root();
    let size = (256 << 20) + (scale.names as u64 * 8192).next_multiple_of(1 << 20);
    let rounds = scale.tree_rounds + 1;
    lines.expect(1 + rounds * (THREADS.len() * Shape::ALL.len()) as u64)?;
    lines.step("making images")?;
    let mut everybody: Vec<Box<dyn Names>> = vec![Box::new(OurNames::new(&folder, size)?)];
    match LinuxNames::new(&folder, size)? {
        Some(linux) => everybody.push(Box::new(linux)),
        None => lines.note("Linux is not measured: it needs root, loop devices and xfsprogs")?,
    }
    // The first round warms up; for that fewer files do.
    for round in 0..rounds {
        for shape in Shape::ALL {
            for threads in THREADS {
                let files = if round == 0 { (scale.names / 10).max(400) } else { scale.names };
                let work = Work { shape, threads, files };
                lines.step(&work.case("names"))?;
                for names in in_turn(round, &everybody) {
                    lines.wait();
                    let rates = work.run(&**names).context(names.name())?;
                    for (phase, value) in Phase::ALL.into_iter().zip(rates).filter(|_| round > 0) {
                        let (case, who) = (work.case(phase.name()), names.name());
                        let unit = "files/s";
                        lines.rate(&Rate { case: &case, who, unit, round, value })?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Files in some shape and threads for them.
#[derive(Clone, Copy, Debug)]
struct Work {
    shape: Shape,
    threads: usize,
    files: usize,
}

impl Work {
    fn case(&self, phase: &str) -> String {
        let plural = if self.threads == 1 { "" } else { "s" };
        format!("{phase}, {}, {} thread{plural}", self.shape.name(), self.threads)
    }

    /// All phases on an empty volume, which is empty again afterwards; files per second of each.
    fn run(&self, names: &dyn Names) -> Result<Vec<f64>> {
        let directories = || (0..self.shape.directories()).map(directory);
        directories().try_for_each(|path| names.make_dir(&path))?;
        names.sync()?;
        let rates = Phase::ALL.into_iter().map(|phase| self.rate(names, phase)).collect();
        directories().try_for_each(|path| names.remove_dir(&path))?;
        names.sync()?;
        rates
    }

    fn rate(&self, names: &dyn Names, phase: Phase) -> Result<f64> {
        let began = Instant::now();
        let done = std::thread::scope(|scope| {
            let passes = move |thread| -> Result<usize> {
                (0..phase.passes()).map(|_| self.share(names, phase, thread)).sum()
            };
            let run = |thread| scope.spawn(move || passes(thread));
            let threads: Vec<_> = (0..self.threads).map(run).collect();
            let done = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            done.sum::<Result<usize>>()
        })?;
        names.sync()?;
        Ok(done as f64 / began.elapsed().as_secs_f64())
    }

    /// The part of one thread; how many files it had to do with.
    fn share(&self, names: &dyn Names, phase: Phase, thread: usize) -> Result<usize> {
        if phase == Phase::List {
            return self.list(names, thread);
        }
        let mine = self.files / self.threads;
        for number in thread * mine..(thread + 1) * mine {
            let path = self.path(number, phase);
            match phase {
                Phase::Create => names.create(&path),
                Phase::Rename => names.rename(&path, &self.path(number, Phase::Unlink)),
                Phase::Unlink => names.remove(&path),
                Phase::Stat | Phase::List => names.stat(&path),
            }
            .context(path)?;
        }
        Ok(mine)
    }

    /// Lists the directories of a thread; the only one is listed by all.
    fn list(&self, names: &dyn Names, thread: usize) -> Result<usize> {
        let mine = (self.shape.directories() / self.threads).max(1);
        let first = (thread * mine) % self.shape.directories();
        let mut seen = 0;
        for number in first..first + mine {
            seen += names.list(&directory(number))?;
        }
        ensure!(seen == self.files / self.shape.directories() * mine, "{seen} files were listed");
        Ok(seen)
    }

    /// Where file `number` is when a phase begins. Renaming takes it to the next directory.
    fn path(&self, number: usize, phase: Phase) -> String {
        let in_directory = self.files / self.shape.directories();
        let (at, name) = (number / in_directory, number % in_directory);
        match phase {
            Phase::Unlink => {
                let next = (at + 1) % self.shape.directories();
                format!("{}/renamed-{name:06}", directory(next))
            }
            _ => format!("{}/file-{name:06}", directory(at)),
        }
    }
}

fn directory(number: usize) -> String {
    format!("/directory-{number:03}")
}
