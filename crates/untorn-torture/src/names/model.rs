//! The reference model: what each operation makes of a tree, and when it is refused.

use super::op::{How, ListOf, Op, Spot, What};
use super::world::{name, target, value};
use crate::tree::{Content, DeviceNumber, Entry, Kind, Timestamp, Tree};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use untorn_format::acl::{ACCESS_NAME, Acl, AclEntry, DEFAULT_NAME, Who};

/// An inode of the model.
pub type NodeId = usize;

/// Why an operation is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing has the name.
    NotFound,
    /// Something has the name already.
    Exists,
    /// The directory has names in it.
    NotEmpty,
    /// What should be a directory is none.
    NotDirectory,
    /// What should not be a directory is one.
    IsDirectory,
    /// It would make no tree.
    Invalid,
    /// The directory hands its project down, and the file has another.
    CrossProject,
    /// There is nothing to do it to.
    Nothing,
}

/// Entries of an access list, in order.
type List = Vec<(Who, u16)>;

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    mode: u16,
    uid: u32,
    gid: u32,
    project: u32,
    inherits_project: bool,
    links: u32,
    parent: NodeId,
    names: BTreeMap<Vec<u8>, NodeId>,
    target: Option<Vec<u8>>,
    device: Option<DeviceNumber>,
    content: Vec<u8>,
    access: Option<List>,
    default: Option<List>,
    attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Where it is known: after it was set and before anything else happened.
    mtime: Option<Timestamp>,
}

/// What a volume must hold.
#[derive(Clone, Debug)]
pub struct Model {
    nodes: Vec<Option<Node>>,
    /// The file without a name that the workload holds.
    pub unnamed: Option<NodeId>,
}

/// The root directory.
pub const ROOT: NodeId = 0;

