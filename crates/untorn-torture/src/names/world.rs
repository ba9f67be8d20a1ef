//! A volume that does what the model does, by the library's public face.

use super::model::{ROOT, list};
use super::op::{How, ListOf, Op, Spot, What};
use super::{Model, NodeId, Refusal};
use crate::tree::diff;
use crate::volume_tree::volume_tree;
use std::collections::HashMap;
use untorn::attr::SetMode;
use untorn::{
    AclKind, Error, FileFlag, Make, Name, NewFile, NewMetadata, Orphan, Removal, Rename, SetTime,
    Sync, Traits, Volume,
};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_format::inode::Timestamp;

/// The name of an index: short ones, and some that fill a directory soon.
pub fn name(index: u8) -> Vec<u8> {
    let plain = format!("name-{index}");
    match index % 4 {
        3 => format!("{plain}-{}", "long".repeat(usize::from(index) + 4)).into_bytes(),
        _ => plain.into_bytes(),
    }
}

/// A target of so many bytes.
pub fn target(length: u16) -> Vec<u8> {
    (0..length).map(|i| b'a' + (i % 26) as u8).collect()
}

/// An attribute's value of so many bytes.
pub fn value(length: u16) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

/// A volume and the model of it.
pub struct World {
    /// What it must hold.
    pub model: Model,
    /// Inode numbers of the model's inodes.
    pub inos: HashMap<NodeId, Ino>,
    unnamed: Option<Orphan>,
}

impl World {
    /// The world of a new volume.
    pub fn new(volume: &Volume) -> Self {
        let root =
            volume.metadata_of(volume.root()).unwrap_or_else(|error| panic!("a root: {error}"));
        let model = Model::new(root.inode.mode & 0o7777);
        Self { model, inos: HashMap::from([(ROOT, volume.root())]), unnamed: None }
    }

    /// The world of a volume that somebody else brought to what `model` says.
    pub fn of(volume: &Volume, model: Model) -> Self {
        let ids = model.ids().into_iter();
        let found = ids.map(|id| {
            (
                id,
                volume
                    .metadata(model.a_path_of(id))
                    .unwrap_or_else(|error| panic!("a path: {error}")),
            )
        });
        let inos = found.map(|(id, metadata)| (id, metadata.inode.ino)).collect();
        Self { model, inos, unnamed: None }
    }

    fn ino(&self, id: NodeId) -> Ino {
        self.inos[&id]
    }

    /// Does `op` to both, which must answer alike.
    pub fn step(&mut self, volume: &Volume, op: Op) {
        // Indices mean what there is before the operation.
        let before = self.model.clone();
        let wanted = self.model.apply(op);
        let done = match wanted {
            Err(Refusal::Nothing) => return,
            _ => self.perform(volume, &before, op),
        };
        let told = done.as_ref().err().map(|error| refusal(error, op));
        assert_eq!(told, wanted.err(), "{op:?}: {:?}", done.as_ref().err());
        if let (Ok(Some(id)), Ok(Some(ino))) = (wanted, done) {
            self.inos.insert(id, ino);
        }
    }

    /// Does `op` to both where there is room for it; to neither where the volume has none, and says
    /// so.
    pub fn try_step(&mut self, volume: &Volume, op: Op) -> Option<Error> {
        let before = self.model.clone();
        let wanted = self.model.apply(op);
        if wanted == Err(Refusal::Nothing) {
            return None;
        }
        match self.perform(volume, &before, op) {
            Err(error @ (Error::NoSpace { .. } | Error::NoRun { .. })) => {
                self.model = before;
                // Making another file without a name lets go of the one before first.
                if matches!(op, Op::MakeUnnamed { .. }) {
                    let _ = self.model.apply(Op::DropUnnamed);
                }
                Some(error)
            }
            done => {
                let told = done.as_ref().err().map(|error| refusal(error, op));
                assert_eq!(told, wanted.err(), "{op:?}: {:?}", done.as_ref().err());
                if let (Ok(Some(id)), Ok(Some(ino))) = (wanted, done) {
                    self.inos.insert(id, ino);
                }
                None
            }
        }
    }

