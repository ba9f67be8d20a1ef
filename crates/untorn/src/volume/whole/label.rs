//! The label.

use super::copies;
use crate::error::{Error, Result};
use crate::volume::Volume;
use std::sync::Arc;
use untorn_device::BlockDevice;

/// Bytes of the longest label.
const LONGEST: usize = 12;

/// A label: up to twelve bytes, none of them zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label([u8; LONGEST]);

impl Label {
    /// The label `text`; empty for none.
    pub fn new(text: &str) -> Result<Self> {
        let mut label = [0; LONGEST];
        let bytes = text.as_bytes();
        match label.get_mut(..bytes.len()) {
            Some(place) if !bytes.contains(&0) => place.copy_from_slice(bytes),
            _ => {
                return Err(Error::Invalid(format!(
                    "label {text:?}: at most {LONGEST} bytes, none of them zero; choose another"
                )));
            }
        }
        Ok(Self(label))
    }
}

/// Gives the volume on `device` a label, through its journal.
///
/// ```
/// use std::sync::Arc;
/// use untorn::{Label, mkfs, probe, set_label};
/// use untorn_device::MemoryDevice;
///
/// let device = Arc::new(MemoryDevice::new(64 << 20));
/// mkfs::make(&*device, &mkfs::Options::default())?;
/// set_label(device.clone(), Label::new("backup")?)?;
/// assert_eq!(probe(&*device)?.label(), b"backup");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_label(device: Arc<dyn BlockDevice>, label: Label) -> Result<()> {
    let volume = Volume::open(device, super::alone())?;
    copies::edit_all(&volume.core, 0, |superblock| superblock.fname = label.0)?;
    volume.close()
}
