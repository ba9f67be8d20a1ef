//! Block devices: where bytes live. Knows nothing of XFS.
//!
//! A [`BlockDevice`] is an array of bytes with a logical sector size. Writes are volatile until a
//! [`BlockDevice::flush`] that began after they returned has itself returned. All methods take
//! `&self` and may be called from many threads; two writes to the same sectors at the same time
//! leave either content, sector by sector.
//!
//! Devices stack: a [`FileDevice`] owns a regular file or a block node, a [`WindowDevice`] shows a
//! part of another device, an [`OverlayDevice`] keeps writes from reaching it, a [`Latch`] stops
//! it for good at the first failure. [`MemoryDevice`] is a device with snapshots that cost nothing.
//!
//! Never here: knowledge of what the bytes mean, caching of them, or retries after an error.

mod device;
mod error;
mod file;
mod latch;
mod memory;
mod overlay;
pub mod partition;
mod raw;
mod window;

pub use device::{BlockDevice, DeviceGeometry, Discarded, ReadRequest, WriteRequest};
pub use error::{DeviceError, Operation, Result};
pub use file::{Access, Caching, FileDevice, OpenOptions};
pub use latch::Latch;
pub use memory::MemoryDevice;
pub use overlay::OverlayDevice;
pub use raw::{AlignedBuffer, BufferPool, PooledBuffer};
pub use window::WindowDevice;
