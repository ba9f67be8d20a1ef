//! Typed views into byte slices at an offset. Every access is checked: bytes that are not there are
//! [`Fault::Short`], never a panic.

use crate::Fault;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Marker for the plain on-disk types that may be viewed in place: any bytes are a value, and
/// alignment does not matter.
pub(crate) trait Plain: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned {}
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned> Plain for T {}

fn short(what: &'static str, have: usize, need: usize) -> Fault {
    Fault::Short { what, have, need }
}

/// The `T` that begins at byte `at`.
pub(crate) fn view<'a, T: Plain>(
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
) -> Result<&'a T, Fault> {
    let fault = short(what, bytes.len(), at.saturating_add(size_of::<T>()));
    let tail = bytes.get(at..).ok_or_else(|| fault.clone())?;
    T::ref_from_prefix(tail).map(|(value, _)| value).map_err(|_| fault)
}

/// The `T` that begins at byte `at`, to be changed.
pub(crate) fn view_mut<'a, T: Plain>(
    what: &'static str,
    bytes: &'a mut [u8],
    at: usize,
) -> Result<&'a mut T, Fault> {
    let fault = short(what, bytes.len(), at.saturating_add(size_of::<T>()));
    let tail = bytes.get_mut(at..).ok_or_else(|| fault.clone())?;
    T::mut_from_prefix(tail).map(|(value, _)| value).map_err(|_| fault)
}

/// The `count` values of `T` that begin at byte `at`.
pub(crate) fn array<'a, T: Plain>(
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
    count: usize,
) -> Result<&'a [T], Fault> {
    let need = at.saturating_add(count.saturating_mul(size_of::<T>()));
    let fault = short(what, bytes.len(), need);
    let tail = bytes.get(at..need).ok_or_else(|| fault.clone())?;
    <[T]>::ref_from_bytes(tail).map_err(|_| fault)
}

/// The `length` bytes that begin at `at`.
pub(crate) fn run<'a>(
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
    length: usize,
) -> Result<&'a [u8], Fault> {
    let need = at.saturating_add(length);
    bytes.get(at..need).ok_or_else(|| short(what, bytes.len(), need))
}

/// Writes `value` at byte `at`.
pub(crate) fn put(
    what: &'static str,
    bytes: &mut [u8],
    at: usize,
    value: &[u8],
) -> Result<(), Fault> {
    let (have, need) = (bytes.len(), at.saturating_add(value.len()));
    let place = bytes.get_mut(at..need).ok_or_else(|| short(what, have, need))?;
    place.copy_from_slice(value);
    Ok(())
}
