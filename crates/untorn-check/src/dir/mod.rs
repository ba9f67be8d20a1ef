//! Directories in every form: what they name, and that their indexes say the same as their entries.
//!
//! Read when all inodes are known, so that an entry is held against the inode that it names.

mod entries;
mod index;

use crate::code::Code;
use crate::da::Blocks;
use crate::inode::states::States;
use crate::inode::{self, Directory, Node};
use crate::options::Stage;
use crate::scan::{Scan, Step};
use entries::{Entries, Form};
use untorn_format::dir::{Block, Data, DirBlock, Short, Space, short};
use untorn_format::inode::ForkFormat;
use untorn_format::units::*;
use untorn_format::{BlockKind, Fork, Place};

/// What a directory says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Its number.
    pub(crate) ino: Ino,
    /// What its `..` names.
    pub(crate) parent: Option<Ino>,
}

/// A directory named by an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// The directory that is named.
    pub(crate) child: Ino,
    /// The directory with the entry.
    pub(crate) parent: Ino,
}

/// How directories hang together.
#[derive(Default)]
pub(crate) struct Tree {
    /// What each says of itself, in order of numbers.
    pub(crate) directories: Vec<Facts>,
    /// Who names whom, in order of children.
    pub(crate) names: Vec<Name>,
}

impl Tree {
    /// Whether an entry names the directory `ino`.
    pub(crate) fn is_named(&self, ino: Ino) -> bool {
        self.names.binary_search_by_key(&ino, |name| name.child).is_ok()
    }
}

/// Checks every directory of `directories`; what they say.
pub(crate) fn check_all(
    scan: &mut Scan<'_>,
    directories: Vec<Directory>,
    states: &mut States,
) -> Step<Tree> {
    let count = directories.len() as u64;
    let mut tree = Tree::default();
    for (done, directory) in (0..).zip(directories) {
        if done % 1024 == 0 {
            scan.progress(Stage::Directories, done, count);
        }
        let ino = directory.ino;
        let parent = check(scan, directory, (states, &mut tree.names))?;
        tree.directories.push(Facts { ino, parent });
    }
    tree.names.sort_unstable();
    scan.progress(Stage::Directories, count, count);
    Ok(tree)
}

/// Checks a directory; what its `..` names.
fn check(
    scan: &mut Scan<'_>,
    directory: Directory,
    (states, names): (&mut States, &mut Vec<Name>),
) -> Step<Option<Ino>> {
    let ino = directory.ino;
    let Some((core, bytes)) = inode::again(scan, ino)? else { return Ok(None) };
    let node = Node { ino, core, bytes: &bytes, addr: inode::addr_of(scan, ino).0 };
    let mut entries = Entries::new(&node, states, names);
    if node.core.format == ForkFormat::Local {
        short_form(scan, &node, &mut entries)?;
        return Ok(entries.parent);
    }
    let unit_log = scan.geometry().dir_block_log;
    let blocks = Blocks { ino, extents: directory.extents, unit_log };
    match form(scan, &blocks) {
        Some(Form::Block) => block_form(scan, &node, &blocks, &mut entries)?,
        Some(form) => many_blocks(scan, &node, &blocks, form, &mut entries)?,
        None => {
            entries.intact = false;
            scan.find(Code::DirectoryForm, node.place(), "extents of no form of directory")?;
        }
    }
    entries.check_dots(scan)?;
    entries.check_duplicates(scan)?;
    Ok(entries.parent)
}

/// The form that the extents of a directory tell.
fn form(scan: &Scan<'_>, blocks: &Blocks) -> Option<Form> {
    let geometry = scan.geometry();
    let end = blocks.extents.last()?.file_end();
    let unit = 1 << geometry.dir_block_log;
    let leaf = geometry.dir_space(Space::Leaf).0;
    match end.0 {
        end if end == unit => Some(Form::Block),
        end if end == leaf + unit => Some(Form::Leaf),
        end if end > leaf => Some(Form::Node),
        _ => None,
    }
}

fn short_form(scan: &mut Scan<'_>, node: &Node<'_>, entries: &mut Entries<'_>) -> Step {
    let (fork, start) = node.fork(Fork::Data);
    let size = usize::try_from(node.core.size).unwrap_or(usize::MAX);
    let bytes = fork.get(..size).unwrap_or(fork);
    let place = Place { offset: Some(start as u64), ..node.place() };
    let geometry = scan.geometry();
    scan.blind.names |= !scan.unless_faulty(short::verify(bytes, geometry), place)?;
    let Ok(short) = Short::parse(bytes) else { return Ok(()) };
    entries.implied_dots(scan, short.parent(), place)?;
    for entry in short.entries().map_while(Result::ok) {
        entries.add(scan, &entry, (place, None))?;
    }
    entries.check_duplicates(scan)
}

fn check_size(scan: &mut Scan<'_>, node: &Node<'_>, expected: u64) -> Step {
    let said = node.core.size;
    let told = format_args!("size is {said}, its data blocks end at byte {expected}");
    scan.demand(said == expected, Code::DirectorySize, node.place(), told)
}

fn block_form(
    scan: &mut Scan<'_>,
    node: &Node<'_>,
    blocks: &Blocks,
    entries: &mut Entries<'_>,
) -> Step {
    check_size(scan, node, scan.geometry().dir_block_size() as u64)?;
    let Some(bytes) = blocks.verified(scan, FileBlock(0), BlockKind::DirBlock)? else {
        entries.intact = false;
        return Ok(());
    };
    let place = blocks.place(scan, FileBlock(0));
    // The index was held against the entries when the block was verified.
    let Ok(block) = Block::parse(&bytes) else { return Ok(()) };
    for entry in block.entries().map_while(Result::ok) {
        entries.add(scan, &entry, (place, Some(DirBlock(0))))?;
    }
    Ok(())
}

/// A directory whose index has blocks of its own.
fn many_blocks(
    scan: &mut Scan<'_>,
    node: &Node<'_>,
    blocks: &Blocks,
    form: Form,
    entries: &mut Entries<'_>,
) -> Step {
    let geometry = scan.geometry();
    let leaf = geometry.dir_space(Space::Leaf);
    let mut bests = Vec::new();
    for block in blocks.mapped(FileBlock(0), leaf) {
        let Some((_, number)) = geometry.dir_block_of(block) else { continue };
        let Some(bytes) = blocks.verified(scan, block, BlockKind::DirData)? else {
            entries.intact = false;
            continue;
        };
        let place = blocks.place(scan, block);
        let Ok(data) = Data::parse(&bytes) else { continue };
        bests.push((number, data.best()));
        for entry in data.entries().map_while(Result::ok) {
            entries.add(scan, &entry, (place, Some(number)))?;
        }
    }
    let end = bests.last().map_or(0, |(number, _)| u64::from(number.0) + 1);
    if entries.intact {
        check_size(scan, node, end << (geometry.block_log + geometry.dir_block_log))?;
    }
    index::check(scan, blocks, form, (entries, &bests))
}
