//! Regular files as devices: what they say, what they keep, who else may have them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::AlignedBuffer;

const SECTORS: u64 = 256;
const SIZE: u64 = SECTORS * 512;

fn scratch() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    (directory, path)
}

fn refusal(outcome: Result<FileDevice>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn what_is_written_is_in_the_file_after_a_flush() {
    let (_directory, path) = scratch();
    let device = FileDevice::create(&path, SIZE).unwrap();
    device.write_at(1024, &[5; 512]).unwrap();
    device.flush().unwrap();
    drop(device);
    let bytes = fs::read(&path).unwrap();
    assert_eq!((bytes.len() as u64, &bytes[1024..1536]), (SIZE, &[5; 512][..]));
    let again = FileDevice::open(&path, Access::ReadOnly).unwrap();
    let mut sector = [0; 512];
    again.read_at(1024, &mut sector).unwrap();
    assert_eq!(sector, [5; 512]);
}

#[test]
fn a_read_only_device_refuses_writes() {
    let (_directory, path) = scratch();
    drop(FileDevice::create(&path, SIZE).unwrap());
    let device = FileDevice::open(&path, Access::ReadOnly).unwrap();
    assert!(device.geometry().read_only);
    assert!(matches!(device.write_at(0, &[0; 512]), Err(DeviceError::ReadOnly)));
    assert!(matches!(device.discard(0, 512), Err(DeviceError::ReadOnly)));
    device.flush().unwrap();
}

#[test]
fn the_size_is_whole_sectors_of_the_size_asked_for() {
    let (_directory, path) = scratch();
    fs::write(&path, vec![0; 10_000]).unwrap();
    let open = |options: OpenOptions| options.open(&path).unwrap().geometry();
    assert_eq!(open(OpenOptions::new(Access::ReadOnly)).size, 9728);
    let large = open(OpenOptions::new(Access::ReadOnly).sector_size(4096));
    assert_eq!((large.size, large.sector_size), (8192, 4096));
}

#[test]
fn an_order_for_the_page_cache_is_followed() {
    let (_directory, path) = scratch();
    drop(FileDevice::create(&path, SIZE).unwrap());
    let options = OpenOptions::new(Access::ReadWrite).caching(Caching::Buffered);
    let device = options.open(&path).unwrap();
    assert_eq!((device.caching(), device.geometry().memory_alignment), (Caching::Buffered, 1));
}

#[test]
fn unusable_things_are_refused_with_a_reason() {
    let (directory, path) = scratch();
    let none = refusal(FileDevice::open(&path, Access::ReadOnly));
    assert!(none.contains("image: No such file"), "{none}");
    let folder = refusal(FileDevice::open(directory.path(), Access::ReadOnly));
    assert!(folder.contains("neither a regular file nor a block device"), "{folder}");
    fs::write(&path, [0; 100]).unwrap();
    let small = refusal(FileDevice::open(&path, Access::ReadOnly));
    assert!(small.contains("smaller than one sector"), "{small}");
    let options = OpenOptions::new(Access::ReadOnly).sector_size(520);
    assert!(refusal(options.open(&path)).contains("not a power of two"));
    let exists = refusal(FileDevice::create(&path, SIZE));
    assert!(exists.contains("File exists"), "{exists}");
}

#[test]
fn a_file_that_is_cut_off_under_us_gives_an_error_that_names_the_place() {
    let (_directory, path) = scratch();
    let device = FileDevice::create(&path, SIZE).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
    let error = device.read_at(8192, &mut [0; 512]).unwrap_err();
    assert!(error.to_string().contains("Read of 512 bytes at byte 8192 failed"), "{error}");
    let error = device.read_at(3584, &mut [0; 1024]).unwrap_err();
    assert!(matches!(error, DeviceError::Io { offset: 3584, length: 1024, .. }), "{error}");
}

#[test]
fn readers_share_a_file_and_a_writer_has_it_alone() {
    let (_directory, path) = scratch();
    let writer = FileDevice::create(&path, SIZE).unwrap();
    let holder = format!("process {} (", std::process::id());
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let message = refusal(FileDevice::open(&path, access));
        assert!(message.contains("is in use by") && message.contains(&holder), "{message}");
    }
    drop(writer);
    let readers = [(); 2].map(|()| FileDevice::open(&path, Access::ReadOnly).unwrap());
    assert!(matches!(FileDevice::open(&path, Access::ReadWrite), Err(DeviceError::Busy(_))));
    drop(readers);
    FileDevice::open(&path, Access::ReadWrite).unwrap();
}

#[test]
fn a_device_that_is_gone_holds_nothing_even_if_its_descriptor_was_inherited() {
    let (_directory, path) = scratch();
    let device = FileDevice::create(&path, SIZE).unwrap();
    let inherited = device.file.try_clone().unwrap();
    drop(device);
    FileDevice::open(&path, Access::ReadWrite).unwrap();
    drop(inherited);
}

const HOLD: &str = "UNTORN_TEST_HOLD";

