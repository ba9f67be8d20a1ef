//! Views of disk bytes as structures of big-endian fields. Never copies, never panics.

use crate::fault::Fault;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use zerocopy::byteorder::big_endian::{U16, U32, U64};

/// The structure `T` at the start of `bytes`; [`Fault::Short`] where they end before it does.
pub fn view<'a, T>(what: &'static str, bytes: &'a [u8]) -> Result<&'a T, Fault>
where
    T: FromBytes + KnownLayout + Immutable,
{
    let have = bytes.len();
    T::ref_from_prefix(bytes).map(|(view, _)| view).map_err(|_| short::<T>(what, have))
}

/// The structure `T` at the start of `bytes`, to be edited in place.
pub fn view_mut<'a, T>(what: &'static str, bytes: &'a mut [u8]) -> Result<&'a mut T, Fault>
where
    T: FromBytes + IntoBytes + KnownLayout,
{
    let have = bytes.len();
    T::mut_from_prefix(bytes).map(|(view, _)| view).map_err(|_| short::<T>(what, have))
}

fn short<T>(what: &'static str, have: usize) -> Fault {
    Fault::Short { what, have, need: size_of::<T>() }
}

/// The big-endian 32-bit number at `offset`; `None` past the end.
#[inline]
pub fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?))
}

/// The big-endian 64-bit number at `offset`; `None` past the end.
#[inline]
pub fn be64(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_be_bytes(field.try_into().ok()?))
}

/// The big-endian 16-bit number at `offset`; `None` past the end.
#[inline]
pub fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_be_bytes(field.try_into().ok()?))
}
