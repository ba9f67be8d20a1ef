//! The log: records, operations and items, as bytes and as meaning.
//!
//! ```text
//!  record       header blocks | body
//!  body         operation | operation | ..           (may go on in the next record)
//!  transaction  START | header | region | region | .. | COMMIT
//!  item         format structure | region | ..       (its first 4 bytes: type, number of regions)
//! ```
//!
//! Never here: where the log is, which records are alive, what replaying an item does.

mod age;
mod broot;
mod buffer;
mod bytes;
mod dinode;
mod icreate;
mod inode;
mod intent;
mod item;
mod operation;
mod quota;
mod record;
#[cfg(test)]
mod tests;

pub use age::{block_age, is_whole};
pub use broot::{broot_to_disk, broot_to_log};
pub use buffer::{BufferFormat, BufferItem, BufferUse, CHUNK, QuotaKind};
pub use bytes::region_length;
pub use dinode::{CORE, core_to_disk, core_to_log};
pub use icreate::InodeCreate;
pub use inode::{ForkContents, InodeItem};
pub use intent::{
    AttrOp, AttrUpdate, Done, Exchange, ExchangeFlag, FreeExtent, Intent, IntentKind, MapOp,
    MapUpdate, RefcountOp, RefcountUpdate, RmapOp, RmapUpdate, Work,
};
pub use item::{Item, ItemError, ItemKind, item_start};
pub use operation::{
    OPERATION_HEADER, Operation, OperationKind, RegionPart, TRANSACTION_HEADER, TransactionHeader,
    is_unmount, unmount_operation,
};
pub use quota::{QUOTA_RECORD, QuotaItem, QuotaOff};
pub use record::{
    BYTES_PER_HEADER, LARGEST_RECORD, LOG_BLOCK, RECORD_MAGIC, RecordHeader, RecordSum,
    check_record, cycle_of, header_blocks, is_header, next_cycle, previous_cycle, seal_record,
    unstamp_record,
};
