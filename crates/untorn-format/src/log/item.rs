//! Items: what a transaction is made of, told apart by the first two bytes of their first region.

use super::buffer::BufferItem;
use super::icreate::InodeCreate;
use super::inode::InodeItem;
use super::intent::{Done, Intent, IntentKind};
use super::quota::{QuotaItem, QuotaOff};
use crate::fault::Fault;

/// The type of an item (`XFS_LI_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKind {
    /// Blocks to give back.
    FreeIntent,
    /// Blocks given back.
    FreeDone,
    /// An inode.
    Inode,
    /// Chunks of a metadata block.
    Buffer,
    /// A quota record.
    Quota,
    /// A quota switched off.
    QuotaOff,
    /// Blocks that become inodes.
    InodeCreate,
    /// Reverse mappings to change.
    RmapIntent,
    /// Reverse mappings changed.
    RmapDone,
    /// Reference counts to change.
    RefcountIntent,
    /// Reference counts changed.
    RefcountDone,
    /// A file's blocks to map or unmap.
    MapIntent,
    /// A file's blocks mapped or unmapped.
    MapDone,
    /// An attribute to change.
    AttrIntent,
    /// An attribute changed.
    AttrDone,
    /// Two files' blocks to exchange.
    ExchangeIntent,
    /// Two files' blocks exchanged.
    ExchangeDone,
    /// Realtime blocks to give back.
    RealtimeFreeIntent,
    /// Realtime blocks given back.
    RealtimeFreeDone,
    /// Reverse mappings of the realtime section to change.
    RealtimeRmapIntent,
    /// Reverse mappings of the realtime section changed.
    RealtimeRmapDone,
    /// Reference counts of the realtime section to change.
    RealtimeRefcountIntent,
    /// Reference counts of the realtime section changed.
    RealtimeRefcountDone,
}

/// Each type's code, its kernel name, and whether the realtime section is concerned.
const KINDS: [(u16, ItemKind, &str); 23] = [
    (0x1236, ItemKind::FreeIntent, "EFI"),
    (0x1237, ItemKind::FreeDone, "EFD"),
    (0x123b, ItemKind::Inode, "INODE"),
    (0x123c, ItemKind::Buffer, "BUF"),
    (0x123d, ItemKind::Quota, "DQUOT"),
    (0x123e, ItemKind::QuotaOff, "QUOTAOFF"),
    (0x123f, ItemKind::InodeCreate, "ICREATE"),
    (0x1240, ItemKind::RmapIntent, "RUI"),
    (0x1241, ItemKind::RmapDone, "RUD"),
    (0x1242, ItemKind::RefcountIntent, "CUI"),
    (0x1243, ItemKind::RefcountDone, "CUD"),
    (0x1244, ItemKind::MapIntent, "BUI"),
    (0x1245, ItemKind::MapDone, "BUD"),
    (0x1246, ItemKind::AttrIntent, "ATTRI"),
    (0x1247, ItemKind::AttrDone, "ATTRD"),
    (0x1248, ItemKind::ExchangeIntent, "XMI"),
    (0x1249, ItemKind::ExchangeDone, "XMD"),
    (0x124a, ItemKind::RealtimeFreeIntent, "EFI_RT"),
    (0x124b, ItemKind::RealtimeFreeDone, "EFD_RT"),
    (0x124c, ItemKind::RealtimeRmapIntent, "RUI_RT"),
    (0x124d, ItemKind::RealtimeRmapDone, "RUD_RT"),
    (0x124e, ItemKind::RealtimeRefcountIntent, "CUI_RT"),
    (0x124f, ItemKind::RealtimeRefcountDone, "CUD_RT"),
];

