//! Short-form attributes: inside the inode (`xfs_attr_sf_*`). Reading and checking.
//!
//! ```text
//! totsize u16, count u8, pad u8, then count of: namelen u8, valuelen u8, flags u8, name, value
//! ```

use super::{Attr, INCOMPLETE, Namespace, State, Value};
use crate::Fault;
use crate::bytes::{run, view};
use crate::wire::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) const WHAT: &str = "short-form attributes";

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) total: U16,
    pub(crate) count: u8,
    pub(crate) pad: u8,
}
const _: () = assert!(size_of::<Header>() == 4);

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct EntryHeader {
    pub(crate) name_length: u8,
    pub(crate) value_length: u8,
    pub(crate) flags: u8,
}
const _: () = assert!(size_of::<EntryHeader>() == 3);

/// The attributes of an inode that has them inline.
#[derive(Clone, Copy, Debug)]
pub struct Short<'a> {
    bytes: &'a [u8],
    header: &'a Header,
}

impl<'a> Short<'a> {
    /// Reads the header of an attribute fork. `bytes` may be longer than the attributes are.
    /// Faults: cut short.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header: &Header = view(WHAT, bytes, 0)?;
        let total = usize::from(header.total.get());
        if total < size_of::<Header>() {
            return Err(Fault::Field { what: WHAT, field: "totsize", value: total as u64 });
        }
        Ok(Self { bytes: run(WHAT, bytes, 0, total)?, header })
    }
    /// Attributes that there are.
    pub fn count(&self) -> usize {
        self.header.count.into()
    }
    /// Bytes that they take, header included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
    /// The attributes in the order in which they were set; ends after the first fault.
    pub fn attrs(&self) -> Attrs<'a> {
        Attrs { bytes: self.bytes, at: size_of::<Header>(), left: self.header.count }
    }
    /// The attribute called `name`. For parent pointers use [`Self::attrs`]: they may share a name.
    pub fn find(&self, namespace: Namespace, name: &[u8]) -> Result<Option<Attr<'a>>, Fault> {
        for attr in self.attrs() {
            let attr = attr?;
            if attr.namespace == namespace && attr.name == name {
                return Ok(Some(attr));
            }
        }
        Ok(None)
    }
}

/// Attributes of a short form.
#[derive(Clone, Debug)]
pub struct Attrs<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u8,
}

impl<'a> Attrs<'a> {
    fn read(&mut self) -> Result<Attr<'a>, Fault> {
        let header: &EntryHeader = view(WHAT, self.bytes, self.at)?;
        if header.name_length == 0 {
            return Err(Fault::Field { what: WHAT, field: "namelen", value: 0 });
        }
        if header.flags & INCOMPLETE != 0 {
            return Err(Fault::Field { what: WHAT, field: "flags", value: header.flags.into() });
        }
        let namespace = Namespace::of(WHAT, header.flags)?;
        let name_at = self.at + size_of::<EntryHeader>();
        let value_at = name_at + usize::from(header.name_length);
        let name = run(WHAT, self.bytes, name_at, header.name_length.into())?;
        let value = run(WHAT, self.bytes, value_at, header.value_length.into())?;
        self.at = value_at + value.len();
        self.left -= 1;
        Ok(Attr { namespace, name, value: Value::Local(value), state: State::Complete })
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Result<Attr<'a>, Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let attr = self.read();
        if attr.is_err() {
            self.left = 0;
        }
        Some(attr)
    }
}

/// Checks an inline attribute fork; `bytes` is all of the fork.
pub fn verify(bytes: &[u8]) -> Result<(), Fault> {
    let short = Short::parse(bytes)?;
    let mut attrs = short.attrs();
    for attr in attrs.by_ref() {
        attr?;
    }
    if attrs.at == short.size() {
        return Ok(());
    }
    Err(Fault::Field { what: WHAT, field: "totsize", value: short.size() as u64 })
}
