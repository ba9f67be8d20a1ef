//! Requests fail as planned and leave what the plan says.

use std::{io, sync::Arc};

use untorn_device::{BlockDevice, DeviceError, MemoryDevice, Operation, Result};

use super::{
    super::{FaultPlan, SimDisk},
    firsts,
};

fn disk() -> Arc<SimDisk> {
    SimDisk::new(MemoryDevice::new(64 << 10))
}

fn kind(outcome: Result<()>) -> io::ErrorKind {
    match outcome {
        Err(DeviceError::Io { source, .. }) => source.kind(),
        other => panic!("no failure of the medium: {other:?}"),
    }
}

fn fails(outcome: Result<()>) -> bool {
    matches!(outcome, Err(DeviceError::Io { .. }))
}

#[test]
fn the_chosen_write_fails_and_leaves_nothing() {
    let disk = disk();
    disk.write_at(0, &[1; 512]).unwrap();
    disk.set_faults(FaultPlan::none().fail(Operation::Write, 1));
    let outcomes = [2, 3, 4].map(|byte| fails(disk.write_at(0, &[byte; 512])));
    assert_eq!(outcomes, [false, true, false]);
    assert_eq!(disk.event_count(), 3, "the failed write is no event");
}

#[test]
fn from_the_chosen_flush_on_all_fail_and_nothing_becomes_durable() {
    let disk = disk();
    disk.set_faults(FaultPlan::none().fail_from(Operation::Flush, 1));
    disk.flush().unwrap();
    disk.write_at(0, &[1; 512]).unwrap();
    assert!(fails(disk.flush()) && fails(disk.flush()));
    assert_eq!(disk.unflushed(), 1);
    disk.set_faults(FaultPlan::none());
    disk.flush().unwrap();
    assert_eq!(disk.unflushed(), 0);
}

#[test]
fn reads_fail_by_number_or_by_place() {
    let disk = disk();
    let plan = FaultPlan::none().fail(Operation::Read, 0);
    disk.set_faults(plan.fail_within(Operation::Read, 1000..1001));
    let mut bytes = [0; 1024];
    let mut read = |offset| fails(disk.read_at(offset, &mut bytes));
    assert_eq!(
        [read(4096), read(4096), read(0), read(512), read(1024)],
        [true, false, true, true, false]
    );
    disk.write_at(512, &[1; 1024]).unwrap();
}

#[test]
fn a_torn_write_leaves_its_first_sectors_and_is_an_event() {
    let disk = disk();
    disk.set_faults(FaultPlan::none().tear_write(0, 2));
    assert!(fails(disk.write_at(0, &[7; 4 * 512])));
    assert_eq!(firsts(&disk.content())[..4], [7, 7, 0, 0]);
    assert_eq!(disk.event_count(), 1);
}

#[test]
fn a_full_host_takes_rewrites_only() {
    let disk = disk();
    disk.write_at(0, &[1; 8192]).unwrap();
    disk.set_faults(FaultPlan::none().space(12 << 10));
    disk.write_at(8192, &[2; 512]).unwrap();
    assert_eq!(kind(disk.write_at(12 << 10, &[3; 512])), io::ErrorKind::StorageFull);
    disk.write_at(0, &[4; 12 << 10]).unwrap();
    disk.set_faults(FaultPlan::none().space(4096));
    disk.write_at(0, &[5; 12 << 10]).unwrap();
}

#[test]
fn after_the_power_went_everything_fails_and_nothing_changes() {
    let disk = disk();
    disk.set_faults(FaultPlan::none().power_cut_after(2));
    disk.write_at(0, &[1; 512]).unwrap();
    disk.flush().unwrap();
    assert!(fails(disk.write_at(0, &[2; 512])) && fails(disk.flush()));
    assert!(fails(disk.read_at(0, &mut [0; 512])) && fails(disk.discard(0, 512).map(drop)));
    assert_eq!((disk.event_count(), firsts(&disk.content())[0]), (2, 1));
}

#[test]
fn a_chosen_discard_fails() {
    let disk = disk();
    disk.set_faults(FaultPlan::none().fail(Operation::Discard, 0));
    assert!(fails(disk.discard(0, 512).map(drop)));
    disk.discard(0, 512).unwrap();
}

#[test]
fn discarded_sectors_do_not_read_as_what_they_were_or_as_zeros() {
    let disk = disk();
    disk.write_at(0, &[1; 1024]).unwrap();
    disk.discard(0, 512).unwrap();
    let seen = firsts(&disk.content());
    assert!(![0, 1].contains(&seen[0]) && seen[1] == 1);
}