impl ItemKind {
    /// The kind with type code `code`.
    pub fn from_code(code: u16) -> Option<Self> {
        KINDS.iter().find(|(known, ..)| *known == code).map(|&(_, kind, _)| kind)
    }
    /// The type code.
    pub fn code(self) -> u16 {
        self.row().0
    }
    /// The name that Linux and xfs_logprint use.
    pub fn name(self) -> &'static str {
        self.row().2
    }
    fn row(self) -> (u16, Self, &'static str) {
        let row = KINDS.iter().find(|(_, kind, _)| *kind == self);
        *row.unwrap_or_else(|| panic!("{self:?} has no type code"))
    }
}

/// Why an item could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// It is damaged.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It changes the realtime section, which is not handled.
    #[error("{} items, which change the realtime section", .0.name())]
    Realtime(ItemKind),
    /// No item of this type is known.
    #[error("items of the unknown type {0:#x}")]
    Unknown(u16),
}

/// An item, read. Contents are borrowed from the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Chunks of a metadata block.
    Buffer(BufferItem<'a>),
    /// An inode.
    Inode(InodeItem<'a>),
    /// A quota record.
    Quota(QuotaItem<'a>),
    /// A quota switched off.
    QuotaOff(QuotaOff),
    /// Blocks that become inodes.
    InodeCreate(InodeCreate),
    /// An operation begun.
    Intent(Intent),
    /// An operation finished.
    Done(Done),
}

/// The type code and the number of regions that an item's first region begins with.
pub fn item_start(region: &[u8]) -> Result<(u16, u16), Fault> {
    let start: Option<&[u8; 4]> = region.first_chunk();
    let &[type_low, type_high, count_low, count_high] =
        start.ok_or(Fault::Short { what: "log item", have: region.len(), need: 4 })?;
    let pair = |low, high| u16::from_le_bytes([low, high]);
    Ok((pair(type_low, type_high), pair(count_low, count_high)))
}

impl<'a> Item<'a> {
    /// Reads the item that consists of `regions`.
    pub fn decode(regions: &[&'a [u8]]) -> Result<Self, ItemError> {
        let (code, _) = item_start(regions.first().copied().unwrap_or_default())?;
        let kind = ItemKind::from_code(code).ok_or(ItemError::Unknown(code))?;
        Ok(match kind {
            ItemKind::Buffer => Self::Buffer(BufferItem::decode(regions)?),
            ItemKind::Inode => Self::Inode(InodeItem::decode(regions)?),
            ItemKind::Quota => Self::Quota(QuotaItem::decode(regions)?),
            ItemKind::QuotaOff => Self::QuotaOff(QuotaOff::decode(regions)?),
            ItemKind::InodeCreate => Self::InodeCreate(InodeCreate::decode(regions)?),
            kind => decode_intent(kind, regions)?,
        })
    }
}

fn decode_intent<'a>(kind: ItemKind, regions: &[&[u8]]) -> Result<Item<'a>, ItemError> {
    let intent = |kind| Intent::decode(kind, regions).map(Item::Intent);
    let done = |kind| Done::decode(kind, regions).map(Item::Done);
    Ok(match kind {
        ItemKind::FreeIntent => intent(IntentKind::Free)?,
        ItemKind::FreeDone => done(IntentKind::Free)?,
        ItemKind::RmapIntent => intent(IntentKind::Rmap)?,
        ItemKind::RmapDone => done(IntentKind::Rmap)?,
        ItemKind::RefcountIntent => intent(IntentKind::Refcount)?,
        ItemKind::RefcountDone => done(IntentKind::Refcount)?,
        ItemKind::MapIntent => intent(IntentKind::Map)?,
        ItemKind::MapDone => done(IntentKind::Map)?,
        ItemKind::AttrIntent => intent(IntentKind::Attr)?,
        ItemKind::AttrDone => done(IntentKind::Attr)?,
        ItemKind::ExchangeIntent => intent(IntentKind::Exchange)?,
        ItemKind::ExchangeDone => done(IntentKind::Exchange)?,
        kind => return Err(ItemError::Realtime(kind)),
    })
}