impl Model {
    /// A new volume, whose root has the permissions `mode`.
    pub fn new(mode: u16) -> Self {
        let root = Node {
            kind: Kind::Directory,
            mode,
            uid: 0,
            gid: 0,
            project: 0,
            inherits_project: false,
            links: 2,
            parent: ROOT,
            names: BTreeMap::new(),
            target: None,
            device: None,
            content: Vec::new(),
            access: None,
            default: None,
            attributes: BTreeMap::new(),
            mtime: None,
        };
        Self { nodes: vec![Some(root)], unnamed: None }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id].as_ref().unwrap_or_else(|| panic!("a node that exists"))
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id].as_mut().unwrap_or_else(|| panic!("a node that exists"))
    }

    fn pick(&self, index: u8, wanted: impl Fn(&Node) -> bool) -> Option<NodeId> {
        let all = self.nodes.iter().enumerate();
        let fit = all.filter(|(_, node)| node.as_ref().is_some_and(&wanted));
        let ids: Vec<NodeId> = fit.map(|(id, _)| id).collect();
        (!ids.is_empty()).then(|| ids[usize::from(index) % ids.len()])
    }

    /// The directory that an index means.
    pub fn directory(&self, index: u8) -> NodeId {
        self.pick(index, |node| node.kind == Kind::Directory).unwrap_or(ROOT)
    }

    /// The named inode that an index means.
    pub fn any(&self, index: u8) -> NodeId {
        self.pick(index, |node| node.links > 0).unwrap_or(ROOT)
    }

    /// The regular file with a name that an index means.
    pub fn regular(&self, index: u8) -> Option<NodeId> {
        self.pick(index, |node| node.kind == Kind::Regular && node.links > 0)
    }

    /// What is no symbolic link.
    pub fn no_symlink(&self, index: u8) -> NodeId {
        self.pick(index, |n| n.kind != Kind::Symlink && n.links > 0).unwrap_or(ROOT)
    }

    /// What is a file or directory.
    pub fn plain(&self, index: u8) -> NodeId {
        let fits = |n: &Node| matches!(n.kind, Kind::Regular | Kind::Directory) && n.links > 0;
        self.pick(index, fits).unwrap_or(ROOT)
    }

    /// What `at` names.
    pub fn named(&self, at: Spot) -> Option<NodeId> {
        self.node(self.directory(at.dir)).names.get(&name(at.name)).copied()
    }

    /// What a node is.
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind
    }

    /// A path that leads to the directory `id`.
    pub fn path_of(&self, id: NodeId) -> Vec<u8> {
        if id == ROOT {
            return Vec::new();
        }
        let parent = self.node(id).parent;
        let names = &self.node(parent).names;
        let (name, _) = names
            .iter()
            .find(|(_, child)| **child == id)
            .unwrap_or_else(|| panic!("it has a name"));
        [self.path_of(parent), b"/".to_vec(), name.clone()].concat()
    }

    /// The longest way from the root that a path may take.
    pub fn depth(&self, id: NodeId) -> usize {
        if id == ROOT { 0 } else { 1 + self.depth(self.node(id).parent) }
    }

    fn child(&self, dir: NodeId, what: What, mode: u16) -> Node {
        let above = self.node(dir);
        let kind = kind_of(what);
        let directory = kind == Kind::Directory;
        let handed_down = above.mode & 0o2000 != 0;
        let mut node = Node {
            kind,
            mode: made_mode(what, mode) | if handed_down && directory { 0o2000 } else { 0 },
            uid: 0,
            gid: if handed_down { above.gid } else { 0 },
            project: if above.inherits_project { above.project } else { 0 },
            inherits_project: directory && above.inherits_project,
            links: if directory { 2 } else { 1 },
            parent: dir,
            names: BTreeMap::new(),
            target: None,
            device: None,
            content: Vec::new(),
            access: None,
            default: None,
            attributes: BTreeMap::new(),
            mtime: None,
        };
        match what {
            What::Symlink(length) => node.target = Some(target(length)),
            What::CharDevice => node.device = Some(DeviceNumber { major: 5, minor: 300 }),
            What::BlockDevice => node.device = Some(DeviceNumber { major: 259, minor: 7 }),
            _ => {}
        }
        node
    }

    /// What a default list makes of a new node.
    fn restrict(&self, dir: NodeId, node: &mut Node) {
        let Some(default) = self.node(dir).default.clone() else { return };
        if node.kind == Kind::Symlink {
            return;
        }
        let mut own = default.clone();
        let masked = own.iter().any(|(who, _)| *who == Who::Mask);
        for (who, bits) in &mut own {
            match who {
                Who::Owner => *bits &= node.mode >> 6,
                Who::Others => *bits &= node.mode,
                Who::Mask => *bits &= node.mode >> 3,
                Who::OwningGroup if !masked => *bits &= node.mode >> 3,
                _ => {}
            }
        }
        node.mode = node.mode & !0o777 | shown(&own);
        if own.len() > 3 {
            node.access = Some(own);
        }
        if node.kind == Kind::Directory {
            node.default = Some(default);
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(Some(node));
        self.nodes.len() - 1
    }

    fn enter(&mut self, dir: NodeId, name: Vec<u8>, id: NodeId) {
        self.node_mut(dir).names.insert(name, id);
        self.node_mut(dir).mtime = None;
        if self.kind(id) == Kind::Directory {
            self.node_mut(id).parent = dir;
            self.node_mut(dir).links += 1;
        }
    }

    fn leave(&mut self, dir: NodeId, name: &[u8]) -> NodeId {
        let id =
            self.node_mut(dir).names.remove(name).unwrap_or_else(|| panic!("it was looked up"));
        self.node_mut(dir).mtime = None;
        if self.kind(id) == Kind::Directory {
            self.node_mut(dir).links -= 1;
        }
        id
    }

    fn unlink(&mut self, id: NodeId) {
        let directory = self.kind(id) == Kind::Directory;
        let node = self.node_mut(id);
        node.links = if directory { 0 } else { node.links - 1 };
        if node.links == 0 {
            self.nodes[id] = None;
        }
    }

    /// Does `op`; the node that it made or found, where the world must know.
    pub fn apply(&mut self, op: Op) -> Result<Option<NodeId>, Refusal> {
        match op {
            Op::Make { at, what, mode } => self.make(at, what, mode).map(Some),
            Op::Link { node, at } => self.link(self.any(node), at).map(|()| None),
            Op::Rename { from, to, how } => self.rename(from, to, how),
            Op::Remove { at } => self.remove(at, None).map(|()| None),
            Op::RemoveKind { at, directory } => self.remove(at, Some(directory)).map(|()| None),
            Op::MakeUnnamed { dir, mode } => Ok(self.make_unnamed(dir, mode)),
            Op::LinkUnnamed { at } => self.link_unnamed(at).map(|()| None),
            Op::DropUnnamed => {
                self.drop_unnamed();
                Ok(None)
            }
            other => self.change(other).map(|()| None),
        }
    }

    fn make(&mut self, at: Spot, what: What, mode: u16) -> Result<NodeId, Refusal> {
        let (dir, name) = (self.directory(at.dir), name(at.name));
        if self.named(at).is_some() {
            return Err(Refusal::Exists);
        }
        let mut node = self.child(dir, what, mode);
        self.restrict(dir, &mut node);
        let id = self.add(node);
        self.enter(dir, name, id);
        Ok(id)
    }

    fn make_unnamed(&mut self, dir: u8, mode: u16) -> Option<NodeId> {
        let dir = self.directory(dir);
        self.drop_unnamed();
        let mut node = self.child(dir, What::File, mode);
        self.restrict(dir, &mut node);
        node.links = 0;
        let id = self.add(node);
        self.unnamed = Some(id);
        Some(id)
    }

    fn drop_unnamed(&mut self) {
        if let Some(id) = self.unnamed.take() {
            self.nodes[id] = None;
        }
    }

    fn admits(&self, dir: NodeId, id: NodeId) -> Result<(), Refusal> {
        let (above, node) = (self.node(dir), self.node(id));
        let special = !matches!(node.kind, Kind::Regular | Kind::Directory | Kind::Symlink);
        let free = special && node.project == 0;
        match above.inherits_project && above.project != node.project && !free {
            true => Err(Refusal::CrossProject),
            false => Ok(()),
        }
    }

    fn link(&mut self, id: NodeId, at: Spot) -> Result<(), Refusal> {
        let dir = self.directory(at.dir);
        if self.named(at).is_some() {
            return Err(Refusal::Exists);
        }
        if self.kind(id) == Kind::Directory {
            return Err(Refusal::IsDirectory);
        }
        self.admits(dir, id)?;
        self.enter(dir, name(at.name), id);
        self.node_mut(id).links += 1;
        Ok(())
    }

    fn link_unnamed(&mut self, at: Spot) -> Result<(), Refusal> {
        let id = self.unnamed.ok_or(Refusal::Nothing)?;
        self.link(id, at)?;
        self.unnamed = None;
        Ok(())
    }

    fn remove(&mut self, at: Spot, directory: Option<bool>) -> Result<(), Refusal> {
        let dir = self.directory(at.dir);
        let id = self.named(at).ok_or(Refusal::NotFound)?;
        let is_directory = self.kind(id) == Kind::Directory;
        match directory {
            Some(true) if !is_directory => return Err(Refusal::NotDirectory),
            Some(false) if is_directory => return Err(Refusal::IsDirectory),
            _ if !self.node(id).names.is_empty() => return Err(Refusal::NotEmpty),
            _ => {}
        }
        self.leave(dir, &name(at.name));
        self.unlink(id);
        Ok(())
    }

    /// Whether `id` is `of` or lies above it.
    fn is_above(&self, id: NodeId, of: NodeId) -> bool {
        id == of || of != ROOT && self.is_above(id, self.node(of).parent)
    }

    fn rename(&mut self, from: Spot, to: Spot, how: How) -> Result<Option<NodeId>, Refusal> {
        let (from_dir, to_dir) = (self.directory(from.dir), self.directory(to.dir));
        let source = self.named(from).ok_or(Refusal::NotFound)?;
        let target = self.named(to);
        match (target, how) {
            (Some(_), How::NoReplace) => return Err(Refusal::Exists),
            (None, How::Exchange) => return Err(Refusal::NotFound),
            (Some(target), _) if target == source => return Ok(None),
            _ => {}
        }
        let back = target.filter(|_| how == How::Exchange);
        if self.is_above(source, to_dir) || back.is_some_and(|t| self.is_above(t, from_dir)) {
            return Err(Refusal::Invalid);
        }
        let directory = |id: NodeId| self.kind(id) == Kind::Directory;
        let replaced = target.filter(|_| how != How::Exchange);
        if let Some(target) = replaced {
            match (directory(source), directory(target)) {
                (true, false) => return Err(Refusal::NotDirectory),
                (false, true) => return Err(Refusal::IsDirectory),
                _ => {}
            }
        }
        self.admits(to_dir, source)?;
        if replaced.is_some_and(|target| !self.node(target).names.is_empty()) {
            return Err(Refusal::NotEmpty);
        }
        Ok(self.renamed((from_dir, name(from.name)), (to_dir, name(to.name)), how))
    }

    fn renamed(
        &mut self,
        (from_dir, from): (NodeId, Vec<u8>),
        (to_dir, to): (NodeId, Vec<u8>),
        how: How,
    ) -> Option<NodeId> {
        let source = self.leave(from_dir, &from);
        let target = self.node(to_dir).names.contains_key(&to).then(|| self.leave(to_dir, &to));
        self.enter(to_dir, to, source);
        match (target, how) {
            (Some(target), How::Exchange) => self.enter(from_dir, from, target),
            (Some(target), _) => {
                self.unlink(target);
                if how == How::Whiteout {
                    return Some(self.whiteout(to_dir, from_dir, from));
                }
            }
            (None, How::Whiteout) => return Some(self.whiteout(to_dir, from_dir, from)),
            _ => {}
        }
        None
    }

    /// Linux takes group and project from the directory that the file moved to.
    fn whiteout(&mut self, like: NodeId, dir: NodeId, name: Vec<u8>) -> NodeId {
        let mut node = self.child(like, What::CharDevice, 0);
        node.device = Some(DeviceNumber { major: 0, minor: 0 });
        let id = self.add(node);
        self.enter(dir, name, id);
        id
    }

    fn change(&mut self, op: Op) -> Result<(), Refusal> {
        match op {
            Op::Chmod { node, mode } => {
                let id = self.no_symlink(node);
                let node = self.node_mut(id);
                node.mode = mode;
                if let Some(list) = &mut node.access {
                    show(list, mode);
                }
            }
            Op::Chown { node, uid, gid } => {
                let id = self.any(node);
                let node = self.node_mut(id);
                (node.uid, node.gid) = (uid.into(), gid.into());
                if node.kind != Kind::Directory {
                    let group = if node.mode & 0o10 != 0 { 0o2000 } else { 0 };
                    node.mode &= !(0o4000 | group);
                }
            }
            Op::SetTimes { node, seconds } => {
                let id = self.any(node);
                let nanoseconds = u32::from(seconds) * 7;
                let time = Timestamp { seconds: i64::from(seconds) * 1000, nanoseconds };
                self.node_mut(id).mtime = Some(time);
            }
            Op::SetList { node, default, of, bits } => self.set_list(node, default, of, bits)?,
            Op::SetProject { node, project, inherit } => {
                let id = self.plain(node);
                let node = self.node_mut(id);
                node.project = project.into();
                node.inherits_project = inherit && node.kind == Kind::Directory;
            }
            Op::SetAttribute { node, name, length } => {
                let id = self.plain(node);
                let name = format!("user.a{name}").into_bytes();
                self.node_mut(id).attributes.insert(name, value(length));
            }
            Op::Write { node, length, byte } => {
                let id = self.regular(node).ok_or(Refusal::Nothing)?;
                let node = self.node_mut(id);
                let length = usize::from(length);
                node.content.resize(node.content.len().max(length), 0);
                node.content[..length].fill(byte);
                if length > 0 {
                    node.mtime = None;
                }
            }
            Op::ReplaceContents { node, length, byte } => {
                let id = self.regular(node).ok_or(Refusal::Nothing)?;
                let node = self.node_mut(id);
                node.content = vec![byte; length.into()];
                node.mtime = None;
            }
            other => unreachable!("{other:?} changes names"),
        }
        Ok(())
    }

    fn set_list(&mut self, node: u8, default: bool, of: ListOf, bits: u16) -> Result<(), Refusal> {
        let id = self.no_symlink(node);
        let list = list(of, bits);
        let node = self.node_mut(id);
        if default && node.kind != Kind::Directory && list.is_some() {
            return Err(Refusal::Invalid);
        }
        if default {
            node.default = list;
            return Ok(());
        }
        if let Some(list) = &list {
            node.mode = node.mode & !0o777 | shown(list);
        }
        node.access = list.filter(|list| list.len() > 3);
        Ok(())
    }

    /// Where each directory's entries lead.
    pub fn entries(&self, dir: NodeId) -> impl Iterator<Item = (&Vec<u8>, NodeId)> {
        self.node(dir).names.iter().map(|(name, id)| (name, *id))
    }

    /// Some path that leads to `id`, which has a name.
    pub fn a_path_of(&self, id: NodeId) -> Vec<u8> {
        let directories = self.ids().into_iter().filter(|&d| self.kind(d) == Kind::Directory);
        let mut found = directories.flat_map(|dir| self.entries(dir).map(move |e| (dir, e)));
        match found.find(|(_, (_, child))| *child == id) {
            Some((dir, (name, _))) => [self.path_of(dir), name.clone()].join(&b'/'),
            None => b"/".to_vec(),
        }
    }

    /// Traits that a tree does not show: project, and whether it is handed down.
    pub fn project(&self, id: NodeId) -> (u32, bool) {
        let node = self.node(id);
        (node.project, node.inherits_project)
    }

    /// All nodes that have names.
    pub fn ids(&self) -> Vec<NodeId> {
        (0..self.nodes.len()).filter(|&id| self.nodes[id].is_some()).collect()
    }

    /// What a walk must find. Times that the model does not know come from `found`.
    pub fn tree(&self, found: &Tree) -> Tree {
        let mut tree = Tree::new();
        let mut todo = vec![(PathBuf::new(), ROOT)];
        while let Some((path, id)) = todo.pop() {
            for (name, child) in &self.node(id).names {
                todo.push((path.join(OsStr::from_bytes(name)), *child));
            }
            let known = found.get(&path).map(|entry| (entry.mtime, entry.size));
            tree.insert(path, self.entry(id, known));
        }
        tree
    }

    fn entry(&self, id: NodeId, found: Option<(Timestamp, u64)>) -> Entry {
        let node = self.node(id);
        let (mtime, size) = found.unwrap_or((Timestamp { seconds: 0, nanoseconds: 0 }, 0));
        let mut xattrs = node.attributes.clone();
        for (name, list) in [(ACCESS_NAME, &node.access), (DEFAULT_NAME, &node.default)] {
            if let Some(list) = list {
                xattrs.insert([b"trusted.", name].concat(), as_acl(list).encode());
            }
        }
        let size = match node.kind {
            Kind::Regular => node.content.len() as u64,
            Kind::Symlink => node.target.as_ref().map_or(0, |t| t.len() as u64),
            Kind::Directory => size,
            _ => 0,
        };
        Entry {
            kind: node.kind,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            nlink: node.links,
            ino: None,
            size,
            rdev: node.device,
            target: node.target.clone(),
            xattrs,
            content: (node.kind == Kind::Regular).then(|| Content::of(&node.content)),
            mtime: node.mtime.unwrap_or(mtime),
        }
    }
}

