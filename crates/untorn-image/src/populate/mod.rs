//! Writes a tree into a volume.
//!
//! ```text
//! names, sorted, directories before what is in them -> make -> bytes, a load of the reader at a
//! time -> attributes, access lists, times; a directory gets these when all in it is there
//! ```
//! One thread makes every change, in an order that depends on the tree alone, and blocks of zeroes
//! become holes: so the same tree gives the same volume, byte for byte, where the volume's clock
//! stands still.
//!
//! Invariants: contents go past the page cache, so nothing is written at a time of its own choice.

mod contents;
mod dress;
mod place;

use crate::contents::Contents;
use crate::error::{AtPath, Error, Result, shown};
use crate::reader::Loads;
use crate::room::most_needed_of;
use crate::tree::{Item, ItemId, Tree, What};
use contents::{Dealt, Waiting};
use dress::Dress;
use place::There;
use std::collections::{HashSet, btree_map};
use untorn::{Make, NewFile, Volume};
use untorn_format::Ino;

const SET_GROUP: u16 = 0o2000;

/// What is told while a tree is written. Paths are those in the tree, errors name those on the
/// volume.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// This path comes now.
    Path(&'a [u8]),
    /// So many bytes more were written.
    Bytes(u64),
    /// The file at this path changed while it was read: it may be a mixture, and ends where it
    /// ended then.
    Changed(&'a [u8]),
    /// This was left out.
    LeftOut(&'a Error),
}

/// What becomes of directories that stood there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stood {
    /// They stay what they are.
    Stays,
    /// They get owner, permissions, attributes and times of those in the tree.
    IsDressed,
}

/// The directory of a volume that a tree is copied into.
#[derive(Clone, Copy, Debug)]
pub struct Target<'p> {
    /// The directory.
    pub dir: Ino,
    /// Its path, which errors begin with: without a slash behind it, so that of the root is empty.
    pub path: &'p [u8],
    /// What becomes of directories that stood there before; this one, too, where the tree has
    /// something to say of its root.
    pub stood: Stood,
}

/// What becomes of a tree with a file that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    /// Nothing more is written.
    Ends,
    /// The rest is written.
    IsLeftOut,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Regular files.
    pub files: u64,
    /// Directories, the root not counted.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Devices, pipes and sockets.
    pub specials: u64,
    /// Names beyond the first of what has several.
    pub links: u64,
    /// Bytes of regular files that are not in holes.
    pub bytes: u64,
}

/// What becomes of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// They are written.
    Write,
    /// They only get their blocks.
    Reserve,
}

/// What the root of a tree is put onto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onto {
    /// The root of a new volume, which becomes like it.
    NewRoot,
    /// This directory.
    Existing(Ino, Stood),
}

