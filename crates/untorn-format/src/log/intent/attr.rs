//! Intents to change an extended attribute: ATTRI.

use super::super::bytes::{Reader, Writer, region_length};
use super::super::item::ItemKind;
use super::field;
use crate::fault::Fault;
use crate::units::Ino;

/// Namespace bits (root, secure, parent) and "incomplete".
const FILTER: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 7;
const LONGEST_NAME: usize = 255;
const LONGEST_VALUE: usize = 65536;

/// How an attribute changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttrOp {
    /// Give it this value; it may exist.
    Set(Vec<u8>),
    /// Remove it.
    Remove,
    /// Give it this value; it exists.
    Replace(Vec<u8>),
    /// Add a parent pointer with this value.
    SetParent(Vec<u8>),
    /// Remove the parent pointer with this value.
    RemoveParent(Vec<u8>),
    /// Replace the parent pointer: its value, then the name and value of the one that replaces it.
    ReplaceParent {
        /// Value of the one that is replaced.
        old_value: Vec<u8>,
        /// Name of the new one.
        new_name: Vec<u8>,
        /// Value of the new one.
        new_value: Vec<u8>,
    },
}

/// A change of an extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttrUpdate {
    /// Whose attribute it is.
    pub ino: Ino,
    /// The inode's generation; zero for attributes that are not parent pointers.
    pub generation: u32,
    /// The attribute's flags: namespace and "incomplete", as attribute entries have them.
    pub filter: u8,
    /// Its name.
    pub name: Vec<u8>,
    /// How it changes.
    pub op: AttrOp,
}

/// Lengths that the format structure gives.
struct Lengths {
    name: usize,
    new_name: usize,
    value: usize,
}

impl AttrUpdate {
    /// Reads an update from behind the generation and the id of its format structure.
    pub(super) fn read(
        generation: u32,
        reader: &mut Reader<'_>,
        regions: &[&[u8]],
    ) -> Result<Self, Fault> {
        let ino = Ino(reader.u64()?);
        let op = reader.u32()?;
        let names = reader.u32()?;
        let value = reader.u32()? as usize;
        let filter = reader.u32()?;
        let [first, second] = [names & 0xffff, names >> 16].map(|length| length as usize);
        let lengths = match op {
            6 => Lengths { name: first, new_name: second, value },
            1..=5 => Lengths { name: names as usize, new_name: 0, value },
            _ => return Err(field("alfi_op_flags", op)),
        };
        let bad_filter = field("alfi_attr_filter", filter);
        let filter = u8::try_from(filter & FILTER).ok().filter(|&f| u32::from(f) == filter);
        let filter = filter.ok_or(bad_filter)?;
        let mut strings = Strings { regions: regions.get(1..).unwrap_or_default().iter() };
        let (name, op) = strings.read(op, &lengths)?;
        Ok(Self { ino, generation, filter, name, op })
    }
    pub(super) fn encode(&self, id: u64) -> Vec<Vec<u8>> {
        let none: &[u8] = &[];
        let (op, new_name, values): (u32, &[u8], Vec<&[u8]>) = match &self.op {
            AttrOp::Set(value) => (1, none, vec![value]),
            AttrOp::Remove => (2, none, vec![]),
            AttrOp::Replace(value) => (3, none, vec![value]),
            AttrOp::SetParent(value) => (4, none, vec![value]),
            AttrOp::RemoveParent(value) => (5, none, vec![value]),
            AttrOp::ReplaceParent { old_value, new_name, new_value } => {
                (6, new_name, vec![old_value, new_value])
            }
        };
        let strings = [self.name.as_slice(), new_name].into_iter().chain(values.iter().copied());
        let strings: Vec<Vec<u8>> = strings.filter(|s| !s.is_empty()).map(padded).collect();
        let value = values.first().map_or(0, |value| value.len());
        let format = Writer::item(ItemKind::AttrIntent.code(), 1 + strings.len())
            .u32(self.generation)
            .u64(id)
            .u64(self.ino.0)
            .u32(op)
            .u16(self.name.len() as u16)
            .u16(new_name.len() as u16)
            .u32(value as u32)
            .u32(self.filter.into())
            .done();
        std::iter::once(format).chain(strings).collect()
    }
}

/// The regions behind the format structure: names, then values, each padded to 4 bytes.
struct Strings<'a> {
    regions: std::slice::Iter<'a, &'a [u8]>,
}

impl Strings<'_> {
    fn next(
        &mut self,
        length: usize,
        longest: usize,
        what: &'static str,
    ) -> Result<Vec<u8>, Fault> {
        if length > longest {
            return Err(field(what, length as u64));
        }
        let region = self.regions.next().copied().unwrap_or_default();
        let need = region_length(length);
        let whole = region.get(..length).filter(|_| region.len() == need);
        whole.map(<[u8]>::to_vec).ok_or(Fault::Short {
            what: super::NAME,
            have: region.len(),
            need,
        })
    }
    fn name(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        match length {
            0 => Err(field("alfi_name_len", 0u32)),
            _ => self.next(length, LONGEST_NAME, "alfi_name_len"),
        }
    }
    fn value(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        match length {
            0 => Ok(Vec::new()),
            _ => self.next(length, LONGEST_VALUE, "alfi_value_len"),
        }
    }
    fn read(&mut self, op: u32, lengths: &Lengths) -> Result<(Vec<u8>, AttrOp), Fault> {
        let name = self.name(lengths.name)?;
        let op = match op {
            1 => AttrOp::Set(self.value(lengths.value)?),
            2 => AttrOp::Remove,
            3 => AttrOp::Replace(self.value(lengths.value)?),
            4 => AttrOp::SetParent(self.value(lengths.value)?),
            5 => AttrOp::RemoveParent(self.value(lengths.value)?),
            _ => {
                let new_name = self.name(lengths.new_name)?;
                let old_value = self.value(lengths.value)?;
                let new_value = self.value(lengths.value)?;
                AttrOp::ReplaceParent { old_value, new_name, new_value }
            }
        };
        Ok((name, op))
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(region_length(bytes.len()), 0);
    bytes
}
