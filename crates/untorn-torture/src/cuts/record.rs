//! Running a scenario and judging its power cuts.

use super::scenario::{Hears, Layout, Scenario, Syncing};
use crate::dice::Dice;
use crate::disk::{Cut, CutPlan, SimDisk};
use std::sync::Arc;
use untorn::{Background, File, FreedBlocks, NewFile, OpenOptions, Sync, Trim, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};

/// A scenario that was run, its writes and all states of its file.
pub struct Recording {
    disk: Arc<SimDisk>,
    /// Contents after 0, 1, 2 ... writes.
    states: Vec<Vec<u8>>,
}

/// What a power cut left of the writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Writes that had begun.
    pub begun: usize,
    /// Writes that had to survive.
    pub durable: usize,
    /// Writes that did.
    pub survived: usize,
    /// Whether the journal had to be replayed.
    pub replayed: bool,
}

/// What a power cut broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The file holds no state that any number of whole writes gives.
    Torn,
    /// Whole writes only, but a durable one is gone, or one that never began is there.
    Lost,
    /// The checker complains of the recovered volume.
    Unsound,
    /// The volume could not be recovered, read, closed or checked.
    Unusable,
}

/// Why a power cut was not survived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of thing is broken.
    pub broken: Broken,
    /// The power cut and what was found, in words.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

fn text<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

impl Recording {
    /// Runs the scenario; all of it must succeed.
    pub fn make(scenario: &Scenario) -> Result<Self, String> {
        let medium = Arc::new(MemoryDevice::new(scenario.volume));
        text(mkfs::make(&*medium, &scenario.mkfs()))?;
        prepare(scenario, &medium)?;
        let disk = SimDisk::new(medium.snapshot());
        let freed = match scenario.hears {
            Hears::Freed => FreedBlocks::Discard,
            Hears::Nothing | Hears::Free => FreedBlocks::Keep,
        };
        let background = Background::Off;
        let options = OpenOptions { freed, background, ..OpenOptions::default() };
        let volume = text(Volume::open(disk.clone(), options))?;
        let file = text(volume.open_file("/file"))?;
        let mut states = vec![contents(&file)?];
        let mut dice = Dice::new(scenario.seed);
        let mut durable = 0;
        for index in 0..scenario.writes {
            let before = &states[index];
            let (offset, bytes) = next_write(scenario, &mut dice, before.len() as u64);
            let mut after = before.clone();
            overlay(&mut after, offset, &bytes);
            states.push(after);
            disk.mark(mark(durable, index + 1));
            let sync = match scenario.syncing {
                Syncing::Always => Sync::Durable,
                Syncing::Some if index % 3 == 2 => Sync::Durable,
                _ => Sync::Visible,
            };
            text(file.write_atomic(offset, &bytes, sync))?;
            if sync == Sync::Durable {
                durable = index + 1;
                disk.mark(mark(durable, index + 1));
            }
            if scenario.hears == Hears::Free && index % 2 == 0 {
                // What is trimmed after a force is trimmed on top of everything so far.
                durable = index + 1;
                text(volume.trim(&Trim::default(), |_| ()))?;
                disk.mark(mark(durable, index + 1));
            }
        }
        text(volume.close())?;
        disk.mark(mark(scenario.writes, scenario.writes));
        Ok(Self { disk, states })
    }

    /// Every power cut of the run.
    pub fn cuts(&self) -> CutPlan {
        self.disk.cuts()
    }

    /// Requests that the disk saw: where the power can be cut.
    pub fn events(&self) -> usize {
        self.disk.event_count()
    }

    /// Recovers what a power cut left, compares, and checks the volume. An error says what was torn
    /// or lost.
    pub fn judge(&self, cut: &Cut) -> Result<Outcome, Failure> {
        let device: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let failure = |broken, what| Failure { broken, what: format!("{cut}: {what}") };
        let wrong = |what: String| failure(Broken::Unusable, what);
        let opened = Volume::open(Arc::clone(&device), OpenOptions::default());
        let volume = text(opened).map_err(|e| wrong(format!("recovery failed: {e}")))?;
        let replayed = !volume.recovery().was_clean;
        let file = text(volume.open_file("/file")).map_err(wrong)?;
        let found = contents(&file).map_err(wrong)?;
        drop(file);
        text(volume.close()).map_err(|e| wrong(format!("closing failed: {e}")))?;
        let report = untorn_check::check(&*device, &untorn_check::Options::default());
        let report = text(report).map_err(|e| wrong(format!("check failed: {e}")))?;
        if let Some(finding) = report.findings.first() {
            let what = format!("checker: {} at {}", finding.message, finding.place);
            return Err(failure(Broken::Unsound, what));
        }
        Ok(Outcome { replayed, ..self.match_state(cut, &found)? })
    }

