//! Inode creation items: blocks become inodes that are free.

use super::Replay;
use crate::replay::error::RecoverError;
use untorn_format::log::InodeCreate;
use untorn_format::{AgBlock, AgIno, BlockKind, DiskAddr, Fault, Lsn, Place, inode};

const NAME: &str = "inode creation item";

impl Replay {
    pub(super) fn create(&mut self, item: &InodeCreate, lsn: Lsn) -> Result<(), RecoverError> {
        self.check(item)
            .map_err(|fault| fault.at(Place { ag: Some(item.ag), ..Place::default() }))?;
        let cluster = self.sb.limits().inode_layout().cluster_blocks;
        let clusters: Vec<_> = (0..item.length / cluster)
            .map(|index| AgBlock(item.start.0 + index * cluster))
            .map(|block| (block, self.sb.geometry().addr(item.ag, block)))
            .collect();
        let units = cluster * self.sb.geometry().sectors_per_block() as u32;
        // Freed chunks are cancelled cluster by cluster, all of them together.
        if clusters.iter().any(|&(_, addr)| self.first.cancelled.contains(addr, units)) {
            return Ok(());
        }
        for (block, addr) in clusters {
            self.create_cluster(item, block, (addr, units), lsn)?;
        }
        Ok(())
    }
    fn create_cluster(
        &mut self,
        item: &InodeCreate,
        block: AgBlock,
        (addr, units): (DiskAddr, u32),
        lsn: Lsn,
    ) -> Result<(), RecoverError> {
        let geometry = self.sb.geometry();
        let first = geometry.first_ino(block);
        let held = self.blocks.create(addr, units)?;
        for (index, bytes) in held.bytes.chunks_exact_mut(geometry.inode_size()).enumerate() {
            let ino = geometry.ino(item.ag, AgIno(first.0 + index as u32));
            inode::init_free(bytes, ino, self.sb.meta_uuid, item.generation);
        }
        held.change(Some(BlockKind::Inodes), lsn);
        Ok(())
    }
    /// Checks that the item describes blocks of an AG that this volume's inodes fill.
    fn check(&self, item: &InodeCreate) -> Result<(), Fault> {
        let geometry = self.sb.geometry();
        let layout = self.sb.limits().inode_layout();
        let field =
            |field, value: u32| Err(Fault::Field { what: NAME, field, value: value.into() });
        let blocks = geometry.blocks_of(item.ag);
        if blocks == 0 {
            return field("icl_ag", item.ag.0);
        }
        if item.start.0 == 0 || item.start.0 >= blocks {
            return field("icl_agbno", item.start.0);
        }
        if item.inode_size as usize != geometry.inode_size() {
            return field("icl_isize", item.inode_size);
        }
        let fits = item.length <= blocks - item.start.0 && item.length <= layout.chunk_blocks;
        if item.length == 0 || !fits || !item.length.is_multiple_of(layout.cluster_blocks) {
            return field("icl_length", item.length);
        }
        if item.count != item.length * geometry.inodes_per_block() {
            return field("icl_count", item.count);
        }
        Ok(())
    }
}
