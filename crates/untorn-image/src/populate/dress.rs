//! What is said of something when it is all there: attributes, access lists, owner, permissions,
//! times.

use super::{Age, Done, SET_GROUP, Writer};
use crate::tree::{Item, ItemId, What};
use untorn::attr::SetMode;
use untorn::{AclKind, NewMetadata, SetTime};
use untorn_format::Ino;

/// How much is to be said of something that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dress {
    /// Owner and permissions, too.
    All,
    /// What it could not be made with.
    Rest,
}

impl Writer<'_, '_> {
    /// Takes away what a directory that was there before handed down.
    pub(super) fn forget_inherited(&self, ino: Ino, item: &Item) -> Done {
        for kind in [AclKind::Access, AclKind::Default] {
            if self.volume.acl_of(ino, kind)?.is_some() {
                self.volume.set_acl_of(ino, kind, None)?;
            }
        }
        let permissions = match item.what {
            What::Symlink(_) => None,
            _ => Some(item.permissions & !SET_GROUP),
        };
        let (uid, gid) = (Some(item.uid), Some(item.gid));
        let change = NewMetadata { permissions, uid, gid, ..NewMetadata::default() };
        Ok(self.volume.set_metadata_of(ino, &change)?)
    }

    /// What is left to be said of something that is all there.
    pub(super) fn finish(&self, id: ItemId, ino: Ino, in_dir: Age) -> Done {
        if in_dir == Age::Old {
            self.forget_inherited(ino, self.tree.item(id))?;
        }
        let dress = if in_dir == Age::Old { Dress::All } else { Dress::Rest };
        self.dress(id, ino, dress)
    }

    pub(super) fn dress(&self, id: ItemId, ino: Ino, what: Dress) -> Done {
        let item = self.tree.item(id);
        for (namespace, name, value) in &item.attributes {
            self.volume.set_attribute(ino, (*namespace, name), value, SetMode::Upsert)?;
        }
        for (kind, acl) in [(AclKind::Access, &item.access), (AclKind::Default, &item.default)] {
            if acl.is_some() {
                self.volume.set_acl_of(ino, kind, acl.as_ref())?;
            }
        }
        let is_symlink = matches!(item.what, What::Symlink(_));
        let is_directory = matches!(item.what, What::Directory(_));
        let all = what == Dress::All;
        let late = is_directory && item.permissions & SET_GROUP != 0;
        let listed = item.access.is_some();
        let set = |time| Some(SetTime::To(time));
        let change = NewMetadata {
            permissions: Some(item.permissions).filter(|_| (all || late || listed) && !is_symlink),
            uid: Some(item.uid).filter(|_| all),
            gid: Some(item.gid).filter(|_| all),
            atime: set(item.times.atime),
            mtime: set(item.times.mtime),
            crtime: item.times.crtime.and_then(set),
            ..NewMetadata::default()
        };
        Ok(self.volume.set_metadata_of(ino, &change)?)
    }
}
