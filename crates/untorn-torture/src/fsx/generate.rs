//! Operations by chance, the same for the same seed, settings and sizes of the file.
//!
//! Numbers are not those of the C program's generator: a seed names another run there.

use super::{Kind, Lengths, Op, Rule, Settings, Shared, Then, Truncates, When};
use crate::dice::Dice;

/// Ranges of a batch at most.
pub(super) const MOST_RANGES: u8 = 4;

/// A stream of operations. They are made to fit by [`super::fit()`].
#[derive(Clone, Debug)]
pub struct Generator {
    dice: Dice,
    /// What is drawn from: reads and writes twice as often as the rest.
    kinds: Vec<Kind>,
    /// The last places that were given the same bytes: worth a dedupe.
    alike: Option<Op>,
}

impl Generator {
    /// The stream of the settings' seed and kinds.
    pub fn new(settings: &Settings) -> Self {
        let on_their_own = [Kind::Remount, Kind::Crash];
        let drawn = settings.kinds.filter(|kind| !on_their_own.contains(&kind));
        let twice = settings.kinds.filter(|kind| matches!(kind, Kind::Read | Kind::Write));
        let kinds = Kind::all().filter(|kind| drawn.has(*kind));
        let kinds = kinds.chain(Kind::all().filter(|kind| twice.has(*kind))).collect();
        Self { dice: Dice::at(settings.seed, 0xF5), kinds, alike: None }
    }

    /// The next operation on a file of `size` bytes.
    pub fn next(&mut self, size: u64, settings: &Settings) -> Op {
        let kind = self.kind(settings);
        let offset = self.dice.roll() >> 2;
        let length = self.length(settings);
        let mut op = Op::new(kind, offset, length);
        match kind {
            Kind::Truncate if settings.truncates == Truncates::Any => {
                op.length = self.dice.below(settings.file_limit);
            }
            Kind::Fallocate => {
                op.rule = self.rule(settings);
                op.shared = self.shared(settings);
            }
            Kind::ZeroRange => op.rule = self.rule(settings),
            Kind::CloneRange | Kind::CopyRange => {
                op = self.two_places(op, size, settings.file_limit, settings);
                self.alike = Some(op);
            }
            Kind::ExchangeRange => op = self.two_places(op, size, size, settings),
            Kind::DedupeRange => op = self.dedupe(op, size, settings),
            Kind::Batch => self.batch(&mut op),
            _ => {}
        }
        if settings.reopen_in.is_some_and(|of| self.dice.chance(1, of)) {
            op.then = Then::Reopen;
        }
        op
    }

    fn kind(&mut self, settings: &Settings) -> Kind {
        let rare = [(Kind::Crash, settings.crash_in), (Kind::Remount, settings.remount_in)];
        for (kind, chance) in rare {
            if let Some(of) = chance.filter(|_| settings.kinds.has(kind))
                && self.dice.chance(1, of)
            {
                return kind;
            }
        }
        match self.kinds.is_empty() {
            true => Kind::Fsync,
            false => *self.dice.pick(&self.kinds),
        }
    }

    fn length(&mut self, settings: &Settings) -> u64 {
        match settings.lengths {
            Lengths::Random => self.dice.below(settings.op_limit + 1),
            Lengths::Full => settings.op_limit,
        }
    }

    fn rule(&mut self, settings: &Settings) -> Rule {
        let keep = settings.keep_size == When::Always && self.dice.chance(1, 2);
        if keep { Rule::Keep } else { Rule::Grow }
    }

    fn shared(&mut self, settings: &Settings) -> Shared {
        let unshare = settings.unshare == When::Always && self.dice.chance(1, 2);
        if unshare { Shared::Unshare } else { Shared::Stay }
    }

    /// A second place before `limit` that does not overlap the first, if a few throws find one.
    fn two_places(&mut self, op: Op, size: u64, limit: u64, settings: &Settings) -> Op {
        for _ in 0..30 {
            let thrown = op.with_other(self.dice.below(limit.max(1)));
            if let Some(fitted) = super::fit(thrown, size, settings) {
                return fitted;
            }
        }
        Op { length: 0, ..op }
    }

    /// Every other time the places that were last made alike.
    fn dedupe(&mut self, op: Op, size: u64, settings: &Settings) -> Op {
        match self.alike {
            Some(last) if self.dice.chance(1, 2) => {
                let Op { offset, length, other, .. } = last;
                Op::new(Kind::DedupeRange, offset, length).with_other(other)
            }
            _ => self.two_places(op, size, size, settings),
        }
    }

    fn batch(&mut self, op: &mut Op) {
        op.count = 1 + self.dice.below(u64::from(MOST_RANGES)) as u8;
        op.length /= u64::from(op.count);
        op.other = op.length + self.dice.below(op.length.max(1) * 2);
    }
}
