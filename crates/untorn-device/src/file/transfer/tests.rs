//! Requests longer than a bounce buffer and runs longer than a vectored call.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

fn file() -> File {
    tempfile::tempfile().unwrap()
}

/// Bytes that differ everywhere.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

#[test]
fn a_long_misaligned_request_is_bounced_in_parts() {
    let file = file();
    // No memory at an odd address satisfies this.
    let channel = Channel { file: &file, alignment: 4096 };
    let memory = pattern(3 * BOUNCE_MAX + 512 + 1);
    channel.write(512, &memory[1..]).unwrap();
    let mut back = vec![0; memory.len()];
    channel.read(512, &mut back[1..]).unwrap();
    assert!(back[1..] == memory[1..]);
    assert_eq!(BOUNCE.take().map(|buffer| buffer.len()), Some(BOUNCE_MAX));
}

#[test]
fn a_run_of_more_slices_than_one_call_takes_moves_whole() {
    for (alignment, piece) in [(1, 512), (4096, 512), (4096, 4096)] {
        let file = file();
        let channel = Channel { file: &file, alignment };
        let count = 2 * SLICES_MAX + 3;
        let bytes = pattern(count * piece);
        let offsets = (0_u64..).step_by(piece);
        let run: Vec<_> = offsets
            .clone()
            .zip(bytes.chunks(piece))
            .map(|(offset, bytes)| WriteRequest { offset, bytes })
            .collect();
        channel.write_run(0, &run).unwrap();
        let mut back = vec![0; bytes.len()];
        let mut run: Vec<_> = offsets
            .zip(back.chunks_mut(piece))
            .map(|(offset, bytes)| ReadRequest { offset, bytes })
            .collect();
        channel.read_run(0, &mut run).unwrap();
        assert!(back == bytes);
    }
}

#[test]
fn a_run_past_the_end_of_the_file_is_an_error_not_a_loop() {
    let file = file();
    let channel = Channel { file: &file, alignment: 1 };
    let (mut first, mut second) = ([0; 512], [0; 512]);
    let mut run = [
        ReadRequest { offset: 0, bytes: &mut first },
        ReadRequest { offset: 512, bytes: &mut second },
    ];
    let error = channel.read_run(0, &mut run).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

/// Moves misaligned bytes when its thread ends.
struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        let file = file();
        let channel = Channel { file: &file, alignment: 4096 };
        let mut back = [0; 512];
        channel.write(0, &pattern(513)[1..]).unwrap();
        channel.read(0, &mut back).unwrap();
        assert_eq!(back[..], pattern(513)[1..]);
        MOVED.store(true, Ordering::Release);
    }
}

static MOVED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static LATE: Late = const { Late };
}

#[test]
fn what_a_thread_keeps_until_its_end_may_still_move_bytes() {
    let work = || {
        // First of what the thread keeps, this goes last.
        LATE.with(|_| ());
        with_bounce(512, 512, |bounce| bounce.fill(1));
    };
    std::thread::spawn(work).join().unwrap();
    assert!(MOVED.load(Ordering::Acquire));
}
