//! Writes and reads that say how they are done: places, ways, and calls that may not wait.

use super::{BLOCK, Bench};
use crate::inode::Sharing;
use crate::{
    Caching, Error, FileFlag, How, LinuxWrite, NewFile, OpenOptions, Position, ReadOptions, Sync,
    Volume, Wait, WriteOptions,
};

const EACH: [How; 3] = [How::Cached, How::Direct, How::Atomic];

fn now(options: WriteOptions) -> WriteOptions {
    WriteOptions { wait: Wait::Refused, ..options }
}

fn direct(offset: u64) -> WriteOptions {
    WriteOptions { how: How::Direct, ..WriteOptions::at(offset) }
}

fn reading(offset: u64, caching: Caching, wait: Wait) -> ReadOptions {
    ReadOptions { offset, caching, wait }
}

fn protect(bench: &Bench, flag: FileFlag) {
    bench.file.set_flags(bench.file.flags().unwrap().with(flag)).unwrap();
}

/// The write is refused because it would wait, and nothing has changed.
fn refused(bench: &Bench, options: WriteOptions, length: u64) -> &'static str {
    let (cow, size) = (format!("{:?}", bench.inode().cow.lock()), bench.file.size().unwrap());
    let bytes = vec![0xee; length as usize];
    let why = match bench.file.write(now(options), &bytes) {
        Err(Error::WouldWait(why)) => why,
        other => panic!("{options:?}: {other:?}"),
    };
    assert_eq!(bench.file.size().unwrap(), size, "{options:?}");
    assert_eq!(format!("{:?}", bench.inode().cow.lock()), cow, "{options:?}");
    why
}

#[test]
fn appends_of_all_ways_at_once_never_get_the_same_bytes() {
    let mut bench = Bench::new();
    const RECORD: usize = 1500;
    let file = bench.volume.open_file("/file").unwrap();
    let places: Vec<(u64, u8)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6_u8)
            .map(|writer| {
                let file = &file;
                scope.spawn(move || {
                    let append = |count: u8| {
                        let how = EACH[usize::from(writer + count) % 3];
                        let options = WriteOptions { how, ..WriteOptions::append() };
                        let byte = writer * 40 + count + 1;
                        (file.write(options, &[byte; RECORD]).unwrap(), byte)
                    };
                    (0..40).map(append).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    for (at, byte) in places {
        assert_eq!(at % RECORD as u64, 0);
        bench.expect(at, &[byte; RECORD]);
    }
    assert_eq!(bench.model.len(), 6 * 40 * RECORD);
    bench.judge("appends");
}

#[test]
fn a_write_that_may_not_wait_for_others_is_refused() {
    let mut bench = Bench::new();
    bench.write(0, 4 * BLOCK, 1);
    let file = bench.volume.open_file("/file").unwrap();
    let held = bench.inode().clone();
    let held = held.ranges.lock(BLOCK..2 * BLOCK, Sharing::Shared);
    for how in [How::Cached, How::Direct] {
        let options = WriteOptions { how, ..WriteOptions::at(0) };
        assert!(refused(&bench, options, 2 * BLOCK).contains("others"));
    }
    for caching in [Caching::Cached, Caching::Direct] {
        let mut bytes = vec![0; BLOCK as usize];
        let shared = file.read(reading(BLOCK, caching, Wait::Allowed), &mut bytes).unwrap();
        assert_eq!(shared as u64, BLOCK, "readers share");
    }
    drop(held);
    bench.file.write(now(direct(0)), &vec![2; 2 * BLOCK as usize]).unwrap();
    bench.expect(0, &vec![2; 2 * BLOCK as usize]);
    bench.judge("others");
}

#[test]
fn a_read_that_may_not_wait_for_a_writer_is_refused() {
    let mut bench = Bench::new();
    bench.write(0, 4 * BLOCK, 1);
    let inode = bench.inode().clone();
    let _held = inode.ranges.lock(BLOCK..2 * BLOCK, Sharing::Exclusive);
    for caching in [Caching::Cached, Caching::Direct] {
        let read = bench.file.read(reading(0, caching, Wait::Refused), &mut [0; 5000]);
        assert!(matches!(read, Err(Error::WouldWait(_))), "{caching:?}: {read:?}");
    }
}

#[test]
fn a_cached_read_that_may_not_wait_finds_what_is_in_memory() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 7);
    bench.file.truncate(4 * BLOCK).unwrap();
    let mut bytes = [9; 100];
    let at = |offset| reading(offset, Caching::Cached, Wait::Refused);
    assert!(matches!(bench.file.read(at(10), &mut bytes), Err(Error::WouldWait(_))));
    assert_eq!(bench.file.read(at(3 * BLOCK), &mut bytes).unwrap(), 100, "a hole is no device");
    assert_eq!(bytes, [0; 100]);
    bench.file.read_cached(0, &mut bytes).unwrap();
    assert_eq!(bench.file.read(at(10), &mut bytes).unwrap(), 100);
    assert_eq!(bytes, [7; 100]);
}

#[test]
fn a_direct_write_that_may_not_wait_goes_over_written_blocks_alone() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 1);
    bench.preallocate(2..4);
    bench.file.truncate(6 * BLOCK).unwrap();
    bench.model.resize(6 * BLOCK as usize, 0);
    for (block, what) in [(2, "unwritten"), (4, "a hole"), (1, "half of it"), (5, "the end")] {
        let why = refused(&bench, direct(block * BLOCK), 2 * BLOCK);
        assert!(why.contains("mapped"), "{what}: {why}");
    }
    bench.file.write(now(direct(100)), &[3; 5000]).unwrap();
    bench.expect(100, &[3; 5000]);
    bench.file.write_cached(0, &[4; 10], Sync::Visible).unwrap();
    bench.expect(0, &[4; 10]);
    assert!(refused(&bench, direct(0), BLOCK).contains("written back"));
    bench.judge("written blocks");
}