/// Not a test of its own: the other process of the next one.
#[test]
fn holder() {
    let Some(path) = std::env::var_os(HOLD) else { return };
    let _device = FileDevice::open(path, Access::ReadWrite).unwrap();
    println!("\nheld");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_file_held_by_another_process_is_refused_by_the_name_of_that_process() {
    let (_directory, path) = scratch();
    drop(FileDevice::create(&path, SIZE).unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::tests::holder", "--nocapture"])
        .env(HOLD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"));
    let message = refusal(FileDevice::open(&path, Access::ReadWrite));
    assert!(message.contains(&format!("process {} (", child.id())), "{message}");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
    FileDevice::open(&path, Access::ReadWrite).unwrap();
}

#[test]
fn a_file_with_somebody_elses_record_lock_is_not_written() {
    let (_directory, path) = scratch();
    drop(FileDevice::create(&path, SIZE).unwrap());
    let other = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&other, lock).unwrap();
    let message = refusal(FileDevice::open(&path, Access::ReadWrite));
    assert!(message.contains("is in use by"), "{message}");
    drop(other);
    FileDevice::open(&path, Access::ReadWrite).unwrap();
}

#[test]
fn discarded_bytes_read_as_something_and_the_rest_stays() {
    let (_directory, path) = scratch();
    let device = FileDevice::create(&path, SIZE).unwrap();
    device.write_at(0, &vec![3; SIZE as usize]).unwrap();
    device.discard(8192, 4096).unwrap();
    device.discard(0, 0).unwrap();
    let mut bytes = vec![0; SIZE as usize];
    device.read_at(0, &mut bytes).unwrap();
    assert!(bytes[..8192].iter().chain(&bytes[12288..]).all(|&byte| byte == 3));
}

/// A request's place and the distance of its memory from an aligned address.
fn requests() -> impl Strategy<Value = Vec<(u64, u64, usize)>> {
    let place = (0..SECTORS).prop_flat_map(|at| (Just(at), 0..=(SECTORS - at).min(12)));
    let shift = prop_oneof![Just(0), Just(512), 1..4096_usize];
    let alone = (place, shift.clone()).prop_map(|((at, length), shift)| vec![(at, length, shift)]);
    let run = (0..100_u64, proptest::collection::vec((0..10_u64, shift), 1..10));
    let run = run.prop_map(|(mut at, pieces)| {
        let place = |(length, shift)| {
            at += length;
            (at - length, length, shift)
        };
        pieces.into_iter().map(place).collect()
    });
    proptest::collection::vec(prop_oneof![alone, run], 1..6).prop_map(|lists| lists.concat())
}

/// `PROPTEST_CASES` makes a soak of it.
fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(48),
    }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn single_requests_and_batches_at_any_memory_alignment_follow_the_vector_model(
        writes in requests(), reads in requests(), batch in any::<bool>(), direct in any::<bool>()
    ) {
        let (_directory, path) = scratch();
        let caching = if direct { Caching::Direct } else { Caching::Buffered };
        let options = OpenOptions::new(Access::ReadWrite).caching(caching);
        let device = options.create(&path, SIZE).unwrap();
        let mut model = vec![0; SIZE as usize];
        let mut memory: Vec<_> = (1_u8..).zip(&writes).map(|(byte, &(_, length, shift))| {
            let mut memory = AlignedBuffer::zeroed(shift + length as usize * 512, 4096);
            memory.iter_mut().enumerate().for_each(|(at, slot)| *slot = byte ^ at as u8);
            memory
        }).collect();
        // A file does a batch in order, so the last of two writes of a sector counts.
        let requests: Vec<_> = memory.iter().zip(&writes)
            .map(|(memory, &(at, _, shift))| (at * 512, &memory[shift..]))
            .map(|(offset, bytes)| WriteRequest { offset, bytes })
            .collect();
        for request in &requests {
            model[request.offset as usize..][..request.bytes.len()].copy_from_slice(request.bytes);
        }
        if batch {
            device.write_batch(&requests).unwrap();
        } else {
            requests.iter().try_for_each(|r| device.write_at(r.offset, r.bytes)).unwrap();
        }
        memory = reads.iter()
            .map(|&(_, length, shift)| AlignedBuffer::zeroed(shift + length as usize * 512, 4096))
            .collect();
        let mut requests: Vec<_> = memory.iter_mut().zip(&reads)
            .map(|(memory, &(at, _, shift))| (at * 512, &mut memory[shift..]))
            .map(|(offset, bytes)| ReadRequest { offset, bytes })
            .collect();
        if batch {
            device.read_batch(&mut requests).unwrap();
        } else {
            requests.iter_mut().try_for_each(|r| device.read_at(r.offset, r.bytes)).unwrap();
        }
        for request in requests {
            let expected = &model[request.offset as usize..][..request.bytes.len()];
            prop_assert!(*request.bytes == *expected);
        }
        prop_assert!(fs::read(&path).unwrap() == model);
    }
}
