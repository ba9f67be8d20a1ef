//! A file in plain memory with one fault in it.

use crate::fsx::{Alike, Answer, Door, Kind, Model, Op, Piece, Target, Trouble};

/// Largest file of the tests here.
pub const LIMIT: u64 = 64 << 10;

/// What is wrong with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The n-th write changes one byte too many.
    Flip(u64),
    /// A write to what was cloned changes the source, too.
    Sharing,
    /// A file that grows shows what lay past its end.
    Stale,
    /// The size after a hole is one too small.
    Size,
    /// The n-th change panics.
    Panic(u64),
    /// The second write of a batch is refused, after the first was done.
    HalfBatch,
    /// Every third change is refused; nothing changes.
    Refusing,
    /// Power cuts leave the first half of the last atomic write.
    TornByCut,
    /// Power cuts take what was synced.
    LostByCut,
    /// Power cuts leave everything.
    NothingLost,
}

/// A file in plain memory.
pub struct Fake {
    fault: Fault,
    file: Model,
    durable: Vec<u8>,
    before_last: Vec<u8>,
    changes: u64,
    cloned: Option<Op>,
    /// Bytes that once lay past the end.
    stale: Vec<u8>,
    last: Option<Op>,
}

impl Fake {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            file: Model::new(LIMIT),
            durable: Vec::new(),
            before_last: Vec::new(),
            changes: 0,
            cloned: None,
            stale: vec![0; LIMIT as usize],
            last: None,
        }
    }

    /// What is done to the file, right or wrong.
    fn done(&mut self, op: &Op, data: &[u8]) -> Answer<()> {
        self.changes += 1;
        assert!(self.fault != Fault::Panic(self.changes), "planted");
        if self.fault == Fault::Refusing && self.changes.is_multiple_of(3) {
            return Err(Trouble::Refused("planted".to_owned()));
        }
        let before = self.file.contents().to_vec();
        self.file.apply(op, data);
        self.spoil(op, data, &before);
        self.before_last = before;
        self.last = Some(*op);
        Ok(())
    }

    fn spoil(&mut self, op: &Op, data: &[u8], before: &[u8]) {
        let size = self.file.size();
        let writes = matches!(op.kind, Kind::Write | Kind::WriteAtomic | Kind::MapWrite);
        match self.fault {
            Fault::Flip(number) if number == self.changes && size > 0 => {
                self.put(op.offset.min(size - 1), &[0xEE]);
            }
            Fault::Sharing if op.kind == Kind::CloneRange => self.cloned = Some(*op),
            Fault::Sharing if writes => self.write_through_clone(op, data),
            Fault::Stale if size < before.len() as u64 => {
                let at = size as usize;
                self.stale[at..before.len()].copy_from_slice(&before[at..]);
            }
            Fault::Stale if op.kind == Kind::Truncate && size > before.len() as u64 => {
                let (start, end) = (before.len(), size as usize);
                let stale = self.stale[start..end].to_vec();
                self.put(start as u64, &stale);
            }
            Fault::Size if op.kind == Kind::PunchHole && size > 0 => {
                self.file.apply(&Op::new(Kind::Truncate, 0, size - 1), &[]);
            }
            _ => {}
        }
    }

    fn write_through_clone(&mut self, op: &Op, data: &[u8]) {
        let Some(cloned) = self.cloned else { return };
        let inside = op.offset >= cloned.other && op.offset < cloned.other + cloned.length;
        if inside && self.file.size() > cloned.offset + (op.offset - cloned.other) {
            self.put(cloned.offset + (op.offset - cloned.other), &data[..1]);
        }
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.file.apply(&Op::new(Kind::Write, offset, bytes.len() as u64), bytes);
    }
}

impl Target for Fake {
    fn can(&self, _kind: Kind) -> bool {
        true
    }

    fn size(&mut self) -> Answer<u64> {
        Ok(self.file.size())
    }

    fn read(&mut self, _door: Door, offset: u64, bytes: &mut [u8]) -> Answer<usize> {
        let there = &self.file.contents()[(offset as usize).min(self.file.size() as usize)..];
        let count = there.len().min(bytes.len());
        bytes[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    fn write(&mut self, door: Door, offset: u64, bytes: &[u8]) -> Answer<()> {
        let kind = if door == Door::Atomic { Kind::WriteAtomic } else { Kind::Write };
        self.done(&Op::new(kind, offset, bytes.len() as u64), bytes)
    }

    fn write_batch(&mut self, pieces: &[Piece<'_>]) -> Answer<()> {
        if self.fault == Fault::Refusing {
            return Err(Trouble::Refused("planted".to_owned()));
        }
        for (number, (offset, bytes)) in pieces.iter().enumerate() {
            if number == 1 && self.fault == Fault::HalfBatch {
                return Err(Trouble::Refused("planted".to_owned()));
            }
            self.done(&Op::new(Kind::Batch, *offset, bytes.len() as u64), bytes)?;
        }
        Ok(())
    }

    fn change(&mut self, op: &Op) -> Answer<()> {
        self.done(op, &[])
    }

    fn dedupe(&mut self, op: &Op) -> Answer<Alike> {
        let part = |at: u64| self.file.part(at, op.length);
        Ok(if part(op.offset) == part(op.other) { Alike::Same } else { Alike::Differ })
    }

    fn sync(&mut self) -> Answer<()> {
        self.durable = self.file.contents().to_vec();
        Ok(())
    }

    fn reopen(&mut self) -> Answer<()> {
        Ok(())
    }

    fn remount(&mut self) -> Answer<()> {
        self.sync()
    }

    fn crash(&mut self, _seed: u64) -> Answer<()> {
        let last_was_atomic = self.last.is_some_and(|op| op.kind == Kind::WriteAtomic);
        let mut left = match self.fault {
            Fault::NothingLost => self.file.contents().to_vec(),
            Fault::LostByCut => self.durable.iter().map(|byte| byte.wrapping_add(1)).collect(),
            Fault::TornByCut if last_was_atomic => self.before_last.clone(),
            _ => self.durable.clone(),
        };
        if let (Fault::TornByCut, Some(op)) = (self.fault, self.last.filter(|_| last_was_atomic)) {
            let end = (op.offset + op.length.div_ceil(2)) as usize;
            left.resize(left.len().max(end), 0);
            let start = op.offset as usize;
            left[start..end].copy_from_slice(&self.file.contents()[start..end]);
        }
        self.file.adopt(&left);
        self.last = None;
        self.sync()
    }

    fn check(&mut self) -> Answer<()> {
        self.sync()
    }
}
