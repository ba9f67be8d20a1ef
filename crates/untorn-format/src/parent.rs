//! Parent pointers: attributes that say which directories name an inode, and how
//! (`xfs_parent_rec`). The attribute's name is the name in the directory; its value is the
//! directory.

use crate::bytes::view;
use crate::da::hash_name;
use crate::wire::{U32, U64};
use crate::{Fault, Ino};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const WHAT: &str = "parent pointer";
/// Bytes of a parent pointer's value.
pub const VALUE_SIZE: usize = 12;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Record {
    ino: U64,
    generation: U32,
}
const _: () = assert!(size_of::<Record>() == VALUE_SIZE);

/// The value of a pointer to the directory `parent` whose inode has `generation`.
pub fn encode_value(parent: Ino, generation: u32) -> [u8; VALUE_SIZE] {
    let record = Record { ino: U64::new(parent.0), generation: U32::new(generation) };
    zerocopy::transmute!(record)
}

/// Directory and generation of a value. Faults: another length.
pub fn decode_value(value: &[u8]) -> Result<(Ino, u32), Fault> {
    if value.len() != VALUE_SIZE {
        return Err(Fault::Field { what: WHAT, field: "valuelen", value: value.len() as u64 });
    }
    let record: &Record = view(WHAT, value, 0)?;
    Ok((Ino(record.ino.get()), record.generation.get()))
}

/// The hash of the attribute: that of the name, with both halves of the directory's number mixed
/// in so that hard links of one name in many directories spread.
pub fn hash(name: &[u8], parent: Ino) -> u32 {
    hash_name(name) ^ (parent.0 >> 32) as u32 ^ parent.0 as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_its_directory_and_generation() {
        let value = encode_value(Ino(0x1_0000_0083), 0xabcd);
        assert_eq!(value, [0, 0, 0, 1, 0, 0, 0, 0x83, 0, 0, 0xab, 0xcd]);
        assert_eq!(decode_value(&value), Ok((Ino(0x1_0000_0083), 0xabcd)));
        assert!(decode_value(&value[..11]).is_err());
        assert_eq!(hash(b"abcd", Ino(0x1_0000_0083)), 0xc38b1e4 ^ 1 ^ 0x83);
    }
}
