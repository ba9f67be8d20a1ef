//! The least volume that options allow, for messages.

use crate::failure::{self, Code, Refusal};
use untorn::mkfs::{self, MkfsError, Options};
use untorn_device::DeviceGeometry;

const MIB: u64 = 1 << 20;
/// Nobody who asked for less wants to hear of more.
const MOST: u64 = 1 << 40;

/// Says how large the volume of a new file has to be, where its size was refused.
pub fn advised(error: anyhow::Error, options: &Options) -> anyhow::Error {
    let is_size = error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(MkfsError::Refused { option: "size", .. }))
    });
    match least(options).filter(|_| is_size) {
        Some(size) => {
            let remedy = format!("-d size={}m is enough", size / MIB);
            Refusal::new(Code::Invalid, failure::told(&error)).or(remedy).into()
        }
        None => error,
    }
}

/// Bytes of the least volume that is larger than the one that was asked for, in whole MiB.
fn least(options: &Options) -> Option<u64> {
    let mut small = options.size? / MIB;
    let mut large = (small + 1).max(8);
    while !can_be(large, options) {
        small = large;
        large = large.checked_mul(2).filter(|&mib| mib <= MOST / MIB)?;
    }
    while large - small > 1 {
        let middle = small.midpoint(large);
        match can_be(middle, options) {
            true => large = middle,
            false => small = middle,
        }
    }
    Some(large * MIB)
}

fn can_be(mib: u64, options: &Options) -> bool {
    let size = mib * MIB;
    let options = Options { size: Some(size), ..options.clone() };
    let device = DeviceGeometry { size, sector_size: 512, memory_alignment: 1, read_only: false };
    mkfs::rehearse(&device, &options).is_ok()
}
