//! Blocks of attributes that were freed belong to whoever has them next, also in a replay.

use super::*;

/// Fills the volume with one file and makes it durable; its bytes.
fn fill_volume(bench: &Bench) -> Vec<u8> {
    let file = bench.volume.create_file("/all", NewFile::default()).unwrap();
    let bytes = vec![0xab; 4096];
    let mut size = 0;
    while file.write_atomic(size, &bytes, Sync::Visible).is_ok() {
        size += bytes.len() as u64;
    }
    assert!(size > 20 << 20, "the volume is full: {size} bytes");
    file.sync().unwrap();
    vec![0xab; size as usize]
}

/// Leaves the journal as a power cut would and opens the volume again.
fn cut(bench: Bench) -> Bench {
    let Bench { device, volume, ino, model } = bench;
    volume.sync().unwrap();
    volume.abandon();
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    assert!(!volume.recovery().was_clean, "the journal was replayed");
    Bench { device, volume, ino, model }
}

fn survives(free: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::new(&options(4096, 512));
    for number in 0..200u64 {
        bench.set(format!("attribute-{number}").as_bytes(), &[9; 60]);
    }
    bench.set(b"value", &[9; 30_000]);
    bench.volume.sync().unwrap();
    free(&mut bench);
    bench.volume.sync().unwrap();
    let bytes = fill_volume(&bench);
    let bench = cut(bench);
    let file = bench.volume.open_file("/all").unwrap();
    let mut found = vec![0; bytes.len()];
    assert_eq!(file.read_at(0, &mut found).unwrap(), bytes.len());
    let differs = found.iter().zip(&bytes).position(|(a, b)| a != b);
    assert_eq!(differs, None, "a replay wrote over the file");
    drop(file);
    let Bench { device, volume, ino, model } = bench;
    volume.close().unwrap();
    let opened: Arc<dyn BlockDevice> = device.clone();
    let volume = Volume::open(opened, OpenOptions::default()).unwrap();
    Bench { device, volume, ino, model }.check("after the replay");
}

#[test]
fn blocks_of_removed_attributes_are_not_replayed_over_data() {
    survives(|bench| {
        for (_, name) in bench.model.clone().into_keys() {
            bench.remove(&name);
        }
    });
}

#[test]
fn blocks_of_attributes_of_a_removed_file_are_not_replayed_over_data() {
    survives(|bench| bench.volume.remove("/file").unwrap());
}
