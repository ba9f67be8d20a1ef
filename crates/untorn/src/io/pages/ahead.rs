//! Reading ahead: threads that fetch what a reader wants next while it is busy with what it has.
//!
//! A volume's threads begin with its first long run of reads and are ended by whoever closes or
//! abandons it. They take the range that they fetch only if nobody is in the way, so nobody waits
//! for anybody who waits for them; what they could not fetch the reader reads itself, and meets the
//! fault.
//!
//! Never here: how far to read ahead.

use super::read::read_missing;
use crate::core::Core;
use crate::inode::{Inode, Sharing};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use untorn_format::Ino;

/// Threads of a volume: requests that a device has at a time besides the reader's own.
const THREADS: usize = 3;
/// Jobs that may wait; more are not worth remembering.
const MOST: usize = 64;

/// Blocks of a file to be fetched.
#[derive(Debug)]
struct Job {
    core: Weak<Core>,
    inode: Weak<Inode>,
    blocks: Blocks,
}

/// Blocks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blocks {
    ino: Ino,
    range: Range<u64>,
}

impl Blocks {
    fn meets(&self, other: &Self) -> bool {
        let (one, two) = (&self.range, &other.range);
        self.ino == other.ino && one.start < two.end && two.start < one.end
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    running: Vec<Blocks>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is a job, or an end.
    given: Condvar,
    /// A job is done.
    done: Condvar,
}

/// Whether anybody reads ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Threads do.
    Threads,
    /// Nobody: a reader fetches more than it was asked for instead.
    None,
}

/// The reading ahead of a volume.
#[derive(Debug)]
pub(crate) struct Ahead {
    readers: Readers,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Ahead {
    /// Nothing asked for.
    pub fn new(readers: Readers) -> Self {
        Self { readers, shared: Arc::default(), threads: Mutex::default() }
    }

    /// Whether somebody will do what is asked for.
    pub fn is_there(&self) -> bool {
        self.readers == Readers::Threads && !self.shared.state.lock().ended
    }

    /// Has `range` of the blocks of a file fetched.
    pub fn ask(&self, core: &Arc<Core>, inode: &Arc<Inode>, range: Range<u64>) {
        let mut state = self.shared.state.lock();
        if state.ended || state.waiting.len() == MOST {
            return;
        }
        let blocks = Blocks { ino: inode.ino, range };
        let (core, inode) = (Arc::downgrade(core), Arc::downgrade(inode));
        state.waiting.push_back(Job { core, inode, blocks });
        drop(state);
        self.start();
        self.shared.given.notify_one();
    }

    fn start(&self) {
        let mut threads = self.threads.lock();
        if !threads.is_empty() {
            return;
        }
        for _ in 0..THREADS {
            let shared = Arc::clone(&self.shared);
            let name = "untorn-readahead".to_owned();
            match Builder::new().name(name).spawn(move || run(&shared)) {
                Ok(thread) => threads.push(thread),
                // Readers take back what nobody has begun.
                Err(error) => tracing::warn!(%error, "no thread to read ahead"),
            }
        }
    }

    /// Returns once nobody fetches any of `range` of the blocks of a file: what is under way is
    /// waited for, what has not begun is taken back.
    pub fn settle(&self, ino: Ino, range: Range<u64>) {
        let blocks = Blocks { ino, range };
        let mut state = self.shared.state.lock();
        state.waiting.retain(|job| !job.blocks.meets(&blocks));
        while state.running.iter().any(|running| running.meets(&blocks)) {
            self.shared.done.wait(&mut state);
        }
    }

    /// Ends the threads and waits for them.
    pub fn end(&self) {
        self.tell_end();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                tracing::error!("a thread that reads ahead panicked");
            }
        }
    }

    fn tell_end(&self) {
        let mut state = self.shared.state.lock();
        state.ended = true;
        state.waiting.clear();
        self.shared.given.notify_all();
    }
}

impl Drop for Ahead {
    // A volume that was opened for reading is not closed. One of the threads may be who drops it.
    fn drop(&mut self) {
        self.tell_end();
    }
}

fn run(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.ended {
        let Some(job) = state.waiting.pop_front() else {
            shared.given.wait(&mut state);
            continue;
        };
        state.running.push(job.blocks.clone());
        drop(state);
        fetch(&job);
        state = shared.state.lock();
        state.running.retain(|running| *running != job.blocks);
        shared.done.notify_all();
    }
}

