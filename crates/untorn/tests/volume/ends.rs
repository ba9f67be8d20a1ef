//! What is left of a volume that ended.

use super::{assert_sound, made, open};
use std::sync::Arc;
use untorn::{NewFile, Sync};

#[test]
fn an_abandoned_volume_lets_go_of_its_device_check() {
    let device = made();
    let volume = open(&device);
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_at(0, &[1; 100_000], Sync::Durable).unwrap();
    // Blocks are freed, and the journal does not say so yet.
    file.truncate(0).unwrap();
    drop(file);
    volume.abandon();
    assert_eq!(Arc::strong_count(&device), 1, "nobody has the device any more");
    open(&device).close().unwrap();
    assert_eq!(Arc::strong_count(&device), 1);
    assert_sound(&device);
}
