//! Removal and closing while other threads use the files.

use super::{BLOCK, assert_sound, made, open};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use untorn::{Error, File, NewFile, Orphan, Sync, Volume};

/// Uses a file until it is gone; what it reads must be one of its bytes.
fn use_until_gone(file: &File, reads: &AtomicU64, writes: &AtomicU64) {
    let mut bytes = vec![0; 3 * BLOCK];
    for round in 0u64.. {
        let offset = round * 5000 % (40 * BLOCK as u64);
        let done = match round % 4 {
            0 => file.read_at(offset, &mut bytes).map(|_| reads.fetch_add(1, Ordering::Relaxed)),
            1 => file
                .write_at(offset / 4096 * 4096, &[7; BLOCK], Sync::Visible)
                .map(|()| writes.fetch_add(1, Ordering::Relaxed)),
            _ => file
                .write_atomic(offset, &[7; 9000], Sync::Visible)
                .map(|()| writes.fetch_add(1, Ordering::Relaxed)),
        };
        match done {
            Ok(_) => assert!(bytes.iter().all(|&byte| byte == 0 || byte == 7)),
            Err(Error::NotRegular(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_file_removed_while_others_use_it_takes_no_block_with_it_check() {
    let device = made();
    let volume = open(&device);
    let neighbour = volume.create_file("/neighbour", NewFile::default()).unwrap();
    neighbour.write_atomic(0, &[9; 50 * BLOCK], Sync::Visible).unwrap();
    volume.sync().unwrap();
    let before = volume.space().unwrap();
    let (reads, writes) = (AtomicU64::new(0), AtomicU64::new(0));
    for round in 0..40u64 {
        let file = volume.create_file("/victim", NewFile::default()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let file = volume.file(file.ino()).unwrap();
                let (reads, writes) = (&reads, &writes);
                scope.spawn(move || use_until_gone(&file, reads, writes));
            }
            std::thread::sleep(Duration::from_micros(500 * (round % 7)));
            volume.remove("/victim").unwrap();
            // Whoever comes next may have the inode and the blocks at once.
            let next = volume.create_file("/next", NewFile::default()).unwrap();
            next.write_atomic(0, &[5; 30 * BLOCK], Sync::Visible).unwrap();
            let mut bytes = vec![0; 30 * BLOCK];
            next.read_at(0, &mut bytes).unwrap();
            assert!(bytes.iter().all(|&byte| byte == 5));
            volume.remove("/next").unwrap();
        });
    }
    volume.sync().unwrap();
    let after = volume.space().unwrap();
    assert_eq!((after.free, after.available), (before.free, before.available));
    assert!(reads.into_inner() > 40 && writes.into_inner() > 40);
    let mut bytes = vec![0; 50 * BLOCK];
    neighbour.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 9));
    drop(neighbour);
    volume.close().unwrap();
    assert_sound(&device);
}

/// Writes rising numbers into a block of its own, and files into the root, until the volume is
/// closed; the last number that was written.
fn write_until_closed(volume: &Volume, file: &File, writer: u64, begun: &AtomicBool) -> u64 {
    for number in 1u64.. {
        let bytes: Vec<u8> = number.to_le_bytes().repeat(BLOCK / 8);
        let sync = if number % 16 == 0 { Sync::Durable } else { Sync::Visible };
        match file.write_atomic(writer * BLOCK as u64, &bytes, sync) {
            Ok(()) => begun.store(true, Ordering::Release),
            Err(Error::Stopped(_)) => return number - 1,
            Err(error) => panic!("{error}"),
        }
        if number % 8 == 0 {
            let path = format!("/{writer}");
            let made = volume.create_file(&path, NewFile::default()).map(drop);
            match made.and_then(|()| volume.remove(&path)) {
                Ok(()) => {}
                Err(Error::Stopped(_)) => return number,
                Err(error) => panic!("{error}"),
            }
        }
    }
    unreachable!("numbers do not end")
}

#[test]
fn closing_while_others_write_keeps_all_that_was_written_check() {
    for round in 0..20u64 {
        let device = made();
        let volume = open(&device);
        let file = volume.create_file("/file", NewFile::default()).unwrap();
        file.write_atomic(0, &[0; 4 * BLOCK], Sync::Visible).unwrap();
        let begun = AtomicBool::new(false);
        let last: Vec<u64> = std::thread::scope(|scope| {
            let (volume, file, begun) = (&volume, &file, &begun);
            let write = |writer| move || write_until_closed(volume, file, writer, begun);
            let writers: Vec<_> = (0..4).map(|writer| scope.spawn(write(writer))).collect();
            while !begun.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_micros(200 * (round % 9)));
            volume.clone().close().unwrap();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        drop((file, volume));
        assert_sound(&device);
        let volume = open(&device);
        assert!(volume.recovery().was_clean, "round {round}");
        let file = volume.open_file("/file").unwrap();
        for (writer, last) in last.into_iter().enumerate() {
            let mut bytes = [0; 8];
            file.read_at((writer * BLOCK) as u64, &mut bytes).unwrap();
            assert_eq!(u64::from_le_bytes(bytes), last, "round {round}, writer {writer}");
        }
    }
}

thread_local! {
    /// What a thread keeps until it ends.
    static KEPT: RefCell<Option<Orphan>> = const { RefCell::new(None) };
}

#[test]
fn a_file_without_a_name_goes_with_the_thread_that_kept_it_check() {
    let device = made();
    let volume = open(&device);
    let free = volume.space().unwrap().free;
    std::thread::scope(|scope| {
        let work = || {
            // First of what the thread keeps, this goes last.
            KEPT.set(None);
            let root = volume.lookup("/").unwrap();
            let orphan = volume.make_unnamed(root, NewFile::default()).unwrap();
            orphan.file().unwrap().write_atomic(0, &[7; 9 * BLOCK], Sync::Visible).unwrap();
            KEPT.set(Some(orphan));
        };
        scope.spawn(work).join().unwrap();
    });
    volume.sync().unwrap();
    assert!(volume.space().unwrap().free + 8 >= free, "its blocks came back");
    volume.close().unwrap();
    assert_sound(&device);
}
