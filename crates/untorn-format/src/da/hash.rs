//! Hashes of names, as directories and attributes index them.

/// The hash of `name` that orders directory leaves and attribute leaves (`xfs_da_hashname`): seven
/// bits of rotation a byte, four bytes at a time.
pub fn hash_name(name: &[u8]) -> u32 {
    let mut words = name.chunks_exact(4);
    let whole = words.by_ref().fold(0u32, |hash, word| fold(word) ^ hash.rotate_left(28));
    match words.remainder() {
        [] => whole,
        rest => fold(rest) ^ whole.rotate_left(7 * rest.len() as u32),
    }
}

/// The hash of volumes with the `asciici` feature: as [`hash_name`], of the name in lower case.
/// Letters are those of ASCII and ISO 8859-1.
pub fn hash_name_ascii_ci(name: &[u8]) -> u32 {
    name.iter().fold(0u32, |hash, &byte| u32::from(lower(byte)) ^ hash.rotate_left(7))
}

fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0u32, |word, &byte| word << 7 ^ u32::from(byte))
}

fn lower(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte + 0x20,
        _ => byte,
    }
}