/// Permissions that something made with `mode` has: those of links mean nothing, and `mkdir` takes
/// no set-id bits.
pub fn made_mode(what: What, mode: u16) -> u16 {
    match what {
        What::Symlink(_) => 0o777,
        What::Directory => mode & 0o1777,
        _ => mode,
    }
}

/// The kind of what is made.
pub fn kind_of(what: What) -> Kind {
    match what {
        What::File => Kind::Regular,
        What::Directory => Kind::Directory,
        What::Symlink(_) => Kind::Symlink,
        What::Fifo => Kind::Fifo,
        What::Socket => Kind::Socket,
        What::CharDevice => Kind::CharacterDevice,
        What::BlockDevice => Kind::BlockDevice,
    }
}

/// The list that an operation sets.
pub fn list(of: ListOf, bits: u16) -> Option<List> {
    let (owner, group, others) = (bits >> 6 & 7, bits >> 3 & 7, bits & 7);
    let users = match of {
        ListOf::Away => return None,
        ListOf::Nobody => 0,
        ListOf::One => 1,
        ListOf::Many => 25,
    };
    let mut list = vec![(Who::Owner, owner)];
    list.extend((0..users).map(|user| (Who::User(1000 + user), (bits + user as u16) & 7)));
    list.push((Who::OwningGroup, group));
    if users > 0 {
        list.push((Who::Group(50), others));
        list.push((Who::Mask, (owner ^ others) & 7));
    }
    list.push((Who::Others, others));
    Some(list)
}

/// A list in the form that the format layer knows.
pub fn as_acl(list: &List) -> Acl {
    let entry = |&(who, bits): &(Who, u16)| AclEntry { who, permissions: bits as u8 };
    Acl::new(list.iter().map(entry).collect())
        .unwrap_or_else(|error| panic!("a list that holds together: {error}"))
}

/// The permissions that show a list.
fn shown(list: &List) -> u16 {
    let bits = |wanted| list.iter().find(|(who, _)| *who == wanted).map(|(_, bits)| *bits);
    let group = bits(Who::Mask).or(bits(Who::OwningGroup)).unwrap_or(0);
    bits(Who::Owner).unwrap_or(0) << 6 | group << 3 | bits(Who::Others).unwrap_or(0)
}

/// The list that shows permissions.
fn show(list: &mut List, mode: u16) {
    let masked = list.iter().any(|(who, _)| *who == Who::Mask);
    for (who, bits) in list {
        match who {
            Who::Owner => *bits = mode >> 6 & 7,
            Who::Others => *bits = mode & 7,
            Who::Mask => *bits = mode >> 3 & 7,
            Who::OwningGroup if !masked => *bits = mode >> 3 & 7,
            _ => {}
        }
    }
}
