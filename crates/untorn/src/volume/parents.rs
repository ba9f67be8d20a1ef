//! From an inode up: the names that lead to it.

use super::Volume;
use crate::error::{Error, Result};
use std::collections::HashSet;
use untorn_format::attr::Namespace;
use untorn_format::{Fault, Ino, Place, parent};

/// A name of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The directory that has it.
    pub dir: Ino,
    /// The name there.
    pub name: Vec<u8>,
}

impl Volume {
    /// The names of inode `ino`, in no order; the root has none. Only volumes with parent pointers
    /// know.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Volume, mkfs};
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # let features = mkfs::FeatureSet::ALL;
    /// # let parent = mkfs::Options { features, ..mkfs::Options::default() };
    /// # mkfs::make(&*device, &parent).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let ino = volume.create_file("/file", NewFile::default())?.ino();
    /// volume.create_dir("/dir", NewFile::default())?;
    /// volume.link(ino, "/dir/link")?;
    /// assert_eq!(volume.parents_of(ino)?.len(), 2);
    /// assert_eq!(volume.paths_of(ino)?, [&b"/dir/link"[..], b"/file"]);
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn parents_of(&self, ino: Ino) -> Result<Vec<Parent>> {
        if !self.core.features.has_parent() {
            return Err(Error::Unsupported {
                what: "asking for the names of an inode on a volume without parent pointers".into(),
                remedy: "search the directories for its number".to_owned(),
            });
        }
        let mut pointers = self.attributes(ino)?;
        pointers.retain(|one| one.namespace == Namespace::Parent);
        let parent = |one: crate::attr::Listed| {
            let (dir, _) =
                parent::decode_value(&one.value).map_err(|fault| fault.at(Place::inode(ino)))?;
            Ok(Parent { dir, name: one.name })
        };
        pointers.into_iter().map(parent).collect()
    }

    /// Every path from the root to inode `ino`, in order. Only volumes with parent pointers know.
    pub fn paths_of(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        if ino == self.root() {
            return Ok(vec![b"/".to_vec()]);
        }
        let path = |parent: Parent| self.path_through(ino, parent);
        let mut paths: Vec<_> =
            self.parents_of(ino)?.into_iter().map(path).collect::<Result<_>>()?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// The path that ends in a name; directories have one name each.
    fn path_through(&self, ino: Ino, last: Parent) -> Result<Vec<u8>> {
        let mut parts = Vec::new();
        let mut met = HashSet::from([ino]);
        let mut at = last;
        loop {
            let dir = at.dir;
            parts.push(at.name);
            if dir == self.root() {
                break;
            }
            let wrong = |field| Fault::Field { what: "parent pointer", field, value: dir.0 };
            if !met.insert(dir) {
                return Err(wrong("directory below itself").at(Place::inode(dir)).into());
            }
            let above = self.parents_of(dir)?.pop();
            at = above.ok_or_else(|| wrong("directory without one").at(Place::inode(dir)))?;
        }
        Ok(parts.iter().rev().flat_map(|part| [&b"/"[..], part]).collect::<Vec<_>>().concat())
    }
}
