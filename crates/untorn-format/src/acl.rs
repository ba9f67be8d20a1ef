//! POSIX access control lists: as inodes store them (attributes `SGI_ACL_FILE` and
//! `SGI_ACL_DEFAULT`), and as system calls carry them (`system.posix_acl_access`).
//!
//! ```text
//! stored   big endian     count:32, then of each entry tag:32 id:32 permissions:16 pad:16
//! carried  little endian  version:32 = 2, then of each entry tag:16 permissions:16 id:32
//! ```

use crate::Fault;
use crate::wire::{U16, U32};
use zerocopy::byteorder::little_endian as le;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const WHAT: &str = "access control list";
/// The attribute of the list that says who may do what, in the namespace of `trusted`.
pub const ACCESS_NAME: &[u8] = b"SGI_ACL_FILE";
/// The attribute of the list that a directory hands down.
pub const DEFAULT_NAME: &[u8] = b"SGI_ACL_DEFAULT";
/// Most entries: what the longest attribute holds.
const MAX_ENTRIES: usize = (crate::attr::MAX_VALUE - size_of::<u32>()) / size_of::<Stored>();
/// What stands for the number of those who have none.
const NO_ID: u32 = u32::MAX;
const CARRIED_VERSION: u32 = 2;

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The file's owner.
    Owner,
    /// This user.
    User(u32),
    /// The file's group.
    OwningGroup,
    /// This group.
    Group(u32),
    /// The most that users, groups and the file's group get.
    Mask,
    /// All others.
    Others,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Who.
    pub who: Who,
    /// Read 4, write 2, execute 1.
    pub permissions: u8,
}

/// A list that holds together: an owner, a group, others, and a mask where it has more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    entries: Vec<AclEntry>,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Stored {
    tag: U32,
    id: U32,
    permissions: U16,
    pad: U16,
}
const _: () = assert!(size_of::<Stored>() == 12);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Carried {
    tag: le::U16,
    permissions: le::U16,
    id: le::U32,
}
const _: () = assert!(size_of::<Carried>() == 8);

fn fault(field: &'static str, value: impl Into<u64>) -> Fault {
    Fault::Field { what: WHAT, field, value: value.into() }
}

impl Who {
    fn of(tag: u32, id: u32) -> Result<Self, Fault> {
        Ok(match tag {
            0x01 => Self::Owner,
            0x02 => Self::User(id),
            0x04 => Self::OwningGroup,
            0x08 => Self::Group(id),
            0x10 => Self::Mask,
            0x20 => Self::Others,
            _ => return Err(fault("tag", tag)),
        })
    }

    fn tag(self) -> u16 {
        match self {
            Self::Owner => 0x01,
            Self::User(_) => 0x02,
            Self::OwningGroup => 0x04,
            Self::Group(_) => 0x08,
            Self::Mask => 0x10,
            Self::Others => 0x20,
        }
    }

    fn id(self) -> u32 {
        match self {
            Self::User(id) | Self::Group(id) => id,
            _ => NO_ID,
        }
    }
}

fn entry(tag: u32, id: u32, permissions: u16) -> Result<AclEntry, Fault> {
    match u8::try_from(permissions) {
        Ok(bits @ 0..=7) => Ok(AclEntry { who: Who::of(tag, id)?, permissions: bits }),
        _ => Err(fault("permissions", permissions)),
    }
}

impl Acl {
    /// The list of these entries, in any order. Faults: an entry twice or missing.
    pub fn new(mut entries: Vec<AclEntry>) -> Result<Self, Fault> {
        entries.sort_by_key(|entry| entry.who);
        let twice = entries.iter().zip(entries.iter().skip(1)).find(|(a, b)| a.who == b.who);
        if let Some((entry, _)) = twice {
            return Err(fault("entry twice", entry.who.tag()));
        }
        if let Some(entry) = entries.iter().find(|entry| entry.permissions > 7) {
            return Err(fault("permissions", entry.permissions));
        }
        let has = |who| entries.iter().any(|entry| entry.who == who);
        let named = entries.iter().any(|e| matches!(e.who, Who::User(_) | Who::Group(_)));
        let needed = [Who::Owner, Who::OwningGroup, Who::Others].into_iter();
        if let Some(who) = needed.chain(named.then_some(Who::Mask)).find(|&who| !has(who)) {
            return Err(fault("entry missing", who.tag()));
        }
        if entries.len() > MAX_ENTRIES {
            return Err(fault("count", entries.len() as u64));
        }
        Ok(Self { entries })
    }

