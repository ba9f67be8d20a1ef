//! Buffer items.

use super::Replay;
use super::pieces::may_be_piece;
use crate::replay::error::RecoverError;
use std::sync::Arc;
use untorn_format::checksum;
use untorn_format::log::{BufferItem, BufferUse, QuotaKind};
use untorn_format::{BlockKind, DiskAddr, Fault, Lsn, Place, Superblock, kind};

/// Type codes of realtime bitmap and summary blocks.
const REALTIME: [u16; 2] = [19, 20];
/// Type codes of B+tree blocks, whose magic must say which.
const BTREE: u16 = 4;
/// `di_next_unlinked` and `di_crc`, in bytes from the start of an inode.
const NEXT_UNLINKED: usize = 96;
const INODE_CRC: usize = 100;

impl Replay {
    pub(super) fn buffer(&mut self, item: &BufferItem<'_>, lsn: Lsn) -> Result<(), RecoverError> {
        let format = &item.format;
        let (addr, blocks) = (format.addr, u32::from(format.blocks));
        if format.usage == BufferUse::Cancel {
            self.first.cancelled.pass(addr, blocks);
            return Ok(());
        }
        if self.first.cancelled.contains(addr, blocks) {
            return Ok(());
        }
        if REALTIME.contains(&format.code) {
            return Err(RecoverError::realtime("changes of realtime bitmap or summary blocks"));
        }
        let sb = Arc::clone(&self.sb);
        if self.blocks.read(addr, blocks)?.has(lsn, &sb) {
            return Ok(());
        }
        match format.usage {
            BufferUse::UnlinkedPointers => self.unlinked_pointers(item, lsn),
            BufferUse::Quota(kind) => self.quota_block(item, kind, lsn),
            BufferUse::Regular | BufferUse::Cancel => self.regular(item, lsn),
        }
    }
    fn regular(&mut self, item: &BufferItem<'_>, lsn: Lsn) -> Result<(), RecoverError> {
        let format = &item.format;
        let held = self.blocks.read(format.addr, format.blocks.into())?;
        copy(item, &mut held.bytes);
        if may_be_piece(format, &self.sb) {
            held.change(None, lsn);
            self.pieces.note(format, lsn);
            return Ok(());
        }
        self.pieces.forget(format.addr);
        let kind = BlockKind::from_blft(format.code, &held.bytes);
        if kind.is_none() && format.code == BTREE {
            let found = held.bytes.first_chunk().map_or(0, |b| u32::from_be_bytes(*b)).into();
            let fault = Fault::Magic { what: "B+tree block in the log", found };
            return Err(fault.at(Place::at(format.addr)).into());
        }
        held.change(kind, lsn);
        if (format.addr, kind) == (DiskAddr(0), Some(BlockKind::Superblock)) {
            let mut bytes = held.bytes.clone();
            kind::seal(BlockKind::Superblock, &mut bytes, lsn);
            self.follow(&bytes);
        }
        Ok(())
    }
    /// Goes on with the superblock that the log has just changed. One that is damaged is found when
    /// it goes home.
    fn follow(&mut self, bytes: &[u8]) {
        if let Ok(sb) = Superblock::decode(bytes) {
            self.sb = Arc::new(sb);
            self.blocks.sb = Arc::clone(&self.sb);
        }
    }
    /// Quota records carry their own checksums; a block of them has none.
    fn quota_block(
        &mut self,
        item: &BufferItem<'_>,
        kind: QuotaKind,
        lsn: Lsn,
    ) -> Result<(), RecoverError> {
        if self.first.quota_off.contains(&kind) {
            return Ok(());
        }
        let held = self.blocks.read(item.format.addr, item.format.blocks.into())?;
        copy(item, &mut held.bytes);
        held.change(Some(BlockKind::Dquot), lsn);
        Ok(())
    }
    /// Takes the `di_next_unlinked` of each inode that the item has, and nothing else.
    fn unlinked_pointers(&mut self, item: &BufferItem<'_>, lsn: Lsn) -> Result<(), RecoverError> {
        let size = self.sb.geometry().inode_size();
        let addr = item.format.addr;
        let held = self.blocks.read(addr, item.format.blocks.into())?;
        for (index, inode) in held.bytes.chunks_exact_mut(size).enumerate() {
            let at = index * size + NEXT_UNLINKED;
            let Some(next) = logged(item, at) else { continue };
            if next == [0; 4] {
                let fault =
                    Fault::Field { what: "inode in the log", field: "di_next_unlinked", value: 0 };
                return Err(fault.at(Place::at(addr)).into());
            }
            inode[NEXT_UNLINKED..INODE_CRC].copy_from_slice(&next);
            checksum::stamp(inode, INODE_CRC);
        }
        held.change(Some(BlockKind::Inodes), lsn);
        Ok(())
    }
}

/// The four bytes that the item has for byte `at` of the buffer on.
fn logged(item: &BufferItem<'_>, at: usize) -> Option<[u8; 4]> {
    let (start, bytes) = item.changes.iter().rfind(|(start, _)| *start <= at)?;
    bytes.get(at - start..)?.first_chunk().copied()
}

/// Copies what the item has into the buffer, which is as long as the item says.
fn copy(item: &BufferItem<'_>, buffer: &mut [u8]) {
    for (start, bytes) in &item.changes {
        if let Some(part) = buffer.get_mut(*start..start + bytes.len()) {
            part.copy_from_slice(bytes);
        }
    }
}
