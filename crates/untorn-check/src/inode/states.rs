//! What is remembered of every inode until link counts can be compared: a few bytes each.

use std::ops::Range;
use untorn_format::Geometry;
use untorn_format::dir::FileType;
use untorn_format::inode::{FileKind, InodeCore};
use untorn_format::records::InobtRec;
use untorn_format::units::*;

/// What is remembered of an inode in use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// Links that it says it has.
    pub(crate) links: u32,
    /// Links that were found.
    pub(crate) found: u32,
    /// What it is; `None` where it could not be read.
    pub(crate) kind: Option<FileKind>,
    /// Its generation.
    pub(crate) generation: u32,
    /// Whether it is on a chain of unlinked inodes.
    pub(crate) chained: bool,
    /// Names found less parent pointers found, each as a hash: zero where they are the same.
    pub(crate) parents: u64,
}

impl State {
    /// What an entry of a directory should call it.
    pub(crate) fn file_type(&self) -> Option<FileType> {
        self.kind.map(|kind| FileType::of_mode(kind.mode_bits()))
    }

    /// Takes over what the inode says.
    pub(crate) fn set(&mut self, core: &InodeCore) {
        self.links = core.nlink;
        self.kind = core.kind();
        self.generation = core.generation;
    }
}

struct Chunk {
    start: u32,
    used: u64,
    first: usize,
}

#[derive(Default)]
struct Group {
    chunks: Vec<Chunk>,
    states: Vec<State>,
}

/// The inodes of a volume that its inode btrees say are in use.
pub(crate) struct States {
    geometry: Geometry,
    groups: Vec<Group>,
}

impl States {
    pub(crate) fn new(geometry: &Geometry) -> Self {
        let groups = (0..geometry.ag_count).map(|_| Group::default()).collect();
        Self { geometry: geometry.clone(), groups }
    }

    /// Adds the chunks of an AG, first to last.
    pub(crate) fn add(&mut self, ag: AgNumber, chunks: &[InobtRec]) {
        let Some(group) = self.groups.get_mut(ag.0 as usize) else { return };
        for rec in chunks {
            let (used, first) = (rec.allocated() & !rec.free, group.states.len());
            group.chunks.push(Chunk { start: rec.start.0, used, first });
            let count = first + used.count_ones() as usize;
            group.states.resize(count, State::default());
        }
    }

    fn index(&self, ino: Ino) -> Option<(usize, usize)> {
        let (ag, in_ag) = self.geometry.split_ino(ino)?;
        let group = self.groups.get(ag.0 as usize)?;
        let after = group.chunks.partition_point(|chunk| chunk.start <= in_ag.0);
        let chunk = group.chunks.get(after.checked_sub(1)?)?;
        let bit = in_ag.0.checked_sub(chunk.start).filter(|&bit| bit < 64)?;
        let before = (chunk.used & ((1 << bit) - 1)).count_ones() as usize;
        (chunk.used >> bit & 1 == 1).then_some((ag.0 as usize, chunk.first + before))
    }

    /// The state of an inode; `None` where it is not in use.
    pub(crate) fn at(&self, ino: Ino) -> Option<&State> {
        let (group, index) = self.index(ino)?;
        self.groups.get(group)?.states.get(index)
    }

    /// The state of an inode, to be changed.
    pub(crate) fn at_mut(&mut self, ino: Ino) -> Option<&mut State> {
        let (group, index) = self.index(ino)?;
        self.groups.get_mut(group)?.states.get_mut(index)
    }

    /// Every inode in use and its state, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Ino, &State)> {
        let groups = (0..).zip(&self.groups);
        groups.flat_map(move |(ag, group)| {
            let inos = group.chunks.iter().flat_map(|chunk| {
                let bits: Range<u32> = 0..64;
                let used = bits.filter(|bit| chunk.used >> bit & 1 == 1);
                used.map(|bit| AgIno(chunk.start.saturating_add(bit)))
            });
            let inos = inos.map(move |ino| self.geometry.ino(AgNumber(ag), ino));
            inos.zip(&group.states)
        })
    }
}

/// One name of an inode, or one parent pointer, as a number to be added and taken away.
pub(crate) fn name_hash(parent: Ino, generation: u32, name: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (parent.0, generation, name).hash(&mut hasher);
    hasher.finish() | 1
}
