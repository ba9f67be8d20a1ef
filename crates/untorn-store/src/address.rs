//! Maps by device address, inode number and the like.
//!
//! A commit looks buffers up some hundred times; the standard hash of an address costs more than
//! the rest of a lookup. This one is a single multiplication, keyed anew for each map, so that a
//! hostile volume cannot place blocks whose hashes meet.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use untorn_format::DiskAddr;

/// A map by device address.
pub(crate) type AddrMap<V> = HashMap<DiskAddr, V, NumberHash>;

/// Makes hashers with one key.
#[derive(Clone, Copy, Debug)]
pub struct NumberHash {
    key: u64,
}

impl Default for NumberHash {
    fn default() -> Self {
        Self { key: RandomState::new().hash_one(0u64) | 1 }
    }
}

impl BuildHasher for NumberHash {
    type Hasher = NumberHasher;

    fn build_hasher(&self) -> NumberHasher {
        NumberHasher { state: self.key }
    }
}

/// Hashes one number, or a few.
#[derive(Debug)]
pub struct NumberHasher {
    state: u64,
}

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    /// Both halves of a product: each bit depends on all bits of the number and of the key.
    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ self.state) * 0x9E37_79B9_7F4A_7C15;
        self.state = (product >> 64) as u64 ^ product as u64;
    }
}
