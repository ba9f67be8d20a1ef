//! A device in memory against a plain vector of bytes, and its images in files.

use proptest::prelude::*;

use super::*;

const SIZE: u64 = 300 * 512;

#[derive(Clone, Debug)]
enum Step {
    Write { sector: u64, sectors: u64, byte: u8 },
    Fill { sector: u64, sectors: u64, byte: u8 },
    Discard { sector: u64, sectors: u64 },
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    let place = (0..300_u64).prop_flat_map(|sector| (Just(sector), 0..=(300 - sector).min(40)));
    let byte = prop_oneof![Just(0), any::<u8>()];
    prop_oneof![
        8 => (place.clone(), byte.clone())
            .prop_map(|((sector, sectors), byte)| Step::Write { sector, sectors, byte }),
        2 => (place.clone(), byte)
            .prop_map(|((sector, sectors), byte)| Step::Fill { sector, sectors, byte }),
        1 => place.prop_map(|(sector, sectors)| Step::Discard { sector, sectors }),
        2 => Just(Step::Snapshot),
    ]
}

fn whole(device: &MemoryDevice) -> Vec<u8> {
    let mut bytes = vec![0xEE; device.geometry().size as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Bytes that differ from sector to sector and within each.
fn pattern(length: u64, byte: u8) -> Vec<u8> {
    (0..length).map(|at| if byte == 0 { 0 } else { byte ^ (at % 251) as u8 }).collect()
}

fn play(step: &Step, device: &MemoryDevice, model: &mut [u8]) {
    let (sector, sectors, bytes) = match *step {
        Step::Write { sector, sectors, byte } => {
            let bytes = pattern(sectors * 512, byte);
            device.write_at(sector * 512, &bytes).unwrap();
            (sector, sectors, bytes)
        }
        Step::Fill { sector, sectors, byte } => {
            device.fill(sector * 512, sectors * 512, byte).unwrap();
            (sector, sectors, vec![byte; sectors as usize * 512])
        }
        Step::Discard { sector, sectors } => {
            device.discard(sector * 512, sectors * 512).unwrap();
            (sector, sectors, vec![0; sectors as usize * 512])
        }
        Step::Snapshot => return,
    };
    model[sector as usize * 512..(sector + sectors) as usize * 512].copy_from_slice(&bytes);
}

proptest! {
    #[test]
    fn content_and_snapshots_follow_the_vector_model(
        steps in proptest::collection::vec((step(), any::<prop::sample::Index>()), 1..60)
    ) {
        let mut devices = vec![(MemoryDevice::new(SIZE), vec![0; SIZE as usize])];
        for (step, which) in &steps {
            let which = which.index(devices.len());
            let (device, model) = &mut devices[which];
            play(step, device, model);
            if matches!(step, Step::Snapshot) {
                let copy = (device.snapshot(), model.clone());
                devices.push(copy);
            }
        }
        for (device, model) in &devices {
            prop_assert!(whole(device) == *model);
        }
        for (device, _) in &devices {
            device.discard(0, SIZE).unwrap();
            // The last page is not whole, so it is changed and not given back.
            prop_assert!(device.allocated_bytes() <= 4096);
        }
    }

    #[test]
    fn hashes_are_equal_exactly_for_equal_contents_model(
        steps in proptest::collection::vec(step(), 1..40), cut in any::<prop::sample::Index>()
    ) {
        let device = MemoryDevice::new(SIZE);
        let mut model = vec![0; SIZE as usize];
        for step in &steps[..cut.index(steps.len())] {
            play(step, &device, &mut model);
        }
        let (before, hash) = (model.clone(), device.content_hash());
        let later = device.snapshot();
        for step in &steps[cut.index(steps.len())..] {
            play(step, &later, &mut model);
            prop_assert_eq!(later.content_hash() == hash, model == before);
        }
        let fresh = MemoryDevice::new(SIZE);
        fresh.write_at(0, &model).unwrap();
        prop_assert_eq!(fresh.content_hash(), later.content_hash());
        prop_assert_eq!(device.content_hash(), hash);
    }
}

#[test]
fn a_huge_device_costs_only_what_is_written() {
    let device = MemoryDevice::new(1 << 60);
    device.write_at((1 << 60) - 512, &[7; 512]).unwrap();
    device.discard(0, (1 << 60) - 4096).unwrap();
    assert_eq!(device.allocated_bytes(), 4096);
    device.discard(0, 1 << 60).unwrap();
    assert_eq!((device.allocated_bytes(), device.content_hash()), (0, 0));
}

#[test]
fn zeros_written_to_whole_pages_take_no_memory() {
    let device = MemoryDevice::new(1 << 20);
    device.write_at(0, &[1; 8192]).unwrap();
    device.write_at(4096, &[0; 4096]).unwrap();
    assert_eq!(device.allocated_bytes(), 4096);
    assert_eq!(device.missing_bytes(4096 - 512, 1024), 4096);
}

#[test]
fn a_device_of_one_sector_works() {
    let device = MemoryDevice::new(512);
    device.write_at(0, &[9; 512]).unwrap();
    assert_eq!(whole(&device), [9; 512]);
}

#[test]
fn requests_outside_or_across_sectors_are_refused() {
    let device = MemoryDevice::with_sector_size(1 << 20, 4096);
    let past = device.write_at((1 << 20) - 4096, &[0; 8192]).unwrap_err();
    assert!(matches!(past, crate::DeviceError::OutOfRange { size: 0x10_0000, .. }), "{past}");
    let askew = device.read_at(512, &mut [0; 4096]).unwrap_err();
    assert!(matches!(askew, crate::DeviceError::Misaligned { sector_size: 4096, .. }), "{askew}");
    let wraps = device.discard(u64::MAX - 4095, 8192).unwrap_err();
    assert!(matches!(wraps, crate::DeviceError::OutOfRange { .. }), "{wraps}");
}

#[test]
fn an_image_stored_in_a_file_and_loaded_is_the_same_and_sparse() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let device = MemoryDevice::new((64 << 20) + 1536);
    device.write_at(0, &[1; 512]).unwrap();
    device.write_at(5 << 20, &pattern(3 << 20, 3)).unwrap();
    device.write_at((64 << 20) + 512, &[2; 1024]).unwrap();
    device.store(&path).unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), (64 << 20) + 1536);
    assert!(std::os::unix::fs::MetadataExt::blocks(&metadata) * 512 < 8 << 20);
    let loaded = MemoryDevice::load(&path).unwrap();
    assert_eq!(loaded.content_hash(), device.content_hash());
    assert_eq!(loaded.geometry(), device.geometry());
}

#[test]
fn loading_leaves_out_a_last_part_of_a_sector() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    std::fs::write(&path, vec![5; 1000]).unwrap();
    assert_eq!(whole(&MemoryDevice::load(&path).unwrap()), [5; 512]);
}