    fn perform(&mut self, volume: &Volume, before: &Model, op: Op) -> untorn::Result<Option<Ino>> {
        let at = |spot: Spot| (before.directory(spot.dir), name(spot.name));
        match op {
            Op::Make { at: spot, what, mode } => {
                let (dir, name) = at(spot);
                self.make(volume, before, (dir, &name), what, mode).map(Some)
            }
            Op::Link { node, at: spot } => {
                let (dir, name) = at(spot);
                let ino = self.ino(before.any(node));
                volume.link(ino, Name::In(self.ino(dir), &name)).map(|()| None)
            }
            Op::Rename { from, to, how } => self.rename(volume, at(from), at(to), how),
            Op::Remove { at: spot } => {
                let (dir, name) = at(spot);
                volume.remove([before.path_of(dir), name].join(&b'/')).map(|()| None)
            }
            Op::RemoveKind { at: spot, directory } => {
                let (dir, name) = at(spot);
                let what = if directory { Removal::Directory } else { Removal::NoDirectory };
                volume.detach(Name::In(self.ino(dir), &name), what).map(|_| None)
            }
            Op::MakeUnnamed { dir, mode } => {
                self.unnamed = None;
                let new = NewFile { permissions: mode, uid: 0, gid: 0 };
                let orphan = volume.make_unnamed(self.ino(before.directory(dir)), new)?;
                let ino = orphan.ino();
                self.unnamed = Some(orphan);
                Ok(Some(ino))
            }
            Op::LinkUnnamed { at: spot } => {
                let (dir, name) = at(spot);
                let Some(orphan) = &self.unnamed else { panic!("the model has one") };
                orphan.link(Name::In(self.ino(dir), &name))?;
                self.unnamed = None;
                Ok(None)
            }
            Op::DropUnnamed => {
                self.unnamed = None;
                Ok(None)
            }
            other => self.change(volume, before, other).map(|()| None),
        }
    }

    fn make(
        &self,
        volume: &Volume,
        before: &Model,
        (dir, name): (NodeId, &[u8]),
        what: What,
        mode: u16,
    ) -> untorn::Result<Ino> {
        let held;
        let make = match what {
            What::File => Make::File,
            What::Directory => Make::Directory,
            What::Symlink(length) => {
                held = target(length);
                Make::Symlink(&held)
            }
            What::Fifo => Make::Fifo,
            What::Socket => Make::Socket,
            What::CharDevice => Make::CharDevice(5, 300),
            What::BlockDevice => Make::BlockDevice(259, 7),
        };
        let new = NewFile { permissions: super::model::made_mode(what, mode), uid: 0, gid: 0 };
        match mode % 2 {
            0 => volume.make(Name::In(self.ino(dir), name), make, new),
            _ => volume.make(&[before.path_of(dir), name.to_vec()].join(&b'/'), make, new),
        }
    }

    fn rename(
        &self,
        volume: &Volume,
        (from_dir, from): (NodeId, Vec<u8>),
        (to_dir, to): (NodeId, Vec<u8>),
        how: How,
    ) -> untorn::Result<Option<Ino>> {
        let how = match how {
            How::Replace => Rename::Replace,
            How::NoReplace => Rename::NoReplace,
            How::Exchange => Rename::Exchange,
            How::Whiteout => Rename::Whiteout { uid: 0, gid: 0 },
        };
        let dir = self.ino(from_dir);
        volume.rename(Name::In(dir, &from), Name::In(self.ino(to_dir), &to), how)?;
        match how {
            Rename::Whiteout { .. } => volume.find_in(dir, &from).map(Some),
            _ => Ok(None),
        }
    }

