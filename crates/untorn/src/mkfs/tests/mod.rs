//! Volumes made here: read back through the format layer, refused, forced, damaged by no option.

mod least_log;
mod old;
mod read_back;
mod refused;

use untorn_device::MemoryDevice;

use super::{Contents, Made, Options, make};

const MIB: u64 = 1 << 20;

/// A volume in new memory.
fn made(mib: u64, options: Options) -> (MemoryDevice, Made) {
    let device = MemoryDevice::new(mib * MIB);
    let options = Options { contents: Contents::Zeroed, ..options };
    let made = make(&device, &options).unwrap();
    (device, made)
}
