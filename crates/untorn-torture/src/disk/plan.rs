//! Every power cut of a history, one after another.
//!
//! Invariants: a [`Cut`] can be made again from its place, policy and seed with
//! [`History::image`]. The plan goes forward once and carries the content along, so that a cut
//! costs what is new in it.
//!
//! Never here: threads. Cuts can be handed to threads; they share nothing that changes.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    ops::RangeInclusive,
};

use untorn_device::MemoryDevice;

use super::{Dice, Event, History, Policy};

/// Policies that differ only in how much is torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// [`Policy::Prefix`] at every cut.
    Prefix,
    /// [`Policy::FlushedOnly`] where something is not flushed.
    FlushedOnly,
    /// [`Policy::Torn`] at every sector of a short write, at some of a long one.
    Torn,
    /// [`Policy::TornMiddle`] once per seed, for writes of more than two sectors.
    TornMiddle,
    /// [`Policy::Dropped`] once per seed, where something is not flushed.
    Dropped,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Prefix, Self::FlushedOnly, Self::Torn, Self::TornMiddle, Self::Dropped];
}

/// Writes of up to this many sectors are torn at each of them.
const TORN_EVERYWHERE: u64 = 16;

/// A power cut and what it left.
pub struct Cut {
    /// How many events had returned.
    pub at: usize,
    /// What was left of the others.
    pub policy: Policy,
    /// The seed that chose.
    pub seed: u64,
    /// The last mark before the cut.
    pub mark: Option<u64>,
    /// What the disk holds.
    pub image: MemoryDevice,
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, policy, seed, .. } = self;
        write!(formatter, "power cut after {at} events, {policy:?}, seed {seed}")
    }
}

/// Walks the cuts of a history: all places, all chosen families.
pub struct CutPlan {
    history: History,
    families: Vec<Family>,
    seeds: u64,
    seen: Option<HashSet<(u64, Option<u64>)>>,
    places: RangeInclusive<usize>,
    here: Option<Here>,
}

/// The cut that the plan is at.
struct Here {
    at: usize,
    mark: Option<u64>,
    /// Everything that returned.
    content: MemoryDevice,
    /// Everything that is durable.
    durable: MemoryDevice,
    left: VecDeque<(Policy, u64)>,
}

impl CutPlan {
    /// All cuts of all families, with one seed.
    pub fn new(history: History) -> Self {
        let places = 0..=history.events().len();
        Self { history, families: Family::ALL.to_vec(), seeds: 1, seen: None, places, here: None }
    }

    /// Only these families.
    pub fn families(mut self, families: &[Family]) -> Self {
        self.families = families.to_vec();
        self
    }

    /// As many seeds per cut for the families that have a choice.
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    /// Only cuts after at least `first` events and at most `last`.
    pub fn between(mut self, first: usize, last: usize) -> Self {
        self.places = first..=last.min(self.history.events().len());
        self
    }

    /// Leaves out images that were handed out before under the same mark. What a test expects of
    /// an image follows from what it has marked, so nothing is lost by it as long as it marks
    /// every change of what it expects.
    pub fn distinct(mut self) -> Self {
        self.seen = Some(HashSet::new());
        self
    }

    /// Moves on to the next place, or to the first.
    fn step(&mut self) -> Option<&mut Here> {
        let at = self.places.next()?;
        let here = match self.here.take() {
            Some(mut here) => {
                let event = &self.history.events()[here.at];
                event.apply(&here.content);
                match event {
                    Event::Flush => here.durable = here.content.snapshot(),
                    Event::Mark(mark) => here.mark = Some(*mark),
                    Event::Write { .. } | Event::Discard { .. } => {}
                }
                here.at = at;
                here
            }
            None => Here {
                at,
                mark: self.history.mark_at(at),
                content: self.history.content_at(at),
                durable: self.history.content_at(self.history.flushed_at(at)),
                left: VecDeque::new(),
            },
        };
        let left = self.families.iter().flat_map(|family| self.policies(*family, at)).collect();
        Some(self.here.insert(Here { left, ..here }))
    }

    /// What a family asks for at a cut.
    fn policies(&self, family: Family, at: usize) -> Vec<(Policy, u64)> {
        let unflushed = self.history.unflushed_at(at).iter().any(|event| event.length() > 0);
        let sector = u64::from(self.history.sector_size());
        let torn = self.history.events().get(at).map_or(0, |next| next.length() / sector);
        let seeded = |policy| (0..self.seeds).map(move |seed| (policy, seed)).collect();
        match family {
            Family::Prefix => vec![(Policy::Prefix, 0)],
            Family::FlushedOnly if unflushed => vec![(Policy::FlushedOnly, 0)],
            Family::Torn => {
                let places = self.tears(torn, at).into_iter();
                places.map(|sectors| (Policy::Torn { sectors }, 0)).collect()
            }
            Family::TornMiddle if torn > 2 => seeded(Policy::TornMiddle),
            Family::Dropped if unflushed => seeded(Policy::Dropped),
            Family::FlushedOnly | Family::TornMiddle | Family::Dropped => Vec::new(),
        }
    }

    /// After how many of its sectors to tear a write.
    fn tears(&self, sectors: u64, at: usize) -> Vec<u64> {
        if sectors <= TORN_EVERYWHERE {
            return (1..sectors).collect();
        }
        let mut dice = Dice::at(self.seeds, at as u64);
        let chosen = (0..self.seeds).map(|_| 1 + dice.below(sectors - 1));
        let mut places: Vec<_> = [1, sectors / 2, sectors - 1].into_iter().chain(chosen).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn cut(history: &History, here: &Here, policy: Policy, seed: u64) -> Cut {
        let start = match policy {
            Policy::FlushedOnly | Policy::Dropped => &here.durable,
            Policy::Prefix | Policy::Torn { .. } | Policy::TornMiddle => &here.content,
        };
        let image = start.snapshot();
        history.leave(&image, here.at, policy, &mut Dice::at(seed, here.at as u64));
        Cut { at: here.at, policy, seed, mark: here.mark, image }
    }
}

impl Iterator for CutPlan {
    type Item = Cut;

    fn next(&mut self) -> Option<Cut> {
        loop {
            let next = self.here.as_mut().and_then(|here| here.left.pop_front());
            let (Some((policy, seed)), Some(here)) = (next, &self.here) else {
                self.step()?;
                continue;
            };
            let cut = Self::cut(&self.history, here, policy, seed);
            let new = match &mut self.seen {
                Some(seen) => seen.insert((cut.image.content_hash(), cut.mark)),
                None => true,
            };
            if new {
                return Some(cut);
            }
        }
    }
}
