//! The order of a check.

use crate::error::CheckError;
use crate::group::{self, Group};
use crate::inode::Ledger;
use crate::inode::states::States;
use crate::options::{Journal, Options, Stage};
use crate::owners::{self, Claims, Totals};
use crate::reader::Reader;
use crate::report::Report;
use crate::scan::{Scan, Step, Stop};
use crate::superblock::Unread;
use crate::{dir, inode, journal, links, superblock};
use untorn_device::BlockDevice;
use untorn_format::units::AgNumber;
use untorn_format::{FsBlock, Superblock};

/// Checks the volume on `device` and reports what is wrong with it; a clean volume gives no
/// findings. Errors say why the volume could not be checked at all.
pub fn check(device: &dyn BlockDevice, options: &Options<'_>) -> Result<Report, CheckError> {
    match superblock::read(device) {
        Ok(sb) => check_volume(device, &sb, options),
        Err(Unread::Fault(fault)) => superblock::unreadable(device, &fault),
        Err(Unread::Error(error)) => Err(error),
    }
}

fn check_volume(
    device: &dyn BlockDevice,
    sb: &Superblock,
    options: &Options<'_>,
) -> Result<Report, CheckError> {
    let mut scan = Scan::new(sb, Reader::new(device), options);
    let verdict = look_at_journal(&mut scan, options.journal);
    let stopped = match verdict.and_then(|clean| run(&mut scan, clean).map_err(Refusal::Stop)) {
        Ok(()) => false,
        Err(Refusal::Stop(Stop::Enough)) => true,
        Err(Refusal::Stop(Stop::Device(error))) => return Err(error.into()),
        Err(Refusal::Error(error)) => return Err(error),
    };
    let mut stats = scan.stats;
    (stats.reads, stats.bytes_read) = (scan.reader.reads, scan.reader.bytes_read);
    stats.groups = sb.geometry.ag_count.into();
    Ok(Report { findings: scan.take_findings(), stopped_early: stopped, stats })
}

enum Refusal {
    Stop(Stop),
    Error(CheckError),
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// Whether the journal is clean. Refuses what the caller does not want checked.
fn look_at_journal(scan: &mut Scan<'_>, wanted: Journal) -> Result<bool, Refusal> {
    if !superblock::fits(scan)? {
        return Err(Refusal::Stop(Stop::Enough));
    }
    let external = scan.geometry().log_start == FsBlock(0);
    if external && wanted == Journal::MustBeClean {
        let told = "its journal lies on another device".to_owned();
        return Err(Refusal::Error(CheckError::Unsupported(told)));
    }
    if external {
        return Ok(false);
    }
    let verdict = journal::read(scan)?;
    scan.newest = verdict.newest;
    match (verdict.clean, wanted) {
        (false, Journal::MustBeClean) => Err(Refusal::Error(CheckError::DirtyJournal)),
        (clean, _) => Ok(clean),
    }
}

fn run(scan: &mut Scan<'_>, clean: bool) -> Step {
    superblock::check_first(scan)?;
    let count = scan.geometry().ag_count;
    let mut claims = Claims::new(count);
    let mut states = States::new(scan.geometry());
    let groups = each(scan, Stage::Groups, |scan, ag| {
        let group = group::read(scan, ag, &mut claims)?;
        states.add(ag, &group.chunks);
        Ok(group)
    })?;
    let mut directories = Vec::new();
    let mut ledger =
        Ledger { claims: &mut claims, states: &mut states, directories: &mut directories };
    each(scan, Stage::Inodes, |scan, ag| match groups.get(ag.0 as usize) {
        Some(group) => inode::check_group(scan, ag, group, &mut ledger),
        None => Ok(()),
    })?;
    let tree = dir::check_all(scan, directories, &mut states)?;
    scan.progress(Stage::Links, 0, 1);
    links::check(scan, &groups, &tree, &mut states)?;
    let free = each(scan, Stage::Owners, |scan, ag| {
        group::ahead(scan, ag)?;
        let agf = groups.get(ag.0 as usize).and_then(|group| group.agf.as_ref());
        owners::check(scan, ag, agf, &mut claims)
    })?;
    if !clean {
        return Ok(());
    }
    owners::check_superblock(scan, totals(&groups, &free))
}

/// Does `work` for each AG and tells how far it is.
fn each<'a, T>(
    scan: &mut Scan<'a>,
    stage: Stage,
    mut work: impl FnMut(&mut Scan<'a>, AgNumber) -> Step<T>,
) -> Step<Vec<T>> {
    let count = scan.geometry().ag_count;
    let mut done = Vec::new();
    for ag in 0..count {
        scan.progress(stage, ag.into(), count.into());
        done.push(work(scan, AgNumber(ag))?);
    }
    scan.progress(stage, count.into(), count.into());
    Ok(done)
}

fn totals(groups: &[Group], free: &[owners::FreeCount]) -> Totals {
    let inodes = |pick: fn((u64, u64)) -> u64| {
        let counts =
            groups.iter().map(|group| group.intact.then(|| pick(group::count(&group.chunks))));
        counts.sum::<Option<u64>>()
    };
    Totals {
        free_blocks: free.iter().copied().sum(),
        inodes: inodes(|(inodes, _)| inodes),
        free_inodes: inodes(|(_, free)| free),
    }
}
