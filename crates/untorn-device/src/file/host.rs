//! What the kernel says about mounts, loop devices and locks, in /proc and /sys.
//!
//! Invariants: only reads. Each reader is a thin door to a parser of text, so that the parsers are
//! tested without a kernel. Where the kernel tells nothing (no /proc, no permission) the answer is
//! "none": these answers explain a refusal or add to one, they never allow anything by themselves.
//!
//! Never here: what to do about it.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{major, minor};

/// A block device by the kernel's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeviceNumber {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl DeviceNumber {
    /// From the number in a file's status.
    pub(super) fn of(dev: u64) -> Self {
        Self { major: major(dev), minor: minor(dev) }
    }

    /// From the kernel's text: "7:0".
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }

    fn directory(self) -> PathBuf {
        PathBuf::from(format!("/sys/dev/block/{}:{}", self.major, self.minor))
    }
}

/// A line of /proc/self/mountinfo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) device: DeviceNumber,
    pub(super) point: String,
    pub(super) source: String,
}

/// Where a block device, or a partition of it, is mounted in this mount namespace.
pub(super) fn mounts_of(device: DeviceNumber) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let devices = with_partitions(device);
    let mounted = parse_mounts(&text).into_iter().filter(|mount| {
        devices.contains(&mount.device)
            || block_number(&mount.source).is_some_and(|number| devices.contains(&number))
    });
    mounted.map(|mount| mount.point).collect()
}

/// The number of the block node at an absolute path, if there is one.
fn block_number(path: &str) -> Option<DeviceNumber> {
    let metadata = path.starts_with("/dev/").then(|| fs::metadata(path).ok())??;
    metadata.file_type().is_block_device().then(|| DeviceNumber::of(metadata.rdev()))
}

fn with_partitions(device: DeviceNumber) -> Vec<DeviceNumber> {
    let parts = entries(&device.directory()).into_iter();
    let numbers = parts
        .filter_map(|part| part.join("partition").exists().then(|| number_in(&part)).flatten());
    std::iter::once(device).chain(numbers).collect()
}

fn number_in(directory: &Path) -> Option<DeviceNumber> {
    DeviceNumber::parse(&fs::read_to_string(directory.join("dev")).ok()?)
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(directory).into_iter().flatten();
    read.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

/// Fields of mountinfo: id, parent, device, root, point, options, optional fields, "-", type,
/// source (proc_pid_mountinfo(5)). Spaces inside a field are written in octal.
pub(super) fn parse_mounts(text: &str) -> Vec<Mount> {
    let parse = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(2);
        let device = DeviceNumber::parse(front.next()?)?;
        let point = unescape(front.nth(1)?);
        let source = unescape(back.split(' ').nth(1)?);
        Some(Mount { device, point, source })
    };
    text.lines().filter_map(parse).collect()
}

fn unescape(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, code) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A loop device that shows a file as a block device.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loop {
    /// "loop0".
    pub(super) name: String,
    pub(super) device: DeviceNumber,
    /// It goes away when its last user does.
    pub(super) clears_itself: bool,
}

/// The loop devices whose backing file is the file with this device and inode number.
pub(super) fn loops_on(dev: u64, inode: u64) -> Vec<Loop> {
    let attached = |directory: PathBuf| {
        let name = directory.file_name()?.to_str()?.to_owned();
        let backing = fs::read_to_string(directory.join("loop/backing_file")).ok()?;
        let backing = fs::metadata(backing.strip_suffix('\n')?).ok()?;
        let device = number_in(&directory)?;
        let flag = fs::read_to_string(directory.join("loop/autoclear")).unwrap_or_default();
        let clears_itself = flag.trim() == "1";
        let same = (backing.dev(), backing.ino()) == (dev, inode);
        same.then_some(Loop { name, device, clears_itself })
    };
    entries(Path::new("/sys/block")).into_iter().filter_map(attached).collect()
}

/// The names of devices made of a block device (device mapper, RAID).
pub(super) fn holders_of(device: DeviceNumber) -> Vec<String> {
    let holders = entries(&device.directory().join("holders")).into_iter();
    holders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

/// A line of /proc/locks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lock {
    /// "FLOCK", "POSIX", "OFDLCK".
    pub(super) kind: String,
    /// Absent where the kernel knows no process (OFD locks).
    pub(super) process: Option<u32>,
}

/// The advisory locks on the file with this device and inode number.
pub(super) fn locks_on(dev: u64, inode: u64) -> Vec<Lock> {
    let text = fs::read_to_string("/proc/locks").unwrap_or_default();
    parse_locks(&text, DeviceNumber::of(dev), inode)
}

/// Fields of /proc/locks: number, kind, mode, type, process, device:inode, start, end
/// (proc_locks(5)); device numbers in hexadecimal. Waiters ("->") hold nothing.
pub(super) fn parse_locks(text: &str, device: DeviceNumber, inode: u64) -> Vec<Lock> {
    let place = format!("{:02x}:{:02x}:{inode}", device.major, device.minor);
    let parse = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields[..] {
            [_, kind, _, _, process, at, ..] if at == place => {
                Some(Lock { kind: kind.to_owned(), process: process.parse().ok() })
            }
            _ => None,
        }
    };
    text.lines().filter_map(parse).collect()
}

/// "process 12 (name)", as far as the kernel tells.
pub(super) fn describe_process(process: u32) -> String {
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("process {process} ({})", name.trim_end()),
        Err(_) => format!("process {process}"),
    }
}

#[cfg(test)]
mod tests;
