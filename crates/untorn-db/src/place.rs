//! A place on the volume: its bytes, read whole and raw, and what they are read as.

use crate::kind::Type;
use crate::shape::Shape;
use crate::{Result, refuse};
use untorn_device::BlockDevice;
use untorn_format::{AgNumber, DiskAddr, Ino};

/// Most bytes of a place: a directory block of 64 KiB, with room.
const MOST: usize = 1 << 17;

/// A place.
#[derive(Clone)]
pub struct Place {
    /// What its bytes are read as.
    pub kind: Option<Type>,
    /// Byte of the volume where it begins.
    pub from: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The inode that was looked at last.
    pub inode: Option<Current>,
}

/// The inode that was looked at last.
#[derive(Clone, Copy)]
pub struct Current {
    pub ino: Ino,
    /// Kind and permissions.
    pub mode: u16,
}

/// The volume that places lie on.
pub struct Volume<'a> {
    pub device: &'a dyn BlockDevice,
    pub shape: Shape,
}

impl Volume<'_> {
    /// `length` bytes from byte `from` of the volume.
    pub fn read(&self, from: u64, length: usize) -> Result<Vec<u8>> {
        let geometry = self.device.geometry();
        let sector = u64::from(geometry.sector_size.max(1));
        let end = from.checked_add(length as u64);
        let Some(end) = end.filter(|&end| end <= geometry.size && length <= MOST) else {
            return refuse(format!("byte {from} lies past the end of the device"));
        };
        let (first, last) = (from / sector * sector, end.next_multiple_of(sector));
        if last > geometry.size {
            return refuse(format!("byte {from} lies in the last, broken sector of the device"));
        }
        let mut bytes = vec![0; (last - first) as usize];
        self.device.read_at(first, &mut bytes)?;
        bytes.drain(..(from - first) as usize);
        bytes.truncate(length);
        Ok(bytes)
    }
    /// Bytes that a structure of this type has.
    pub fn length(&self, kind: Type) -> usize {
        let geometry = &self.shape.geometry;
        match kind {
            Type::Sb | Type::Agf | Type::Agi | Type::Agfl => geometry.sector_size(),
            Type::Inode => geometry.inode_size(),
            Type::Dir3 => geometry.dir_block_size(),
            _ => geometry.block_size(),
        }
    }
    /// The AG that a place lies in.
    pub fn group(&self, place: &Place) -> Result<AgNumber> {
        let addr = DiskAddr(place.from >> 9);
        match self.shape.geometry.block_at(addr) {
            Some((ag, _)) => Ok(ag),
            None => refuse("this place lies in no AG"),
        }
    }
}

impl Place {
    /// The bytes of the structure itself: some share their place with others.
    pub fn structure(&self) -> &[u8] {
        let size = match self.kind {
            Some(Type::Dqblk) => 136,
            _ => self.bytes.len(),
        };
        self.bytes.get(..size).unwrap_or(&self.bytes)
    }
}
