//! What goes into a volume: inodes, the names that lead to them, and where their bytes are.
//!
//! Invariants: item 0 is the root, a directory; names in a directory are sorted; nothing leads out
//! of the tree, since a name is put into it part by part and symbolic links are never followed.

use crate::contents::Contents;
use crate::error::{Error, Result, shown};
use crate::owners::Owners;
use crate::times::Epoch;
use std::collections::BTreeMap;
use untorn_format::acl::Acl;
use untorn_format::attr::Namespace;
use untorn_format::inode::Timestamp;

/// Longest name.
const MAX_NAME: usize = 255;
/// Longest target of a symbolic link.
const MAX_TARGET: usize = 1023;
/// Most directories above one another: more than any path that a system call takes.
const MAX_DEPTH: usize = 4096;

/// Most directories that nothing but names below them speak of.
const MOST_IMPLIED: usize = 1 << 20;

/// Which item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub(crate) usize);

/// When something was changed, read and made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Last change of contents.
    pub mtime: Timestamp,
    /// Last read.
    pub atime: Timestamp,
    /// When it was made; the time of copying where nobody knows.
    pub crtime: Option<Timestamp>,
}

/// What an item is.
#[derive(Clone, Debug)]
pub enum What {
    /// A directory with these names.
    Directory(BTreeMap<Vec<u8>, ItemId>),
    /// A regular file.
    File(Contents),
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device: major and minor.
    CharDevice(u32, u32),
    /// A block device: major and minor.
    BlockDevice(u32, u32),
}

/// An extended attribute, its name without the prefix of its namespace.
pub type Attribute = (Namespace, Vec<u8>, Vec<u8>);

/// An inode to be.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub what: What,
    /// Permissions with set-id and sticky bits.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Its times.
    pub times: Times,
    /// Extended attributes, in the order of their names.
    pub attributes: Vec<Attribute>,
    /// Access list, where it says more than the permissions.
    pub access: Option<Acl>,
    /// Access list that a directory hands down.
    pub default: Option<Acl>,
    /// Names that lead to it.
    pub(crate) names: u32,
}

impl Item {
    /// An item of root's without anything.
    pub fn new(what: What) -> Self {
        let permissions = if matches!(what, What::Directory(_)) { 0o755 } else { 0o644 };
        Self {
            what,
            permissions,
            uid: 0,
            gid: 0,
            times: Times::default(),
            attributes: Vec::new(),
            access: None,
            default: None,
            names: 0,
        }
    }

    /// An empty directory of root's.
    pub fn directory() -> Self {
        Self::new(What::Directory(BTreeMap::new()))
    }
}

/// A tree of files.
#[derive(Clone, Debug)]
pub struct Tree {
    items: Vec<Item>,
    /// Directories that were made because something lies below them.
    implied: usize,
    /// Whether something was said of the root itself.
    pub(crate) root_said: bool,
    /// A file of the host, by device and inode, that must not go into it.
    pub(crate) shunned: Option<(u64, u64)>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty directory.
    pub fn new() -> Self {
        let items = vec![Item { names: 1, ..Item::directory() }];
        Self { items, implied: 0, root_said: false, shunned: None }
    }

    /// The root.
    pub fn root(&self) -> ItemId {
        ItemId(0)
    }

    /// An item.
    pub fn item(&self, id: ItemId) -> &Item {
        &self.items[id.0]
    }

    pub(crate) fn item_mut(&mut self, id: ItemId) -> &mut Item {
        &mut self.items[id.0]
    }

    /// All items that a name leads to.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.names > 0)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// What `path` leads to; symbolic links lead nowhere.
    pub fn find(&self, path: &[u8]) -> Option<ItemId> {
        parts(path).try_fold(self.root(), |at, name| match &self.item(at).what {
            What::Directory(names) => names.get(name).copied(),
            _ => None,
        })
    }

    /// Puts `item` at `path`, in place of what is there; directories on the way are made where they
    /// are missing. A directory where one is already keeps what is in it and takes the rest of the
    /// new one.
    pub fn put(&mut self, path: &[u8], item: Item) -> Result<ItemId> {
        if let What::Symlink(target) = &item.what {
            demand_target(path, target)?;
        }
        let Some((dir, name)) = self.place(path)? else {
            self.root_said = true;
            return self.redress(self.root(), path, item);
        };
        let old = self.names(dir, path)?.get(&name).copied();
        match old {
            Some(old) if matches!(self.item(old).what, What::Directory(_)) => {
                self.redress(old, path, item)
            }
            _ => {
                let id = ItemId(self.items.len());
                self.items.push(item);
                self.lead(dir, path, name, id)?;
                Ok(id)
            }
        }
    }

