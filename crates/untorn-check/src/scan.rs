//! What every part of the check works with: the volume's superblock, the reader, the findings, and
//! the reading of verified blocks.
//!
//! Every function that may find something or read returns a [`Step`]; [`Stop`] ends the check.

use crate::code::Code;
use crate::options::{Options, Progress, Stage};
use crate::reader::{Ahead, Reader};
use crate::report::{Finding, Stats};
use std::fmt::Display;
use untorn_device::DeviceError;
use untorn_format::superblock::Superblock;
use untorn_format::units::*;
use untorn_format::{BlockKind, Fault, Geometry, Place, kind};

/// Why the check ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// There are as many findings as asked for.
    Enough,
    /// The device failed.
    Device(DeviceError),
}

impl From<DeviceError> for Stop {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

/// Result of a part of the check.
pub(crate) type Step<T = ()> = Result<T, Stop>;

/// The check at work.
pub(crate) struct Scan<'a> {
    /// The first superblock, verified.
    pub(crate) sb: &'a Superblock,
    /// The device.
    pub(crate) reader: Reader<'a>,
    /// The LSN that no block may exceed, where the journal told.
    pub(crate) newest: Option<Lsn>,
    /// What was looked at.
    pub(crate) stats: Stats,
    /// Whether something that may own blocks anywhere, or name inodes anywhere, could not be read:
    /// then what is missing elsewhere says nothing.
    pub(crate) blind: Blind,
    findings: Vec<Finding>,
    options: &'a Options<'a>,
}

/// What could not be read, so that its absence elsewhere is no finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blind {
    /// Inodes or their forks: blocks without an owner may be theirs.
    pub(crate) owners: bool,
    /// Directories: inodes without a name may be named there.
    pub(crate) names: bool,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(sb: &'a Superblock, reader: Reader<'a>, options: &'a Options<'a>) -> Self {
        let (stats, blind) = Default::default();
        Self { sb, reader, newest: None, stats, blind, findings: Vec::new(), options }
    }

    /// Where everything lies. Does not borrow the scan.
    pub(crate) fn geometry(&self) -> &'a Geometry {
        &self.sb.geometry
    }

    /// The findings so far, taken out.
    pub(crate) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Adds a finding; [`Stop::Enough`] when the limit is reached.
    pub(crate) fn find(&mut self, code: Code, place: Place, message: impl Display) -> Step {
        self.findings.push(Finding { code, place, message: message.to_string() });
        if self.findings.len() >= self.options.limit { Err(Stop::Enough) } else { Ok(()) }
    }

    /// Adds a finding about a fault that the format layer met.
    pub(crate) fn fault(&mut self, fault: &Fault, place: Place) -> Step {
        self.find(Code::of_fault(fault), place, fault)
    }

    /// Adds a finding with `code` where `holds` is false.
    pub(crate) fn demand(
        &mut self,
        holds: bool,
        code: Code,
        place: Place,
        message: impl Display,
    ) -> Step {
        if holds { Ok(()) } else { self.find(code, place, message) }
    }

    /// Tells the caller how far a stage has come.
    pub(crate) fn progress(&self, stage: Stage, done: u64, of: u64) {
        if let Some(tell) = self.options.progress {
            tell(Progress { stage, done, of });
        }
    }

    /// Reads ahead from `addr`; a hint whose failure shows when the bytes are read.
    pub(crate) fn ahead(&mut self, purpose: Ahead, addr: DiskAddr, length: u64) -> Step {
        Ok(self.reader.ahead(purpose, self.geometry().byte_of(addr), length)?)
    }

    /// Reads `length` bytes at `addr`, which lies inside the volume, unverified.
    pub(crate) fn read(&mut self, addr: DiskAddr, length: usize) -> Step<Vec<u8>> {
        Ok(self.reader.read(self.geometry().byte_of(addr), length)?)
    }

    /// Reads and verifies a block of `kind` at `addr`. A fault is a finding at `place`, and gives
    /// `None`; a block whose only fault is its LSN is used all the same.
    pub(crate) fn block(
        &mut self,
        kind: BlockKind,
        target: Target,
        place: Place,
    ) -> Step<Option<Vec<u8>>> {
        let bytes = self.read(target.addr, target.length)?;
        let readable = self.verify(kind, &bytes, target, place)?;
        Ok(readable.then_some(bytes))
    }

    /// Verifies `bytes` of a block that was read from `target`; whether they can be used.
    pub(crate) fn verify(
        &mut self,
        kind: BlockKind,
        bytes: &[u8],
        target: Target,
        place: Place,
    ) -> Step<bool> {
        let mut identity = self.sb.identity(target.addr, self.newest);
        identity.owner = target.owner;
        match kind::verify(kind, bytes, &identity) {
            Ok(()) => Ok(true),
            Err(fault @ Fault::Ahead { .. }) => {
                self.fault(&fault, place)?;
                identity.newest = None;
                self.unless_faulty(kind::verify(kind, bytes, &identity), place)
            }
            Err(fault) => self.unless_faulty(Err(fault), place),
        }
    }

    /// Whether `result` is good; a fault becomes a finding at `place`.
    pub(crate) fn unless_faulty(&mut self, result: Result<(), Fault>, place: Place) -> Step<bool> {
        match result {
            Ok(()) => Ok(true),
            Err(fault) => self.fault(&fault, place).map(|()| false),
        }
    }
}

/// A block to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Where it lies; inside the volume.
    pub(crate) addr: DiskAddr,
    /// Its bytes.
    pub(crate) length: usize,
    /// The AG or inode that it must name as its owner.
    pub(crate) owner: Option<u64>,
}

/// The place of a block of an AG.
pub(crate) fn block_place(geometry: &Geometry, ag: AgNumber, block: AgBlock) -> Place {
    Place { ag: Some(ag), ..Place::at(geometry.addr(ag, block)) }
}

/// The place of an AG.
pub(crate) fn ag_place(ag: AgNumber) -> Place {
    Place { ag: Some(ag), ..Place::default() }
}
