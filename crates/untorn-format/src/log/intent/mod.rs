//! Intents and done items: operations that take several transactions.
//!
//! An intent says what is to be done; a done item with the same id says that it was. Recovery hands
//! up the intents whose done item is not in the log.

mod attr;
mod exchange;
mod extents;

pub use attr::{AttrOp, AttrUpdate};
pub use exchange::{Exchange, ExchangeFlag};
pub use extents::{FreeExtent, MapOp, MapUpdate, RefcountOp, RefcountUpdate, RmapOp, RmapUpdate};

use super::bytes::{Reader, Writer};
use super::item::ItemKind;
use crate::fault::Fault;
use crate::records::Fork;

const NAME: &str = "intent";

/// Which operation an intent or a done item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntentKind {
    /// Give blocks back (EFI, EFD).
    Free,
    /// Change reverse mappings (RUI, RUD).
    Rmap,
    /// Change reference counts (CUI, CUD).
    Refcount,
    /// Map or unmap a file's blocks (BUI, BUD).
    Map,
    /// Change an extended attribute (ATTRI, ATTRD).
    Attr,
    /// Exchange the blocks of two files (XMI, XMD).
    Exchange,
}

impl IntentKind {
    fn intent(self) -> ItemKind {
        match self {
            Self::Free => ItemKind::FreeIntent,
            Self::Rmap => ItemKind::RmapIntent,
            Self::Refcount => ItemKind::RefcountIntent,
            Self::Map => ItemKind::MapIntent,
            Self::Attr => ItemKind::AttrIntent,
            Self::Exchange => ItemKind::ExchangeIntent,
        }
    }
    fn done(self) -> ItemKind {
        match self {
            Self::Free => ItemKind::FreeDone,
            Self::Rmap => ItemKind::RmapDone,
            Self::Refcount => ItemKind::RefcountDone,
            Self::Map => ItemKind::MapDone,
            Self::Attr => ItemKind::AttrDone,
            Self::Exchange => ItemKind::ExchangeDone,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Give these blocks back.
    Free(Vec<FreeExtent>),
    /// Change these reverse mappings.
    Rmap(Vec<RmapUpdate>),
    /// Change these reference counts.
    Refcount(Vec<RefcountUpdate>),
    /// Map or unmap these blocks of files.
    Map(Vec<MapUpdate>),
    /// Change an extended attribute.
    Attr(AttrUpdate),
    /// Exchange the blocks of two files.
    Exchange(Exchange),
}

/// An operation begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What its done item will name.
    pub id: u64,
    /// What is to be done.
    pub work: Work,
}

impl Intent {
    /// Which operation it is.
    pub fn kind(&self) -> IntentKind {
        match self.work {
            Work::Free(_) => IntentKind::Free,
            Work::Rmap(_) => IntentKind::Rmap,
            Work::Refcount(_) => IntentKind::Refcount,
            Work::Map(_) => IntentKind::Map,
            Work::Attr(_) => IntentKind::Attr,
            Work::Exchange(_) => IntentKind::Exchange,
        }
    }
    /// The done item that ends it.
    pub fn done(&self) -> Done {
        Done { kind: self.kind(), id: self.id }
    }
    /// Reads an intent of `kind`.
    pub fn decode(kind: IntentKind, regions: &[&[u8]]) -> Result<Self, Fault> {
        let mut reader = Reader::new(NAME, regions.first().copied().unwrap_or_default());
        reader.skip(4)?;
        // Attribute intents keep the inode's generation where the others count their entries.
        let count = reader.u32()?;
        let id = reader.u64()?;
        let reader = &mut reader;
        let work = match kind {
            IntentKind::Free => Work::Free(extents::free(count, reader)?),
            IntentKind::Rmap => Work::Rmap(extents::list(count, reader, RmapUpdate::read)?),
            IntentKind::Refcount => {
                Work::Refcount(extents::list(count, reader, RefcountUpdate::read)?)
            }
            IntentKind::Map => Work::Map(extents::list(count, reader, MapUpdate::read)?),
            IntentKind::Exchange => Work::Exchange(Exchange::read(reader)?),
            IntentKind::Attr => Work::Attr(AttrUpdate::read(count, reader, regions)?),
        };
        Ok(Self { id, work })
    }
    /// The intent's regions.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let listed = |count: usize| {
            Writer::item(self.kind().intent().code(), 1).u32(count as u32).u64(self.id)
        };
        let format = match &self.work {
            Work::Free(list) => list.iter().fold(listed(list.len()), |w, e| e.write(w)),
            Work::Rmap(list) => list.iter().fold(listed(list.len()), |w, e| e.write(w)),
            Work::Refcount(list) => list.iter().fold(listed(list.len()), |w, e| e.write(w)),
            Work::Map(list) => list.iter().fold(listed(list.len()), |w, e| e.write(w)),
            Work::Exchange(exchange) => exchange.write(listed(0)),
            Work::Attr(update) => return update.encode(self.id),
        };
        vec![format.done()]
    }
}

/// An operation finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Done {
    /// Which operation it was.
    pub kind: IntentKind,
    /// Id of the intent.
    pub id: u64,
}

impl Done {
    /// Reads a done item of `kind`. The extents that an EFD repeats are ignored, as Linux does.
    pub fn decode(kind: IntentKind, regions: &[&[u8]]) -> Result<Self, Fault> {
        let mut reader = Reader::new(NAME, regions.first().copied().unwrap_or_default());
        reader.skip(8)?;
        Ok(Self { kind, id: reader.u64()? })
    }
    /// The item's region. `freed` is what an EFD repeats of its intent.
    pub fn encode(&self, freed: &[FreeExtent]) -> Vec<Vec<u8>> {
        let format = Writer::item(self.kind.done().code(), 1).u32(freed.len() as u32).u64(self.id);
        vec![freed.iter().fold(format, |w, extent| extent.write(w)).done()]
    }
}

fn field(field: &'static str, value: impl Into<u64>) -> Fault {
    Fault::Field { what: NAME, field, value: value.into() }
}

fn fork_of(flags: u32, attr: u32) -> Fork {
    match flags & attr {
        0 => Fork::Data,
        _ => Fork::Attr,
    }
}

fn fork_flag(fork: Fork, attr: u32) -> u32 {
    match fork {
        Fork::Data => 0,
        Fork::Attr => attr,
    }
}