    /// Gives an item, no directory, another name.
    pub fn link(&mut self, id: ItemId, path: &[u8]) -> Result<()> {
        let is_directory = |tree: &Self, id| matches!(tree.item(id).what, What::Directory(_));
        if is_directory(self, id) {
            return refuse(path, "would be a second name of a directory");
        }
        let Some((dir, name)) = self.place(path)? else {
            return refuse(path, "is the root");
        };
        let old = self.names(dir, path)?.get(&name).copied();
        if old.is_some_and(|old| is_directory(self, old)) {
            return refuse(path, "is a directory already");
        }
        self.lead(dir, path, name, id)
    }

    /// Takes a name away, and what only that leads to.
    pub fn remove(&mut self, path: &[u8]) -> Result<()> {
        let Some((dir, name)) = self.place(path)? else { return refuse(path, "is the root") };
        if let Some(old) = self.names(dir, path)?.remove(&name) {
            self.item_mut(old).names -= 1;
        }
        Ok(())
    }

    fn lead(&mut self, dir: ItemId, path: &[u8], name: Vec<u8>, id: ItemId) -> Result<()> {
        // Counted first: the name may be one of the item's own.
        self.item_mut(id).names += 1;
        if let Some(old) = self.names(dir, path)?.insert(name, id) {
            self.item_mut(old).names -= 1;
        }
        Ok(())
    }

    /// A directory that is there becomes like `item`, which must be one, too.
    fn redress(&mut self, id: ItemId, path: &[u8], item: Item) -> Result<ItemId> {
        let What::Directory(_) = item.what else {
            return refuse(path, "is a directory already");
        };
        let old = self.item_mut(id);
        let (what, names) = (std::mem::replace(&mut old.what, What::Fifo), old.names);
        *old = Item { what, names, ..item };
        Ok(id)
    }

    fn names(&mut self, dir: ItemId, path: &[u8]) -> Result<&mut BTreeMap<Vec<u8>, ItemId>> {
        match &mut self.item_mut(dir).what {
            What::Directory(names) => Ok(names),
            _ => refuse(path, "lies below something that is no directory"),
        }
    }

    /// The directory and the name of `path`; `None` for the root.
    fn place(&mut self, path: &[u8]) -> Result<Option<(ItemId, Vec<u8>)>> {
        let mut parts: Vec<&[u8]> = parts(path).collect();
        if parts.len() > MAX_DEPTH {
            return refuse(path, "lies too deep");
        }
        for part in &parts {
            if *part == b".." {
                return refuse(path, "leads out of the tree by `..`");
            }
            if part.len() > MAX_NAME || part.contains(&0) {
                return refuse(path, "has a name that is too long or holds a zero byte");
            }
        }
        let Some(name) = parts.pop() else { return Ok(None) };
        let mut at = self.root();
        for part in parts {
            at = self.step(at, path, part)?;
        }
        Ok(Some((at, name.to_vec())))
    }

    /// The directory `name` in `dir`, made where it is missing.
    fn step(&mut self, dir: ItemId, path: &[u8], name: &[u8]) -> Result<ItemId> {
        if let Some(&found) = self.names(dir, path)?.get(name) {
            return Ok(found);
        }
        self.implied += 1;
        if self.implied > MOST_IMPLIED {
            return refuse(path, "lies in one of too many directories that are nowhere named");
        }
        let times = self.item(dir).times;
        let id = ItemId(self.items.len());
        self.items.push(Item { names: 1, times, ..Item::directory() });
        self.names(dir, path)?.insert(name.to_vec(), id);
        Ok(id)
    }

    /// Gives everything its owner.
    pub fn own(&mut self, owners: &Owners) {
        for item in &mut self.items {
            (item.uid, item.gid) = owners.of((item.uid, item.gid));
            for acl in [&mut item.access, &mut item.default] {
                *acl = acl.as_ref().and_then(|acl| owners.of_acl(acl));
            }
        }
    }

    /// Gives everything times that do not follow the clock.
    pub fn stamp(&mut self, epoch: Epoch) {
        self.items.iter_mut().for_each(|item| epoch.stamp(item));
    }
}

/// Refuses what no symbolic link can say.
fn demand_target(path: &[u8], target: &[u8]) -> Result<()> {
    match target {
        [] => refuse(path, "is a symbolic link to nothing"),
        _ if target.contains(&0) => {
            refuse(path, "is a symbolic link with a zero byte in its target")
        }
        _ if target.len() > MAX_TARGET => {
            refuse(path, "is a symbolic link whose target is longer than XFS keeps")
        }
        _ => Ok(()),
    }
}

/// The names on the way; `.` and empty ones lead nowhere.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

fn refuse<T>(path: &[u8], what: &str) -> Result<T> {
    Err(Error::Source { path: shown(path), what: what.to_owned() })
}