    /// Which state of the file `found` is, if it is one that the cut may leave.
    pub fn match_state(&self, cut: &Cut, found: &[u8]) -> Result<Outcome, Failure> {
        let (durable, begun) = unmark(cut.mark.unwrap_or(0));
        let matches = |&count: &usize| self.states[count] == found;
        match (durable..=begun).rev().find(matches) {
            Some(survived) => Ok(Outcome { begun, durable, survived, replayed: false }),
            None => {
                let (broken, what) = self.explain(found, durable, begun);
                Err(Failure { broken, what: format!("{cut}: {what}") })
            }
        }
    }

    fn explain(&self, found: &[u8], durable: usize, begun: usize) -> (Broken, String) {
        if let Some(count) = (0..self.states.len()).find(|&count| self.states[count] == found) {
            let what =
                format!("{count} writes survived, {durable} were durable, {begun} had begun");
            return (Broken::Lost, what);
        }
        let near = &self.states[begun];
        let at = near.iter().zip(found).position(|(a, b)| a != b).unwrap_or(near.len());
        let (have, want) = (found.len(), near.len());
        let what = format!(
            "torn: the file ({have} bytes) is no state between {durable} and {begun} writes; it \
             differs from the last ({want} bytes) first at byte {at}"
        );
        (Broken::Torn, what)
    }
}

fn mark(durable: usize, begun: usize) -> u64 {
    (durable as u64) << 32 | begun as u64
}

fn unmark(mark: u64) -> (usize, usize) {
    ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize)
}

fn contents(file: &File) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; text(file.size())? as usize];
    let count = text(file.read_at(0, &mut bytes))?;
    bytes.truncate(count);
    Ok(bytes)
}

fn overlay(contents: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let end = offset as usize + bytes.len();
    contents.resize(contents.len().max(end), 0);
    contents[offset as usize..end].copy_from_slice(bytes);
}

/// Any offset up to a little past the end, any length; block-aligned every third time.
fn next_write(scenario: &Scenario, dice: &mut Dice, size: u64) -> (u64, Vec<u8>) {
    let block = u64::from(scenario.block_size);
    let mut length = 1 + dice.below(scenario.longest);
    let mut offset = dice.below(size.max(scenario.longest) + 2 * block);
    if dice.chance(1, 3) {
        offset = offset / block * block;
        length = length.next_multiple_of(block);
    }
    (offset, dice.bytes(length as usize))
}

/// Makes the file as the scenario wants it found, on a volume that is closed again.
fn prepare(scenario: &Scenario, medium: &Arc<MemoryDevice>) -> Result<(), String> {
    let device: Arc<dyn BlockDevice> = Arc::clone(medium) as _;
    let volume = text(Volume::open(device, OpenOptions::default()))?;
    let file = text(volume.create_file("/file", NewFile::default()))?;
    let mut dice = Dice::new(!scenario.seed);
    let block = u64::from(scenario.block_size);
    match scenario.layout {
        Layout::Empty => {}
        Layout::Whole => {
            text(file.write_atomic(0, &dice.bytes(scenario.file as usize), Sync::Visible))?;
        }
        Layout::Holes => {
            for at in (0..scenario.file).step_by(3 * block as usize) {
                text(file.write_atomic(at, &dice.bytes(block as usize), Sync::Visible))?;
            }
        }
        Layout::Shattered => {
            let other = text(volume.create_file("/other", NewFile::default()))?;
            for at in (0..scenario.file).step_by(block as usize) {
                text(file.write_atomic(at, &dice.bytes(block as usize), Sync::Visible))?;
                text(other.write_atomic(at, &dice.bytes(block as usize), Sync::Visible))?;
            }
        }
    }
    drop(file);
    text(volume.close())
}
