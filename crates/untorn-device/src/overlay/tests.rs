//! Writes stay above the base.

use proptest::prelude::*;

use super::*;
use crate::{DeviceError, Discarded, MemoryDevice};

const SECTORS: u64 = 64;

/// A base that can be read and must not be written; its sectors from 32 on cannot be read.
struct Base(MemoryDevice);

impl BlockDevice for Base {
    fn geometry(&self) -> DeviceGeometry {
        DeviceGeometry { read_only: true, ..self.0.geometry() }
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        if offset + bytes.len() as u64 > 32 * 512 {
            return Err(DeviceError::Unusable("unreadable".to_owned()));
        }
        self.0.read_at(offset, bytes)
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        panic!("the base is written to")
    }
    fn flush(&self) -> Result<()> {
        panic!("the base is flushed")
    }
    fn discard(&self, _: u64, _: u64) -> Result<Discarded> {
        panic!("the base is discarded")
    }
}

fn base() -> (Arc<Base>, Vec<u8>) {
    let memory = MemoryDevice::new(SECTORS * 512);
    let bytes: Vec<_> = (0..SECTORS * 512).map(|at| (at / 512) as u8 ^ at as u8).collect();
    memory.write_at(0, &bytes).unwrap();
    (Arc::new(Base(memory)), bytes)
}

proptest! {
    #[test]
    fn reads_see_the_writes_over_the_base_model(
        writes in proptest::collection::vec((0..32_u64, 1..8_u64, any::<u8>()), 0..20),
        reads in proptest::collection::vec((0..32_u64, 0..8_u64), 1..20),
    ) {
        let (base, mut model) = base();
        let overlay = OverlayDevice::new(base);
        for (sector, sectors, byte) in writes {
            let bytes = vec![byte; sectors.min(32 - sector) as usize * 512];
            overlay.write_at(sector * 512, &bytes).unwrap();
            model[sector as usize * 512..][..bytes.len()].copy_from_slice(&bytes);
        }
        overlay.flush().unwrap();
        for (sector, sectors) in reads {
            let mut bytes = vec![0; sectors.min(32 - sector) as usize * 512];
            overlay.read_at(sector * 512, &mut bytes).unwrap();
            prop_assert!(bytes == model[sector as usize * 512..][..bytes.len()]);
        }
    }
}

#[test]
fn what_was_written_is_read_even_where_the_base_is_unreadable() {
    let overlay = OverlayDevice::new(base().0);
    overlay.write_at(40 * 512, &[7; 1024]).unwrap();
    let mut bytes = [0; 1024];
    overlay.read_at(40 * 512, &mut bytes).unwrap();
    assert_eq!((bytes, overlay.written_bytes()), ([7; 1024], 1024));
    assert!(overlay.read_at(41 * 512, &mut bytes).is_err());
}

#[test]
fn a_read_only_base_can_be_written_above() {
    let overlay = OverlayDevice::new(base().0);
    assert!(!overlay.geometry().read_only);
    overlay.discard(0, 4096).unwrap();
    let past = overlay.write_at(SECTORS * 512, &[0; 512]).unwrap_err();
    assert!(matches!(past, DeviceError::OutOfRange { .. }), "{past}");
}