/// Does a job, as far as nobody is in its way.
fn fetch(job: &Job) {
    let (Some(core), Some(inode)) = (job.core.upgrade(), job.inode.upgrade()) else { return };
    let log = core.geometry.block_log;
    let Range { start, end } = job.blocks.range;
    let Some(_range) = inode.ranges.try_lock(start << log..end << log, Sharing::Shared) else {
        return;
    };
    if let Err(error) = read_missing(&core, &inode, start..end) {
        tracing::debug!(ino = inode.ino.0, %error, "nothing was read ahead");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mkfs;
    use crate::{File, NewFile, OpenOptions, Sync, Volume};
    use untorn_device::{BlockDevice, MemoryDevice};

    fn volume(page_bytes: usize) -> (Arc<MemoryDevice>, Volume) {
        let device = Arc::new(MemoryDevice::new(64 << 20));
        mkfs::make(&*device, &mkfs::Options::default()).unwrap();
        let options = OpenOptions { page_bytes, ..OpenOptions::default() };
        (device.clone(), Volume::open(device, options).unwrap())
    }

    fn filled(volume: &Volume, length: usize) -> (File, Vec<u8>) {
        let file = volume.create_file("/file", NewFile::default()).unwrap();
        let bytes: Vec<u8> = (0..length).map(|at| (at / 7 + at / 4096) as u8).collect();
        file.write_at(0, &bytes, Sync::Durable).unwrap();
        (file, bytes)
    }

    #[test]
    fn a_reader_from_end_to_end_finds_what_was_read_ahead_model() {
        let (_device, volume) = volume(4 << 20);
        let (file, bytes) = filled(&volume, (24 << 20) + 1234);
        for piece in [5000, 65536, 1 << 20] {
            let mut read = vec![0; piece];
            for (at, expected) in bytes.chunks(piece).enumerate() {
                let count = file.read_cached((at * piece) as u64, &mut read).unwrap();
                assert!(read[..count] == *expected, "piece {at} of {piece} bytes");
            }
        }
        assert!(!volume.core().pages.ahead.threads.lock().is_empty(), "nobody read ahead");
        volume.close().unwrap();
    }

    #[test]
    fn readers_and_writers_of_one_file_meet_with_readers_ahead() {
        let (_device, volume) = volume(8 << 20);
        let (file, _) = filled(&volume, 16 << 20);
        const BLOCK: u64 = 4096;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..400_u64 {
                    let bytes = vec![round as u8; 2 * BLOCK as usize];
                    let at = round * 37 % 4000 * BLOCK;
                    match round % 3 {
                        0 => file.write_cached(at, &bytes, Sync::Visible).unwrap(),
                        1 => file.write_at(at, &bytes, Sync::Visible).unwrap(),
                        _ => file.write_atomic(at, &bytes, Sync::Visible).unwrap(),
                    }
                    let mut back = vec![0; bytes.len()];
                    file.read_cached(at, &mut back).unwrap();
                    assert!(back == bytes, "round {round}");
                }
            });
            scope.spawn(|| {
                let mut piece = vec![0; 128 << 10];
                for at in (0..4).flat_map(|_| (0..128_u64).map(|piece| piece * (128 << 10))) {
                    file.read_cached(at, &mut piece).unwrap();
                }
            });
        });
        drop(file);
        volume.close().unwrap();
    }

    #[test]
    fn what_nobody_has_begun_is_taken_back() {
        let (_device, volume) = volume(4 << 20);
        let (file, _) = filled(&volume, 1 << 20);
        let ahead = Ahead::new(Readers::Threads);
        let ask = |range: Range<u64>| {
            let blocks = Blocks { ino: file.ino(), range };
            let (core, inode) = (Arc::downgrade(volume.core()), Arc::downgrade(file.inode()));
            ahead.shared.state.lock().waiting.push_back(Job { core, inode, blocks });
        };
        [0..10, 10..20, 20..30].into_iter().for_each(ask);
        ahead.settle(file.ino(), 12..13);
        let left: Vec<_> =
            ahead.shared.state.lock().waiting.iter().map(|job| job.blocks.range.clone()).collect();
        assert_eq!(left, [0..10, 20..30]);
    }

    #[test]
    fn threads_end_with_the_volume_and_files_are_read_without_them() {
        let (device, volume) = volume(4 << 20);
        let (file, bytes) = filled(&volume, 4 << 20);
        let mut read = vec![0; 1 << 20];
        (0..4).for_each(|piece| assert!(file.read_cached(piece << 20, &mut read).is_ok()));
        let core = Arc::clone(volume.core());
        volume.close().unwrap();
        assert!(!core.pages.ahead.is_there());
        drop(core);
        assert_eq!(file.read_cached(3 << 20, &mut read).unwrap(), 1 << 20);
        assert!(read == bytes[3 << 20..]);
        drop(file);
        assert_eq!(Arc::strong_count(&device), 1, "a thread holds the device");
        assert!(device.geometry().size > 0);
    }
}
