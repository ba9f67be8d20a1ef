//! What one inode has from another of which it is a copy: owner, permissions, attributes and access
//! lists.

use super::Volume;
use crate::attr::{Listed, SetMode};
use crate::error::Result;
use crate::inode::{Inode, core_of};
use crate::namespace::{self, Make, NewInode};
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_format::inode::InodeCore;

const PERMISSIONS: u16 = 0o7777;

/// What an inode is like.
pub(super) struct Likeness {
    core: InodeCore,
    /// Attributes, access lists among them; parent pointers are everybody's own.
    pub attributes: Vec<Listed>,
}

impl Likeness {
    /// What inode `ino` is like now.
    pub fn of(volume: &Volume, ino: Ino) -> Result<Self> {
        let core = volume.core.inode_by_number(ino)?.core()?;
        let mut attributes = volume.attributes(ino)?;
        attributes.retain(|one| one.namespace != Namespace::Parent);
        Ok(Self { core, attributes })
    }

    /// A new file that is to be like it.
    pub fn new_inode(&self) -> NewInode<'static> {
        let InodeCore { mode, uid, gid, .. } = self.core;
        NewInode { what: Make::File, permissions: mode & PERMISSIONS, uid, gid }
    }

    /// Gives a locked inode owner and permissions, whatever its directory handed down.
    pub fn give_core(&self, tx: &mut Tx<'_>, inode: &Inode) -> Result<()> {
        let mut core = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
        core.mode = core.mode & !PERMISSIONS | self.core.mode & PERMISSIONS;
        (core.uid, core.gid) = (self.core.uid, self.core.gid);
        core.encode(tx.inode_mut(inode.ino));
        Ok(())
    }

    /// Gives an inode all of it; attributes whose values have blocks of their own come afterwards,
    /// each by itself.
    pub fn give(&self, volume: &Volume, inode: &Arc<Inode>) -> Result<()> {
        let core = &volume.core;
        let is_beside = |one: &Listed| namespace::is_beside(core, one);
        let (beside, apart): (Vec<_>, Vec<_>) =
            self.attributes.iter().cloned().partition(is_beside);
        core.transact(48 * 1024, std::slice::from_ref(inode), |tx| {
            self.give_core(tx, inode)?;
            namespace::take_over(tx, inode.ino, &beside)
        })?;
        for Listed { namespace, name, value } in &apart {
            let key = (*namespace, &name[..]);
            namespace::set_attribute(core, inode, key, value, SetMode::Upsert)?;
        }
        Ok(())
    }
}

impl Volume {
    /// Gives inode `to`, which was just made, owner, permissions, attributes and access lists of
    /// inode `from`, in the place of what its directory handed down.
    pub fn make_alike(&self, from: Ino, to: Ino) -> Result<()> {
        self.demand_write("set attributes")?;
        let inode = self.core.inode_by_number(to)?;
        Likeness::of(self, from)?.give(self, &inode)
    }
}
