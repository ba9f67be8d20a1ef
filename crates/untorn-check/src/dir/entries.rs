//! The entries of one directory: each names an inode in use by its right kind, no name twice, `.`
//! and `..` where they belong.

use super::Name;
use crate::code::Code;
use crate::inode::Node;
use crate::inode::states::{States, name_hash};
use crate::scan::{Scan, Step};
use std::hash::{DefaultHasher, Hash, Hasher};
use untorn_format::Place;
use untorn_format::da::hash_name;
use untorn_format::dir::{DataPtr, DirBlock, Entry, FileType};
use untorn_format::inode::FileKind;
use untorn_format::units::*;

/// The form of a directory that has blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One block with entries and index.
    Block,
    /// Data blocks and one leaf.
    Leaf,
    /// Data blocks, a tree of leaves, free index.
    Node,
}

/// What is remembered of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    /// Hash of its name.
    pub(crate) hash: u32,
    /// Where it lies; zero in short forms.
    pub(crate) ptr: DataPtr,
    /// A second hash of the name: equal for equal names, practically never for others.
    name: u64,
}

/// The entries of a directory.
pub(crate) struct Entries<'s> {
    ino: Ino,
    generation: u32,
    states: &'s mut States,
    names: &'s mut Vec<Name>,
    /// What `..` names.
    pub(crate) parent: Option<Ino>,
    dot: bool,
    /// Whether all entries could be read.
    pub(crate) intact: bool,
    /// All entries met.
    pub(crate) seen: Vec<Seen>,
}

impl<'s> Entries<'s> {
    pub(crate) fn new(node: &Node<'_>, states: &'s mut States, names: &'s mut Vec<Name>) -> Self {
        let (ino, generation, seen) = (node.ino, node.core.generation, Vec::new());
        Self { ino, generation, states, names, parent: None, dot: false, intact: true, seen }
    }

    /// The `.` and `..` that a short form has without entries.
    pub(crate) fn implied_dots(&mut self, scan: &mut Scan<'_>, parent: Ino, place: Place) -> Step {
        self.link(self.ino);
        self.dotdot(scan, parent, place)
    }

    /// Takes an entry of the block `at`, or of a short form.
    pub(crate) fn add(
        &mut self,
        scan: &mut Scan<'_>,
        entry: &Entry<'_>,
        (place, at): (Place, Option<DirBlock>),
    ) -> Step {
        let base = place.offset.unwrap_or(0);
        let place = Place { offset: Some(base + entry.offset as u64), ..place };
        let ptr = at.and_then(|block| scan.geometry().dir_ptr(block, entry.offset));
        let mut hasher = DefaultHasher::new();
        entry.name.hash(&mut hasher);
        let (hash, name) = (hash_name(entry.name), hasher.finish());
        self.seen.push(Seen { hash, ptr: ptr.unwrap_or_default(), name });
        match entry.name {
            b"." if at.is_some() => self.dot(scan, entry, place),
            b".." if at.is_some() => {
                self.check_type(scan, entry, place)?;
                self.dotdot(scan, entry.ino, place)
            }
            b"." | b".." => scan.find(Code::DirectoryDots, place, "a short form with . or .."),
            _ => self.name(scan, entry, place),
        }
    }

    fn dot(&mut self, scan: &mut Scan<'_>, entry: &Entry<'_>, place: Place) -> Step {
        self.dot = true;
        self.link(self.ino);
        self.check_type(scan, entry, place)?;
        let told = format_args!("`.` names inode {}", entry.ino);
        scan.demand(entry.ino == self.ino, Code::DirectoryDots, place, told)
    }

    fn dotdot(&mut self, scan: &mut Scan<'_>, parent: Ino, place: Place) -> Step {
        self.link(parent);
        let known = self.states.at(parent).is_some();
        if known {
            self.parent = Some(parent);
        }
        let told = format_args!("`..` names inode {parent}, which is not in use");
        scan.demand(known, Code::DirectoryDots, place, told)
    }

    fn link(&mut self, ino: Ino) {
        if let Some(state) = self.states.at_mut(ino) {
            state.found = state.found.saturating_add(1);
        }
    }

    fn name(&mut self, scan: &mut Scan<'_>, entry: &Entry<'_>, place: Place) -> Step {
        scan.stats.entries += 1;
        let Some(state) = self.states.at_mut(entry.ino) else {
            let told = format!(
                "entry {} names inode {}, which is not in use",
                shown(entry.name),
                entry.ino
            );
            return scan.find(Code::EntryDangling, place, told);
        };
        state.found = state.found.saturating_add(1);
        let hash = name_hash(self.ino, self.generation, entry.name);
        state.parents = state.parents.wrapping_add(hash);
        if state.kind == Some(FileKind::Directory) {
            self.names.push(Name { child: entry.ino, parent: self.ino });
        }
        self.check_type(scan, entry, place)
    }

    /// Holds the type that an entry records against the inode that it names.
    fn check_type(&self, scan: &mut Scan<'_>, entry: &Entry<'_>, place: Place) -> Step {
        let expected = match scan.sb.features.has_ftype() {
            true => self.states.at(entry.ino).and_then(|state| state.file_type()),
            false => Some(FileType::Unknown),
        };
        let Some(expected) = expected.filter(|&expected| expected != entry.file_type) else {
            return Ok(());
        };
        // A whiteout is a character device that overlays know by its type.
        if (entry.file_type, expected) == (FileType::Whiteout, FileType::CharDevice) {
            return Ok(());
        }
        let (name, ino) = (shown(entry.name), entry.ino);
        let told =
            format!("entry {name} records {:?}, inode {ino} is {expected:?}", entry.file_type);
        scan.find(Code::EntryType, place, told)
    }

    /// Checks that a directory with blocks has `.` and `..`, where all its entries could be read.
    pub(crate) fn check_dots(&mut self, scan: &mut Scan<'_>) -> Step {
        if !self.intact {
            scan.blind.names = true;
            return Ok(());
        }
        let place = Place::inode(self.ino);
        scan.demand(self.dot, Code::DirectoryDots, place, "there is no `.`")?;
        scan.demand(self.parent.is_some(), Code::DirectoryDots, place, "there is no usable `..`")
    }

    /// Checks that no name is there twice.
    pub(crate) fn check_duplicates(&mut self, scan: &mut Scan<'_>) -> Step {
        self.seen.sort_unstable_by_key(|seen| (seen.hash, seen.name, seen.ptr));
        let pairs = self.seen.iter().zip(self.seen.iter().skip(1));
        for (_, twin) in pairs.filter(|(a, b)| (a.hash, a.name) == (b.hash, b.name)) {
            let place = Place { offset: Some(twin.ptr.byte()), ..Place::inode(self.ino) };
            scan.find(Code::EntryTwice, place, "an entry of this name stands before it")?;
        }
        Ok(())
    }
}

/// A name as messages show it.
pub(crate) fn shown(name: &[u8]) -> String {
    format!("\"{}\"", name.escape_ascii())
}
