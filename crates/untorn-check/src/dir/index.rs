//! The hashed index and the free index of directories that have blocks for them.

use super::entries::{Entries, Form, Seen};
use crate::code::Code;
use crate::da::{Blocks, Index, LeafSpan, Leaves};
use crate::merge::{Side, merge};
use crate::scan::{Scan, Step};
use untorn_format::da::DaBlock;
use untorn_format::dir::leaf::{NO_BLOCK, Role};
use untorn_format::dir::{DataPtr, DirBlock, Free, Leaf, Space};
use untorn_format::units::*;
use untorn_format::{BlockKind, Place};

/// Longest free region of each data block that there is, in order.
type Bests = [(DirBlock, usize)];

/// Checks the indexes of a directory against the entries and the data blocks that were met.
pub(super) fn check(
    scan: &mut Scan<'_>,
    blocks: &Blocks,
    form: Form,
    (entries, bests): (&mut Entries<'_>, &Bests),
) -> Step {
    let root = scan.geometry().dir_space(Space::Leaf);
    let Some(root) = DaBlock::of(root) else { return Ok(()) };
    let mut taker = Taker { form, indexed: Vec::new(), bests: None };
    let mut walk = Index::new(blocks);
    walk.walk(scan, root, &mut taker)?;
    if !walk.intact || !entries.intact {
        return Ok(());
    }
    check_reached(scan, blocks, &walk)?;
    compare(scan, blocks.ino, entries, taker.indexed)?;
    match taker.bests {
        Some(said) => {
            let place = blocks.place(scan, root.file_block());
            let end = bests.last().map_or(0, |(block, _)| block.0 as usize + 1);
            let told = format_args!("{} bests for {end} data blocks", said.len());
            scan.demand(said.len() == end, Code::FreeIndex, place, told)?;
            check_bests(scan, place, bests, &said, 0)
        }
        None => check_free(scan, blocks, bests),
    }
}

struct Taker {
    form: Form,
    indexed: Vec<(u32, DataPtr)>,
    bests: Option<Vec<u16>>,
}

impl Leaves for Taker {
    fn accepts(&self, kind: BlockKind, alone: bool) -> bool {
        match self.form {
            Form::Leaf => kind == BlockKind::DirLeaf1 && alone,
            _ => kind == BlockKind::DirLeafN,
        }
    }

    fn leaf(&mut self, _: &mut Scan<'_>, bytes: &[u8], _: Place) -> Step<Option<LeafSpan>> {
        let role = if self.form == Form::Leaf { Role::Single } else { Role::BelowNode };
        let Ok(leaf) = Leaf::parse(role, bytes) else { return Ok(None) };
        let entries = leaf.entries();
        let live = entries.iter().filter(|entry| !entry.is_stale());
        self.indexed.extend(live.map(|entry| (entry.hash(), entry.ptr())));
        if self.form == Form::Leaf {
            self.bests = Some(leaf.bests().collect());
        }
        let ends = entries.first().zip(entries.last());
        let hashes = ends.map(|(first, last)| (first.hash(), last.hash()));
        Ok(Some(LeafSpan { info: *leaf.info(), hashes }))
    }
}

/// Checks that every index block that is mapped belongs to the tree.
fn check_reached(scan: &mut Scan<'_>, blocks: &Blocks, walk: &Index<'_>) -> Step {
    let geometry = scan.geometry();
    let (from, to) = (geometry.dir_space(Space::Leaf), geometry.dir_space(Space::Free));
    for block in blocks.mapped(from, to) {
        let reached = DaBlock::of(block).is_some_and(|block| walk.seen.contains(&block.0));
        let place = blocks.place(scan, block);
        scan.demand(reached, Code::IndexUnreached, place, "no node leads to this index block")?;
    }
    Ok(())
}

/// Compares the index with the entries, as sets.
fn compare(
    scan: &mut Scan<'_>,
    ino: Ino,
    entries: &mut Entries<'_>,
    mut indexed: Vec<(u32, DataPtr)>,
) -> Step {
    indexed.sort_unstable();
    entries.seen.sort_unstable_by_key(|seen| (seen.hash, seen.ptr));
    let met = entries.seen.iter().map(|seen: &Seen| (seen.hash, seen.ptr));
    for side in merge(met, indexed.into_iter(), |a, b| a.cmp(b)) {
        let (ptr, told) = match side {
            Side::Both(..) => continue,
            Side::Left((hash, ptr)) => {
                (ptr, format!("the entry here is not in the index under its hash {hash:#x}"))
            }
            Side::Right((hash, ptr)) => {
                (ptr, format!("the index has hash {hash:#x} for what stands here"))
            }
        };
        let place = Place { offset: Some(ptr.byte()), ..Place::inode(ino) };
        scan.find(Code::IndexDisagrees, place, told)?;
    }
    Ok(())
}

/// Checks the bests that an index block says for the data blocks from `first` on.
fn check_bests(scan: &mut Scan<'_>, place: Place, bests: &Bests, said: &[u16], first: u32) -> Step {
    let covered = first..first.saturating_add(said.len() as u32);
    let mut here = bests
        .iter()
        .skip(below(bests, first))
        .take_while(|(block, _)| covered.contains(&block.0))
        .peekable();
    for (number, &said) in covered.clone().zip(said) {
        let there = here.next_if(|(block, _)| block.0 == number);
        let is = there.map_or(usize::from(NO_BLOCK), |(_, best)| *best);
        let told = format_args!("longest free region of data block {number}: {said}, it is {is}");
        scan.demand(usize::from(said) == is, Code::FreeIndex, place, told)?;
    }
    Ok(())
}

/// Checks the free index of a node-form directory.
fn check_free(scan: &mut Scan<'_>, blocks: &Blocks, bests: &Bests) -> Step {
    let geometry = scan.geometry();
    let from = geometry.dir_space(Space::Free);
    let mut covered = 0usize;
    for block in blocks.mapped(from, FileBlock(u64::MAX)) {
        let Some((_, number)) = geometry.dir_block_of(block) else { continue };
        let Some(bytes) = blocks.verified(scan, block, BlockKind::DirFree)? else { return Ok(()) };
        let place = blocks.place(scan, block);
        let Ok(free) = Free::parse(&bytes) else { return Ok(()) };
        let said = free.first().0;
        let (home, index) = geometry.dir_free_place(free.first());
        if home != number || index != 0 {
            let told = format!("free index block {} covers data blocks from {said}", number.0);
            scan.find(Code::FreeIndex, place, told)?;
            continue;
        }
        let list: Vec<u16> = free.bests().collect();
        check_bests(scan, place, bests, &list, said)?;
        let end = said.saturating_add(list.len() as u32);
        covered += below(bests, end) - below(bests, said);
    }
    let told = format_args!("covers {covered} of {} data blocks", bests.len());
    scan.demand(covered == bests.len(), Code::FreeIndex, Place::inode(blocks.ino), told)
}

/// How many data blocks there are before number `end`.
fn below(bests: &Bests, end: u32) -> usize {
    bests.partition_point(|(block, _)| block.0 < end)
}