/// Writes what is in `tree` into the directory `dir` of the volume. Directories that are there
/// already keep owner, permissions and what else is in them; other files of the same names are
/// replaced when what replaces them is whole. A directory takes no file's place, and no file a
/// directory's.
///
/// Where it fails, what is there is whole: files that were, and files that were read to their ends.
pub fn populate(
    volume: &Volume,
    dir: Ino,
    tree: &Tree,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Summary> {
    write(volume, Onto::Existing(dir, Stood::Stays), tree, Data::Write, watch)
}

/// The same, but a file that cannot be read is told of and left out, and the rest is written. What
/// was written is known also where that fails.
pub fn populate_readable(
    volume: &Volume,
    target: Target<'_>,
    tree: &Tree,
    watch: &mut dyn FnMut(Step<'_>),
) -> (Summary, Result<()>) {
    let onto = (Onto::Existing(target.dir, target.stood), target.path);
    write_as(volume, onto, tree, (Data::Write, Unreadable::IsLeftOut), watch)
}

pub(crate) fn write(
    volume: &Volume,
    onto: Onto,
    tree: &Tree,
    data: Data,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Summary> {
    let how = (data, Unreadable::Ends);
    let (summary, done) = write_as(volume, (onto, b""), tree, how, watch);
    done.map(|()| summary)
}

fn write_as(
    volume: &Volume,
    (onto, above): (Onto, &[u8]),
    tree: &Tree,
    (data, unreadable): (Data, Unreadable),
    watch: &mut dyn FnMut(Step<'_>),
) -> (Summary, Result<()>) {
    let files = files(tree);
    std::thread::scope(|scope| {
        let loads = Loads::begin(scope, files);
        let block = u64::from(volume.superblock().geometry.block_size() as u32);
        let made = vec![None; tree.len()];
        let (load, waiting, summary, path, beside) = Default::default();
        let lost = HashSet::new();
        let mut writer = Writer {
            volume,
            tree,
            data,
            unreadable,
            above,
            loads,
            block,
            made,
            lost,
            load,
            waiting,
            summary,
            path,
            beside,
            watch,
        };
        let done = writer.all(onto).map_err(|error| writer.told(error));
        // A new volume that lacks something is of no use.
        if done.is_err() && onto != Onto::NewRoot {
            writer.rescue();
        }
        (writer.summary, done)
    })
}

/// The contents of regular files in the order in which they are met.
fn files(tree: &Tree) -> Vec<&Contents> {
    let mut files = Vec::new();
    let mut met = vec![false; tree.len()];
    let mut todo = vec![tree.root()];
    while let Some(id) = todo.pop() {
        if std::mem::replace(&mut met[id.0], true) {
            continue;
        }
        match &tree.item(id).what {
            What::Directory(names) => todo.extend(names.values().rev()),
            What::File(contents) => files.push(contents),
            _ => {}
        }
    }
    files
}

/// Whether a directory was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    New,
    Old,
}

/// A directory that is being filled.
struct Frame<'t> {
    id: ItemId,
    ino: Ino,
    age: Age,
    names: btree_map::Iter<'t, Vec<u8>, ItemId>,
    /// Bytes of its path.
    path: usize,
}

struct Writer<'t, 'w> {
    volume: &'t Volume,
    tree: &'t Tree,
    data: Data,
    unreadable: Unreadable,
    /// The path of the directory that the tree is copied into.
    above: &'w [u8],
    loads: Loads,
    block: u64,
    made: Vec<Option<Ino>>,
    /// Files that could not be read.
    lost: HashSet<ItemId>,
    /// The load whose turn it is.
    load: Option<Dealt>,
    /// The files that its parts were dealt to.
    waiting: Vec<Waiting>,
    summary: Summary,
    /// Where it is in the tree.
    path: Vec<u8>,
    /// Names that were made up.
    beside: u64,
    watch: &'w mut dyn FnMut(Step<'_>),
}

type Done<T = ()> = std::result::Result<T, Failure>;

/// What went wrong; the path is added where it is known.
enum Failure {
    Here(untorn::Error),
    Told(Error),
}

impl From<untorn::Error> for Failure {
    fn from(error: untorn::Error) -> Self {
        Self::Here(error)
    }
}

impl<'t> Writer<'t, '_> {
    /// Where it is on the volume, for people.
    fn shown_path(&self) -> String {
        shown(&[self.above, &self.path].concat())
    }

    fn told(&self, failure: Failure) -> Error {
        let path = self.shown_path();
        match failure {
            Failure::Told(error) => error,
            Failure::Here(untorn::Error::NoSpace { .. }) => {
                let superblock = self.volume.superblock();
                let geometry = &superblock.geometry;
                let size = geometry.data_blocks << geometry.block_log;
                let needed = most_needed_of(self.tree, superblock);
                Error::NoRoom { path, size, needed }
            }
            Failure::Here(source) => Error::Volume(Box::new(AtPath { path, source })),
        }
    }

    fn all(&mut self, onto: Onto) -> Done {
        let root = self.tree.root();
        let (ino, age) = match onto {
            Onto::NewRoot => (self.volume.root(), Age::New),
            Onto::Existing(ino, _) => (ino, Age::Old),
        };
        let dresses = matches!(onto, Onto::Existing(_, Stood::IsDressed));
        let mut frames: Vec<Frame<'t>> = self.frame(root, ino, age).into_iter().collect();
        while let Some(frame) = frames.last_mut() {
            self.path.truncate(frame.path);
            let Some((name, &id)) = frame.names.next() else {
                let (id, ino, age) = (frame.id, frame.ino, frame.age);
                frames.pop();
                if age == Age::New {
                    let everything =
                        if ino == self.volume.root() { Dress::All } else { Dress::Rest };
                    self.dress(id, ino, everything)?;
                } else if dresses && (id != root || self.tree.root_said) {
                    self.finish(id, ino, Age::Old)?;
                }
                continue;
            };
            let (dir, in_dir) = (frame.ino, frame.age);
            self.path.push(b'/');
            self.path.extend(name);
            (self.watch)(Step::Path(&self.path));
            if let Some((ino, age)) = self.one(dir, name, id, in_dir)? {
                frames.extend(self.frame(id, ino, age));
            }
        }
        self.flush()
    }

    fn frame(&self, id: ItemId, ino: Ino, age: Age) -> Option<Frame<'t>> {
        let tree: &'t Tree = self.tree;
        match &tree.item(id).what {
            What::Directory(names) => {
                Some(Frame { id, ino, age, names: names.iter(), path: self.path.len() })
            }
            _ => None,
        }
    }

    /// Makes what is called `name`; a directory is returned to be filled.
    fn one(&mut self, dir: Ino, name: &[u8], id: ItemId, in_dir: Age) -> Done<Option<(Ino, Age)>> {
        let tree: &'t Tree = self.tree;
        let item = tree.item(id);
        if self.lost.contains(&id) {
            let path = self.shown_path();
            let what = "left out with its first name, which could not be read".to_owned();
            (self.watch)(Step::LeftOut(&Error::Source { path, what }));
            return Ok(None);
        }
        let place = match self.place((dir, in_dir), name, item)? {
            There::Free(place) => place,
            There::Directory(old) => return Ok(Some((old, Age::Old))),
        };
        if let Some(ino) = self.made[id.0] {
            return self.link(ino, place).map(|()| None);
        }
        let is_directory = matches!(item.what, What::Directory(_));
        // A directory must not hand down before it is full.
        let permissions = item.permissions & !if is_directory { SET_GROUP } else { 0 };
        let new = NewFile { permissions, uid: item.uid, gid: item.gid };
        let ino = self.volume.make(place.name(), kind(item), new)?;
        self.made[id.0] = Some(ino);
        self.count(item);
        match &item.what {
            What::Directory(_) if in_dir == Age::Old => {
                self.forget_inherited(ino, item)?;
                Ok(Some((ino, Age::New)))
            }
            What::Directory(_) => Ok(Some((ino, Age::New))),
            What::File(_) => {
                let file = self.volume.file(ino)?;
                self.waiting.push(Waiting::new(id, file, in_dir, place));
                self.deal()?;
                Ok(None)
            }
            _ => {
                let done = self.finish(id, ino, in_dir);
                self.settle_or_remove(&place, done)?;
                Ok(None)
            }
        }
    }

    /// The file that was made last cannot be read.
    fn lose(&mut self, id: ItemId, error: Error) -> Done {
        if self.unreadable == Unreadable::Ends {
            return Err(Failure::Told(error));
        }
        (self.watch)(Step::LeftOut(&error));
        self.lost.insert(id);
        Ok(())
    }

    fn count(&mut self, item: &Item) {
        let count = match item.what {
            What::File(_) => &mut self.summary.files,
            What::Directory(_) => &mut self.summary.directories,
            What::Symlink(_) => &mut self.summary.symlinks,
            _ => &mut self.summary.specials,
        };
        *count += 1;
    }
}

fn kind(item: &Item) -> Make<'_> {
    match &item.what {
        What::Directory(_) => Make::Directory,
        What::File(_) => Make::File,
        What::Symlink(target) => Make::Symlink(target),
        What::Fifo => Make::Fifo,
        What::Socket => Make::Socket,
        What::CharDevice(major, minor) => Make::CharDevice(*major, *minor),
        What::BlockDevice(major, minor) => Make::BlockDevice(*major, *minor),
    }
}