    fn change(&self, volume: &Volume, before: &Model, op: Op) -> untorn::Result<()> {
        let change = NewMetadata::default();
        match op {
            Op::Chmod { node, mode } => {
                let change = NewMetadata { permissions: Some(mode), ..change };
                volume.set_metadata_of(self.ino(before.no_symlink(node)), &change)
            }
            Op::Chown { node, uid, gid } => {
                let (uid, gid) = (Some(uid.into()), Some(gid.into()));
                let change = NewMetadata { uid, gid, ..change };
                volume.set_metadata_of(self.ino(before.any(node)), &change)
            }
            Op::SetTimes { node, seconds } => {
                let nanos = u32::from(seconds) * 7;
                let time = Timestamp { seconds: i64::from(seconds) * 1000, nanos };
                let mtime = Some(SetTime::To(time));
                let change = NewMetadata { atime: Some(SetTime::Now), mtime, ..change };
                volume.set_metadata_of(self.ino(before.any(node)), &change)
            }
            Op::SetList { node, default, of, bits } => {
                let kind = if default { AclKind::Default } else { AclKind::Access };
                let acl = list(of, bits).map(|list| super::model::as_acl(&list));
                let ino = self.ino(before.no_symlink(node));
                volume.set_acl_of(ino, kind, acl.as_ref())?;
                let kept = acl.filter(|acl| default || acl.is_extended());
                assert_eq!(volume.acl_of(ino, kind)?, kept);
                assert!(of != ListOf::Away || volume.acl_of(ino, kind)?.is_none());
                Ok(())
            }
            Op::SetProject { node, project, inherit } => {
                let id = before.plain(node);
                let ino = self.ino(id);
                let traits = volume.traits_of(ino)?;
                let inherit = inherit && before.kind(id) == crate::tree::Kind::Directory;
                let flags = match inherit {
                    true => traits.flags.with(FileFlag::ProjectInherit),
                    false => traits.flags.without(FileFlag::ProjectInherit),
                };
                volume.set_traits_of(ino, &Traits { project: project.into(), flags, ..traits })
            }
            Op::SetAttribute { node, name, length } => {
                let ino = self.ino(before.plain(node));
                let key = (Namespace::User, format!("a{name}").into_bytes());
                volume.set_attribute(ino, (key.0, &key.1), &value(length), SetMode::Upsert)
            }
            Op::Write { node, length, byte } => {
                let Some(id) = before.regular(node) else { return Ok(()) };
                let file = volume.file(self.ino(id))?;
                let bytes = vec![byte; length.into()];
                match byte % 2 {
                    0 => file.write_cached(0, &bytes, Sync::Visible),
                    _ => file.write_atomic(0, &bytes, Sync::Visible),
                }
            }
            Op::ReplaceContents { node, length, byte } => {
                self.replace(volume, before, node, &vec![byte; length.into()])
            }
            other => unreachable!("{other:?} changes names"),
        }
    }

    fn replace(
        &self,
        volume: &Volume,
        before: &Model,
        node: u8,
        bytes: &[u8],
    ) -> untorn::Result<()> {
        match before.regular(node) {
            Some(id) => volume.file(self.ino(id))?.replace(bytes, Sync::Visible),
            None => Ok(()),
        }
    }

    /// Compares all that the volume holds with the model.
    #[track_caller]
    pub fn compare(&self, volume: &Volume) {
        volume.sync().unwrap_or_else(|error| panic!("a sync: {error}"));
        let found =
            volume_tree(volume).unwrap_or_else(|error| panic!("a tree that can be read: {error}"));
        diff(&found, &self.model.tree(&found)).assert_none("the volume", "the model");
        for id in self.model.ids() {
            let traits =
                volume.traits_of(self.ino(id)).unwrap_or_else(|error| panic!("an inode: {error}"));
            let found = (traits.project, traits.flags.contains(FileFlag::ProjectInherit));
            assert_eq!(found, self.model.project(id), "project of inode {}", self.ino(id));
        }
    }

    /// Lets go of the file without a name.
    pub fn let_go(&mut self) {
        self.unnamed = None;
        let _ = self.model.apply(Op::DropUnnamed);
    }
}

fn refusal(error: &Error, op: Op) -> Refusal {
    match error {
        Error::NotFound(_) => Refusal::NotFound,
        Error::Exists(_) => Refusal::Exists,
        Error::NotEmpty(_) => Refusal::NotEmpty,
        Error::NotDirectory(_) => Refusal::NotDirectory,
        Error::IsDirectory(_) => Refusal::IsDirectory,
        Error::Invalid(_) => Refusal::Invalid,
        Error::CrossProject { .. } => Refusal::CrossProject,
        other => panic!("{op:?}: {other}"),
    }
}