#[test]
fn a_direct_write_that_may_not_wait_leaves_shared_blocks_alone() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 1);
    let _other = bench.share();
    assert!(refused(&bench, direct(0), BLOCK).contains("mapped"));
    bench.judge("shared blocks");
}

#[test]
fn a_cached_write_that_may_not_wait_goes_where_pages_and_space_are() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 1);
    bench.file.truncate(4 * BLOCK).unwrap();
    bench.model.resize(4 * BLOCK as usize, 0);
    let at = WriteOptions::at;
    assert!(refused(&bench, at(2 * BLOCK), BLOCK).contains("space"), "a hole");
    assert!(refused(&bench, at(10), 10).contains("read"), "a part of a block");
    bench.file.write(now(at(0)), &vec![5; BLOCK as usize]).unwrap();
    bench.expect(0, &vec![5; BLOCK as usize]);
    bench.file.write(now(at(10)), &[6; 10]).unwrap();
    bench.expect(10, &[6; 10]);
    bench.file.write_cached(2 * BLOCK, &[7; 10], Sync::Visible).unwrap();
    bench.expect(2 * BLOCK, &[7; 10]);
    bench.file.write(now(at(2 * BLOCK + 5)), &[8; 10]).unwrap();
    bench.expect(2 * BLOCK + 5, &[8; 10]);
    bench.judge("cached");
}

#[test]
fn what_always_waits_is_refused_by_name() {
    let mut bench = Bench::new();
    bench.write(0, 2 * BLOCK, 1);
    let atomic = WriteOptions { how: How::Atomic, ..WriteOptions::at(0) };
    assert!(refused(&bench, atomic, BLOCK).contains("atomic"));
    let durable = WriteOptions { sync: Sync::Durable, ..direct(0) };
    assert!(refused(&bench, durable, BLOCK).contains("durable"));
    bench.judge("by name");
}

#[test]
fn an_append_only_file_takes_appends_of_all_ways_and_nothing_else() {
    let mut bench = Bench::new();
    bench.write(0, 100, 1);
    protect(&bench, FileFlag::AppendOnly);
    for (byte, how) in (2..).zip(EACH) {
        let rewrite = bench.file.write(WriteOptions { how, ..WriteOptions::at(100) }, &[byte; 9]);
        assert!(matches!(rewrite, Err(Error::Protected(_))), "{how:?}: {rewrite:?}");
        let at = bench.file.write(WriteOptions { how, ..WriteOptions::append() }, &[byte; 9]);
        bench.expect(at.unwrap(), &[byte; 9]);
    }
    assert_eq!(bench.model.len(), 127);
    bench.judge("append-only");
}

#[test]
fn h97_batches_with_a_file_marked_synchronous_are_durable_check() {
    for door in ["batch", "RWF_ATOMIC"] {
        let mut bench = Bench::new();
        bench.write(0, 2 * BLOCK, 1);
        protect(&bench, FileFlag::Synchronous);
        let other = bench.volume.create_file("/two", NewFile::default()).unwrap();
        bench.volume.sync().unwrap();
        let bytes = [2; BLOCK as usize];
        if door == "batch" {
            let batch = bench.volume.atomic().write(&other, 0, &bytes);
            batch.write(&bench.file, 0, &bytes).commit(Sync::Visible).unwrap();
        } else {
            let (at, how) = (Position::At(0), LinuxWrite::default());
            bench.file.write_rwf_atomic(at, &[&bytes], &how).unwrap();
        }
        bench.volume.clone().abandon();
        let volume = Volume::open(bench.device.clone(), OpenOptions::default()).unwrap();
        let file = volume.open_file("/file").unwrap();
        assert!(Bench::contents(&file)[..BLOCK as usize] == bytes, "{door}");
        drop(file);
        volume.close().unwrap();
    }
}

#[test]
fn a_file_that_became_immutable_while_a_write_waited_refuses_it() {
    for how in EACH {
        let mut bench = Bench::new();
        bench.write(0, 2 * BLOCK, 1);
        let inode = bench.inode().clone();
        let held = inode.ranges.lock(0..BLOCK, Sharing::Exclusive);
        let file = bench.volume.open_file("/file").unwrap();
        let waiting = |count| {
            while inode.ranges.waiters() < count {
                std::thread::yield_now();
            }
        };
        let wrote = std::thread::scope(|scope| {
            scope.spawn(|| protect(&bench, FileFlag::Immutable));
            waiting(1);
            let options = WriteOptions { how, ..WriteOptions::at(0) };
            let writer = scope.spawn(move || file.write(options, &[2; 100]));
            waiting(2);
            drop(held);
            writer.join().unwrap()
        });
        assert!(matches!(wrote, Err(Error::Protected(_))), "{how:?}: {wrote:?}");
        bench.judge("immutable");
    }
}
