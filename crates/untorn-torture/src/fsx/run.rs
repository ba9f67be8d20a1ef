//! Whole runs: from the first operation to the last look of the checker, again from a seed, and
//! again from a list.

use super::{
    Entry, Exerciser, Failure, Fate, Generator, Growth, Kind, Kinds, Op, Recorded, Settings,
    Target, Wrong,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where operations come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Chance.
    Random,
    /// A list.
    List(Vec<Recorded>),
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How.
    pub settings: Settings,
    /// What.
    pub source: Source,
    /// Most operations.
    pub operations: u64,
}

impl Plan {
    /// Whether the power will be cut.
    pub fn power(&self) -> Power {
        let cuts = |op: &Recorded| matches!(op, Recorded::Op(Op { kind: Kind::Crash, .. }));
        let cut = match &self.source {
            Source::Random => {
                self.settings.crash_in.is_some() && self.settings.kinds.has(Kind::Crash)
            }
            Source::List(ops) => ops.iter().any(cuts),
        };
        if cut { Power::Cut } else { Power::Stays }
    }
}

/// Whether the power will be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It may be.
    Cut,
    /// It will not.
    Stays,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoOn {
    /// Yes.
    Yes,
    /// The run ends here, well so far.
    Stop,
}

/// How a run ended. It has the log, the tally and the contents.
pub struct Ended<'a, T> {
    /// The run.
    pub exerciser: Exerciser<'a, T>,
    /// What was wrong, if anything.
    pub failure: Option<Box<Failure>>,
    /// What the seed does not tell.
    pub unforeseen: Unforeseen,
}

/// What the seed of a run does not tell, and the next operations depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unforeseen {
    /// The file's size after each power cut.
    sizes_after_cuts: Vec<u64>,
    /// Numbers of operations that the target refused, and the size after: a mapped write past the
    /// end is two steps, of which the first may be done.
    refused: Vec<(u64, u64)>,
}

/// Of `kinds`, what the target can do.
pub fn possible(kinds: Kinds, target: &impl Target) -> Kinds {
    kinds.filter(|kind| target.can(kind))
}

/// Does all operations, then compares everything. `watch` is called after each.
pub fn run<'a, T: Target>(
    plan: &'a Plan,
    target: T,
    contents: &[u8],
    watch: &mut dyn FnMut(&Exerciser<'a, T>) -> GoOn,
) -> Ended<'a, T> {
    let exerciser = Exerciser::new(&plan.settings, target, contents);
    let mut ended = Ended { exerciser, failure: None, unforeseen: Unforeseen::default() };
    let done = catch_unwind(AssertUnwindSafe(|| all(plan, &mut ended, watch)));
    ended.failure = match done {
        Ok(done) => done.err(),
        Err(payload) => {
            let wrong = Wrong::Panic(said(&*payload));
            let number = ended.exerciser.number();
            Some(Box::new(Failure { number, wrong, name: "fsx".to_owned() }))
        }
    };
    ended
}

impl Unforeseen {
    fn note<T: Target>(&mut self, exerciser: &Exerciser<'_, T>) {
        match exerciser.log().last() {
            Some(Entry { fate: Fate::Refused, number, .. }) => {
                self.refused.push((*number, exerciser.size()));
            }
            Some(Entry { op: Op { kind: Kind::Crash, .. }, .. }) => {
                self.sizes_after_cuts.push(exerciser.size());
            }
            _ => {}
        }
    }
}

fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it said nothing").to_owned()
}

fn all<'a, T: Target>(
    plan: &'a Plan,
    ended: &mut Ended<'a, T>,
    watch: &mut dyn FnMut(&Exerciser<'a, T>) -> GoOn,
) -> Result<(), Box<Failure>> {
    ended.exerciser.prepare(plan.power())?;
    let mut next = Next::new(plan);
    while let Some(op) = next.op(ended.exerciser.size()) {
        match op {
            Recorded::Op(op) => ended.exerciser.step(op)?,
            Recorded::Skipped => ended.exerciser.skip(Op::new(Kind::Read, 0, 0)),
        }
        ended.unforeseen.note(&ended.exerciser);
        if watch(&ended.exerciser) == GoOn::Stop {
            break;
        }
    }
    ended.exerciser.finish()
}

/// The operations of a plan, one after the other.
struct Next<'a> {
    plan: &'a Plan,
    generator: Generator,
    done: u64,
}

impl<'a> Next<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self { plan, generator: Generator::new(&plan.settings), done: 0 }
    }

    fn op(&mut self, size: u64) -> Option<Recorded> {
        if self.done >= self.plan.operations {
            return None;
        }
        self.done += 1;
        match &self.plan.source {
            Source::Random => Some(Recorded::Op(self.generator.next(size, &self.plan.settings))),
            Source::List(ops) => ops.get(self.done as usize - 1).copied(),
        }
    }
}

/// The first `count` operations of a plan as they were done, made again from the seed; the file
/// had `size` bytes at first.
pub fn again(plan: &Plan, count: u64, size: u64, unforeseen: &Unforeseen) -> Vec<Recorded> {
    let mut next = Next::new(plan);
    let mut cuts = unforeseen.sizes_after_cuts.iter();
    let mut size = match plan.settings.growth {
        Growth::Fixed => size.max(plan.settings.file_limit),
        Growth::Free => size,
    };
    let mut ops = Vec::new();
    while ops.len() < count as usize {
        let Some(op) = next.op(size) else { break };
        let fitted = match op {
            Recorded::Op(op) => super::fit(op, size, &plan.settings),
            Recorded::Skipped => None,
        };
        let number = ops.len() as u64 + 1;
        let refused = unforeseen.refused.binary_search_by_key(&number, |refused| refused.0);
        size = match (fitted, refused) {
            (_, Ok(index)) => unforeseen.refused[index].1,
            (Some(Op { kind: Kind::Crash, .. }), _) => cuts.next().copied().unwrap_or(size),
            (Some(op), _) => op.size_after(size),
            (None, _) => size,
        };
        ops.push(fitted.map_or(Recorded::Skipped, Recorded::Op));
    }
    ops
}

/// The failure of a run of these operations, if it fails. What panics while it is let go of, after
/// a failure, is part of that failure.
pub fn fails_with<T: Target>(
    settings: &Settings,
    ops: &[Recorded],
    target: T,
) -> Option<Box<Failure>> {
    let source = Source::List(ops.to_vec());
    let plan = Plan { settings: settings.clone(), source, operations: ops.len() as u64 };
    let mut failure = None;
    let let_go = catch_unwind(AssertUnwindSafe(|| {
        let ended = run(&plan, target, &[], &mut |_| GoOn::Yes);
        failure.clone_from(&ended.failure);
    }));
    let panicked = |payload: Box<dyn std::any::Any + Send>| {
        let wrong = Wrong::Panic(said(&*payload));
        Box::new(Failure { number: plan.operations, wrong, name: "fsx".to_owned() })
    };
    failure.or_else(|| let_go.err().map(panicked))
}
