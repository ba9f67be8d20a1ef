//! A window shows exactly its part of the device.

use super::*;
use crate::MemoryDevice;

fn device() -> Arc<MemoryDevice> {
    Arc::new(MemoryDevice::new(1 << 20))
}

#[test]
fn requests_land_at_the_offset() {
    let whole = device();
    let window = WindowDevice::new(whole.clone(), 8192, 4096).unwrap();
    assert_eq!((window.geometry().size, window.offset()), (4096, 8192));
    window.write_at(512, &[1; 512]).unwrap();
    let pair = [
        WriteRequest { offset: 0, bytes: &[2; 512] },
        WriteRequest { offset: 3584, bytes: &[3; 512] },
    ];
    window.write_batch(&pair).unwrap();
    let mut seen = vec![0; 4096];
    whole.read_at(8192, &mut seen).unwrap();
    let firsts: Vec<_> = seen.chunks(512).map(|sector| sector[0]).collect();
    assert_eq!(firsts, [2, 1, 0, 0, 0, 0, 0, 3]);
    let (mut first, mut last) = ([0; 512], [0; 512]);
    let mut requests = [
        ReadRequest { offset: 512, bytes: &mut first },
        ReadRequest { offset: 3584, bytes: &mut last },
    ];
    window.read_batch(&mut requests).unwrap();
    assert_eq!((first, last), ([1; 512], [3; 512]));
    window.discard(0, 512).unwrap();
    window.read_at(0, &mut first).unwrap();
    assert_eq!(first, [0; 512]);
}

#[test]
fn nothing_outside_the_window_can_be_reached() {
    let window = WindowDevice::new(device(), 8192, 4096).unwrap();
    let mut sector = [0; 1024];
    assert!(window.read_at(3584, &mut sector).is_err());
    assert!(window.write_at(4096, &[0; 512]).is_err());
    assert!(window.write_at(u64::MAX - 8191, &[0; 512]).is_err());
    assert!(window.discard(4096, 512).is_err());
    assert!(window.write_batch(&[WriteRequest { offset: 4096, bytes: &[0; 512] }]).is_err());
    let requests = &mut [ReadRequest { offset: 4096, bytes: &mut sector }];
    assert!(window.read_batch(requests).is_err());
}

#[test]
fn windows_outside_the_device_or_across_sectors_are_refused_with_a_reason() {
    let refusal = |offset, length| WindowDevice::new(device(), offset, length).err().unwrap();
    assert!(refusal(1 << 20, 512).to_string().contains("1048576 bytes"));
    assert!(refusal(0, 0).to_string().contains("does not lie inside"));
    assert!(refusal(u64::MAX - 511, 1024).to_string().contains("does not lie inside"));
    assert!(refusal(100, 512).to_string().contains("choose multiples of 512"));
}

#[test]
fn a_window_from_an_offset_reaches_to_the_end() {
    let window = WindowDevice::from_offset(device(), 1 << 19).unwrap();
    assert_eq!(window.geometry().size, 1 << 19);
    assert!(WindowDevice::from_offset(device(), 1 << 20).is_err());
}
