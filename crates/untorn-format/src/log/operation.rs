//! Operations: what the body of a record is made of.
//!
//! A transaction is a START operation, one that holds the transaction header, one for each region
//! of each item, and a COMMIT. An operation that does not fit is continued in the next record.

use super::bytes::{Reader, Writer};
use crate::fault::Fault;
use std::mem::size_of;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of an operation's header.
pub const OPERATION_HEADER: usize = 12;
/// Bytes of a transaction's header.
pub const TRANSACTION_HEADER: usize = 16;
/// The transaction id that unmount records carry.
const UNMOUNT_ID: u32 = 0xb0c0_d0d0;
const CLIENT_TRANSACTION: u8 = 0x69;
const CLIENT_LOG: u8 = 0xaa;
const TRANSACTION_MAGIC: u32 = 0x5452_414e;
const TRANSACTION_CHECKPOINT: u32 = 40;
const UNMOUNT_MAGIC: u16 = 0x556e;
const START: u8 = 0x01;
const COMMIT: u8 = 0x02;
const CONTINUE: u8 = 0x04;
const WAS_CONTINUED: u8 = 0x08;
const END: u8 = 0x10;
const UNMOUNT: u8 = 0x20;
const NAME: &str = "log operation";

/// `xlog_op_header`.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct WireOperation {
    tid: U32,
    length: U32,
    client: u8,
    flags: u8,
    reserved: U16,
}
const _: () = assert!(size_of::<WireOperation>() == OPERATION_HEADER);

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Begins a transaction.
    Start,
    /// Ends a transaction: from here on it happened.
    Commit,
    /// A region: whole, or its beginning.
    Region,
    /// More of the region before.
    Continued,
    /// The volume was unmounted cleanly.
    Unmount,
}

/// Whether a region ends with this operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionPart {
    /// The region is complete.
    Last,
    /// The next operation of the transaction goes on with it.
    More,
}

/// An operation's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Id of the transaction.
    pub tid: u32,
    /// Bytes that follow the header.
    pub length: u32,
    /// What it is for.
    pub kind: OperationKind,
    /// Whether more of its region follows.
    pub part: RegionPart,
}

impl Operation {
    /// Reads the operation at the start of `bytes`, the rest of a record's body, and returns it,
    /// its data and what follows.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8], &[u8]), Fault> {
        let short = |need| Fault::Short { what: NAME, have: bytes.len(), need };
        let (wire, rest) =
            WireOperation::ref_from_prefix(bytes).map_err(|_| short(OPERATION_HEADER))?;
        if !matches!(wire.client, CLIENT_TRANSACTION | CLIENT_LOG) {
            let value = wire.client.into();
            return Err(Fault::Field { what: NAME, field: "oh_clientid", value });
        }
        let length = wire.length.get();
        let count = usize::try_from(length).unwrap_or(usize::MAX);
        let (data, rest) = rest
            .split_at_checked(count)
            .ok_or_else(|| short(OPERATION_HEADER.saturating_add(count)))?;
        let kind = kind_of(wire.flags)?;
        let part = match wire.flags & CONTINUE {
            0 => RegionPart::Last,
            _ => RegionPart::More,
        };
        Ok((Self { tid: wire.tid.get(), length, kind, part }, data, rest))
    }
    /// The header's bytes.
    pub fn encode(&self) -> [u8; OPERATION_HEADER] {
        let client = match self.kind {
            OperationKind::Unmount => CLIENT_LOG,
            _ => CLIENT_TRANSACTION,
        };
        let wire = WireOperation {
            tid: self.tid.into(),
            length: self.length.into(),
            client,
            flags: self.flags(),
            reserved: U16::ZERO,
        };
        zerocopy::transmute!(wire)
    }
    fn flags(&self) -> u8 {
        match (self.kind, self.part) {
            (OperationKind::Start, _) => START,
            (OperationKind::Commit, _) => COMMIT,
            (OperationKind::Unmount, _) => UNMOUNT,
            (OperationKind::Region, RegionPart::Last) => 0,
            (OperationKind::Region, RegionPart::More) => CONTINUE,
            (OperationKind::Continued, RegionPart::Last) => WAS_CONTINUED | END,
            (OperationKind::Continued, RegionPart::More) => WAS_CONTINUED | CONTINUE,
        }
    }
}

fn kind_of(flags: u8) -> Result<OperationKind, Fault> {
    match flags & !END {
        START => Ok(OperationKind::Start),
        COMMIT => Ok(OperationKind::Commit),
        UNMOUNT => Ok(OperationKind::Unmount),
        0 | CONTINUE => Ok(OperationKind::Region),
        flags if flags & !CONTINUE == WAS_CONTINUED => Ok(OperationKind::Continued),
        _ => Err(Fault::Field { what: NAME, field: "oh_flags", value: flags.into() }),
    }
}

/// The first region of every transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionHeader {
    /// Id of the transaction.
    pub tid: u32,
    /// Regions of all its items.
    pub regions: u32,
}

impl TransactionHeader {
    /// Reads a transaction's header.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        const NAME: &str = "log transaction";
        let mut reader = Reader::new(NAME, bytes);
        let magic = reader.u32()?;
        if magic != TRANSACTION_MAGIC {
            return Err(Fault::Magic { what: NAME, found: magic.into() });
        }
        reader.skip(4)?;
        Ok(Self { tid: reader.u32()?, regions: reader.u32()? })
    }
    /// The header's bytes: [`TRANSACTION_HEADER`] of them.
    pub fn encode(&self) -> Vec<u8> {
        Writer::default()
            .u32(TRANSACTION_MAGIC)
            .u32(TRANSACTION_CHECKPOINT)
            .u32(self.tid)
            .u32(self.regions)
            .done()
    }
}

/// The one operation of an unmount record, header and data.
pub fn unmount_operation() -> Vec<u8> {
    let operation = Operation {
        tid: UNMOUNT_ID,
        length: 8,
        kind: OperationKind::Unmount,
        part: RegionPart::Last,
    };
    let mut bytes = operation.encode().to_vec();
    bytes.extend(Writer::default().u16(UNMOUNT_MAGIC).zeroes(6).done());
    bytes
}

/// Whether the first body block of a record, as the log holds it, begins with the operation of an
/// unmount record. The stamp in its first word hides only the transaction id.
pub fn is_unmount(block: &[u8]) -> bool {
    const FLAGS: usize = std::mem::offset_of!(WireOperation, flags);
    block.get(FLAGS).is_some_and(|flags| flags & UNMOUNT != 0)
}
