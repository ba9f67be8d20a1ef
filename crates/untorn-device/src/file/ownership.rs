//! Making a file or block node ours alone, or saying whose it is.
//!
//! A regular file is locked with flock: exclusively for writing, shared for reading. Locks bind
//! only those who take them, and the kernel takes none, so a file that a loop device shows is
//! looked for in what the kernel tells. A block node is opened exclusively, which the kernel's own
//! mounts respect; only the explanation is looked for.
//!
//! Invariants: every refusal names who has the file and what to do.
//!
//! Limits: a process that opened the file and took no lock is not noticed, nor is a loop device
//! attached after we opened the file. A mount in a mount namespace that this process does not see
//! is noticed on a block node only.

use std::{fs::File, io::ErrorKind, os::unix::fs::MetadataExt, path::Path, thread, time::Duration};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{
    Access,
    host::{self, DeviceNumber, Lock, Loop},
    open::open_error,
};
use crate::raw::is_record_locked;
use crate::{DeviceError, Result};

/// Locks the open regular file; refuses it where the kernel or another process has it.
pub(super) fn claim_file(file: &File, path: &Path, access: Access) -> Result<()> {
    let metadata = file.metadata().map_err(|error| open_error(path, error))?;
    let (dev, inode) = (metadata.dev(), metadata.ino());
    let operation = match access {
        Access::ReadOnly => FlockOperation::NonBlockingLockShared,
        Access::ReadWrite => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, operation) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(locked(path, &host::locks_on(dev, inode))),
        Err(error) => return Err(open_error(path, error.into())),
    }
    if access == Access::ReadWrite {
        refuse_foreign_locks(file, path, dev, inode)?;
    }
    refuse_loops(path, dev, inode, access)
}

/// How often, and how many milliseconds apart, a loop device that is to clear itself is looked at.
const CLEARING: (u32, u64) = (20, 25);

/// A loop device made by mount(8) goes when it is unmounted, but not at once.
fn refuse_loops(path: &Path, dev: u64, inode: u64, access: Access) -> Result<()> {
    let (times, pause) = CLEARING;
    let mut looks = 0;
    loop {
        let loops = host::loops_on(dev, inode);
        let clearing = |found: &Loop| found.clears_itself && node_user(found.device).is_none();
        let patient = access == Access::ReadWrite && looks < times;
        if !patient || !loops.iter().any(clearing) {
            return loops.iter().try_for_each(|found| refuse_loop(path, found, access));
        }
        looks += 1;
        thread::sleep(Duration::from_millis(pause));
    }
}

fn locked(path: &Path, locks: &[Lock]) -> DeviceError {
    let holders: Vec<_> =
        locks.iter().filter_map(|lock| lock.process).map(host::describe_process).collect();
    let who = if holders.is_empty() { "another process".to_owned() } else { holders.join(", ") };
    DeviceError::Busy(format!(
        "{} is in use by {who}; wait for it to end, or stop it",
        path.display()
    ))
}

/// Emulators lock images with record locks, which flock does not see. The list of all locks, which
/// tells whose they are, is read only where there is one, or nobody can tell: before it shows the
/// list the kernel waits, for milliseconds, until all processors have looked away from it.
fn refuse_foreign_locks(file: &File, path: &Path, dev: u64, inode: u64) -> Result<()> {
    let found = is_record_locked(file);
    if let Ok(false) = found {
        return Ok(());
    }
    let mut locks = host::locks_on(dev, inode);
    locks.retain(|lock| lock.kind != "FLOCK");
    if locks.is_empty() && found.is_err() { Ok(()) } else { Err(locked(path, &locks)) }
}

fn refuse_loop(path: &Path, found: &Loop, access: Access) -> Result<()> {
    let (path, name) = (path.display(), &found.name);
    if let Some(reason) = node_user(found.device) {
        return Err(DeviceError::Busy(format!("{path}, attached to /dev/{name}, {reason}")));
    }
    match access {
        Access::ReadOnly => Ok(()),
        Access::ReadWrite => Err(DeviceError::Busy(format!(
            "{path} is attached to /dev/{name}; detach it first: losetup -d /dev/{name}"
        ))),
    }
}

/// Who in the kernel uses a block device and what to do about it, as the end of a sentence.
fn node_user(device: DeviceNumber) -> Option<String> {
    if let Some(point) = host::mounts_of(device).first() {
        return Some(format!(
            "is mounted by the kernel at {point}; unmount it first: umount {point}"
        ));
    }
    let holders = host::holders_of(device);
    if !holders.is_empty() {
        return Some(format!("is part of {}; stop that first", holders.join(", ")));
    }
    None
}

/// Puts the user of a block node in place of the host's "busy".
pub(super) fn explain_node(error: DeviceError, path: &Path, number: u64) -> DeviceError {
    let busy = matches!(
        &error, DeviceError::Open { source, .. } if source.kind() == ErrorKind::ResourceBusy
    );
    if !busy {
        return error;
    }
    let reason = node_user(DeviceNumber::of(number)).unwrap_or_else(|| {
        "is in use by another process, or mounted where this one cannot see it; stop that first"
            .to_owned()
    });
    DeviceError::Busy(format!("{} {reason}", path.display()))
}
