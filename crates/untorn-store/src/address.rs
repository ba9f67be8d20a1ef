//! Maps by device address.
//!
//! A commit looks buffers up some hundred times; the standard hash of an address costs more than
//! the rest of a lookup. This one is a single multiplication, keyed anew for each map, so that a
//! hostile volume cannot place blocks whose hashes meet.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use untorn_format::DiskAddr;

/// A map by device address.
pub(crate) type AddrMap<V> = HashMap<DiskAddr, V, AddrHash>;

/// Makes hashers with one key.
#[derive(Clone, Copy)]
pub(crate) struct AddrHash {
    key: u64,
}

impl Default for AddrHash {
    fn default() -> Self {
        Self { key: RandomState::new().hash_one(0u64) | 1 }
    }
}

impl BuildHasher for AddrHash {
    type Hasher = AddrHasher;

    fn build_hasher(&self) -> AddrHasher {
        AddrHasher { state: self.key }
    }
}

/// Hashes one number.
pub(crate) struct AddrHasher {
    state: u64,
}

impl Hasher for AddrHasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    /// Both halves of a product: each bit depends on all bits of the number and of the key.
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ self.state) * 0x9E37_79B9_7F4A_7C15;
        self.state = (product >> 64) as u64 ^ product as u64;
    }
}