    /// The entries in order.
    pub fn entries(&self) -> &[AclEntry] {
        &self.entries
    }

    /// Reads the value of an attribute.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let short = |have| Fault::Short { what: WHAT, have, need: size_of::<U32>() };
        let (count, rest) = U32::ref_from_prefix(bytes).map_err(|_| short(bytes.len()))?;
        let count = count.get();
        let stored = <[Stored]>::ref_from_bytes(rest).ok();
        let stored = stored.filter(|s| u32::try_from(s.len()) == Ok(count));
        let stored = stored.ok_or_else(|| fault("acl_cnt", count))?;
        let read = |s: &Stored| entry(s.tag.get(), s.id.get(), s.permissions.get());
        Self::new(stored.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The value of an attribute.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = U32::new(self.entries.len() as u32).as_bytes().to_vec();
        for AclEntry { who, permissions } in &self.entries {
            let stored = Stored {
                tag: U32::new(who.tag().into()),
                id: U32::new(who.id()),
                permissions: U16::new((*permissions).into()),
                pad: U16::new(0),
            };
            bytes.extend(stored.as_bytes());
        }
        bytes
    }

    /// Reads what a system call carries.
    pub fn decode_carried(bytes: &[u8]) -> Result<Self, Fault> {
        let short = |have| Fault::Short { what: WHAT, have, need: size_of::<le::U32>() };
        let (version, rest) = le::U32::ref_from_prefix(bytes).map_err(|_| short(bytes.len()))?;
        if version.get() != CARRIED_VERSION {
            return Err(fault("version", version.get()));
        }
        let carried = <[Carried]>::ref_from_bytes(rest);
        let carried = carried.map_err(|_| fault("length", bytes.len() as u64))?;
        let read = |c: &Carried| entry(c.tag.get().into(), c.id.get(), c.permissions.get());
        Self::new(carried.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// What a system call carries.
    pub fn encode_carried(&self) -> Vec<u8> {
        let mut bytes = le::U32::new(CARRIED_VERSION).as_bytes().to_vec();
        for AclEntry { who, permissions } in &self.entries {
            let carried = Carried {
                tag: le::U16::new(who.tag()),
                permissions: le::U16::new((*permissions).into()),
                id: le::U32::new(who.id()),
            };
            bytes.extend(carried.as_bytes());
        }
        bytes
    }

    /// Whether it says more than permission bits can.
    pub fn is_extended(&self) -> bool {
        self.entries.len() > 3
    }

    fn permissions(&self, who: Who) -> Option<u8> {
        self.entries.iter().find(|entry| entry.who == who).map(|entry| entry.permissions)
    }

    /// Whose entry the group bits of the permissions show.
    fn group_class(&self) -> Who {
        if self.permissions(Who::Mask).is_some() { Who::Mask } else { Who::OwningGroup }
    }

    /// The nine permission bits that go with it.
    pub fn mode(&self) -> u16 {
        let bits = |who| u16::from(self.permissions(who).unwrap_or(0));
        bits(Who::Owner) << 6 | bits(self.group_class()) << 3 | bits(Who::Others)
    }

    /// The list after the nine permission bits became `mode`.
    #[must_use]
    pub fn with_mode(&self, mode: u16) -> Self {
        self.changed(|who, _| match who {
            Who::Owner => mode >> 6,
            Who::Others => mode,
            _ => mode >> 3,
        })
    }

    /// What a directory's default list makes of a file that is made with the nine permission bits
    /// `mode`: the file's own list, and the bits that it gets.
    pub fn restricted_to(&self, mode: u16) -> (Self, u16) {
        let own = self.changed(|who, permissions| match who {
            Who::Owner => permissions & mode >> 6,
            Who::Others => permissions & mode,
            _ => permissions & mode >> 3,
        });
        let mode = own.mode();
        (own, mode)
    }

    /// The list with other permissions for those whom permission bits are about.
    fn changed(&self, change: impl Fn(Who, u16) -> u16) -> Self {
        let group = self.group_class();
        let entries = self.entries.iter().map(|&entry| {
            let shown = [Who::Owner, group, Who::Others].contains(&entry.who);
            let permissions = match shown {
                true => (change(entry.who, entry.permissions.into()) & 7) as u8,
                false => entry.permissions,
            };
            AclEntry { permissions, ..entry }
        });
        Self { entries: entries.collect() }
    }
}

#[cfg(test)]
mod tests;
