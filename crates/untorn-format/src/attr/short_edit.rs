//! Short-form attributes: making and changing them. Bytes are the attributes and nothing behind
//! them; the caller moves the fork's border in the inode.

use super::short::{EntryHeader, Header, Short, WHAT};
use super::{MAX_NAME, Namespace};
use crate::Fault;
use crate::bytes::{put, view};
use crate::da::Fit;
use crate::wire::U16;
use zerocopy::IntoBytes;

/// Names and values of this many bytes or more never stand in short form
/// (`XFS_ATTR_SF_ENTSIZE_MAX`).
const TOO_LONG: usize = 255;

/// Which attribute is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The one of this name.
    Name(Namespace, &'a [u8]),
    /// The one of this name and value: parent pointers of one name differ in their value.
    NameAndValue(Namespace, &'a [u8], &'a [u8]),
}

/// The short form without attributes.
pub fn init() -> Vec<u8> {
    encode(0, &[])
}

/// Bytes that one more attribute takes; `None` where it may not stand in short form at all.
pub fn size_of_attr(name: &[u8], value: &[u8]) -> Option<usize> {
    let short = name.len() < TOO_LONG && value.len() < TOO_LONG;
    short.then(|| size_of::<EntryHeader>() + name.len() + value.len())
}

/// Adds an attribute that is not there yet. No room, with nothing changed, where it may not stand
/// in short form or the whole would exceed `inline` bytes.
pub fn add(
    bytes: &mut Vec<u8>,
    namespace: Namespace,
    name: &[u8],
    value: &[u8],
    inline: usize,
) -> Result<Fit, Fault> {
    assert!((1..=MAX_NAME).contains(&name.len()), "not a name");
    let short = Short::parse(bytes)?;
    let (count, old) = (short.count(), short.size());
    let size = size_of_attr(name, value).filter(|size| old + size <= inline);
    let (Some(_), Ok(count)) = (size, u8::try_from(count + 1)) else { return Ok(Fit::NoRoom) };
    let byte = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
    let header = EntryHeader {
        name_length: byte(name.len()),
        value_length: byte(value.len()),
        flags: namespace.flag(),
    };
    let mut list = bytes.get(size_of::<Header>()..old).unwrap_or_default().to_vec();
    list.extend(header.as_bytes());
    list.extend(name);
    list.extend(value);
    *bytes = encode(count, &list);
    Ok(Fit::Done)
}

/// Removes an attribute and says what its value was; `None` where there is none such.
pub fn remove(bytes: &mut Vec<u8>, key: Key<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let short = Short::parse(bytes)?;
    let mut at = size_of::<Header>();
    for attr in short.attrs() {
        let attr = attr?;
        let super::Value::Local(value) = attr.value else { continue };
        let size = size_of::<EntryHeader>() + attr.name.len() + value.len();
        let meant = match key {
            Key::Name(space, name) => (space, name) == (attr.namespace, attr.name),
            Key::NameAndValue(space, name, of) => {
                (space, name, of) == (attr.namespace, attr.name, value)
            }
        };
        if meant {
            let value = value.to_vec();
            cut(bytes, at, size)?;
            return Ok(Some(value));
        }
        at += size;
    }
    Ok(None)
}

fn cut(bytes: &mut Vec<u8>, at: usize, size: usize) -> Result<(), Fault> {
    let header: Header = *view(WHAT, bytes, 0)?;
    let total = usize::from(header.total.get());
    bytes.truncate(total);
    bytes.drain(at..at + size);
    let header = head(header.count - 1, bytes.len());
    put(WHAT, bytes, 0, header.as_bytes())
}

fn encode(count: u8, list: &[u8]) -> Vec<u8> {
    let mut bytes = head(count, size_of::<Header>() + list.len()).as_bytes().to_vec();
    bytes.extend(list);
    bytes
}

fn head(count: u8, total: usize) -> Header {
    let Ok(total) = u16::try_from(total) else { panic!("short-form attributes past 64 KiB") };
    Header { total: U16::new(total), count, pad: 0 }
}
