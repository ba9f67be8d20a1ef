//! One extent in place of whatever is mapped where it goes.
//!
//! Does what unmapping the range and mapping the extent would, with one look at the neighbourhood
//! and one change of its records: an overwrite that finds an extent of its own size changes a
//! single record.

use super::edit::{Reverse, change, change_records, count_blocks, cut, joined, reverse};
use super::fork::{Extents, staged};
use crate::btree::TreeBlocks;
use crate::error::{Error, Result};
use crate::tx::Tx;
use smallvec::SmallVec;
use untorn_format::records::{Extent, Fork};
use untorn_format::{Fault, Ino, Place};

/// Extents, seldom more.
type FewExtents = SmallVec<[Extent; 3]>;

/// What a fork has where an extent goes.
struct Surroundings {
    /// The record before, where none reaches into the range from there.
    left: Option<Extent>,
    /// The records that overlap the range.
    inside: FewExtents,
    /// The record behind, where none reaches out of the range.
    right: Option<Extent>,
}

impl Surroundings {
    fn of<B: TreeBlocks<Error = Error>>(extents: &mut Extents<B>, extent: &Extent) -> Result<Self> {
        let (mut left, mut next) = extents.around(extent.file)?;
        let mut inside: FewExtents =
            left.take_if(|left| left.file_end() > extent.file).into_iter().collect();
        while let Some(found) = next.take_if(|next| next.file < extent.file_end()) {
            if inside.last().is_some_and(|last| last.file_end() > found.file) {
                return Err(twice(&found));
            }
            inside.push(found);
            next = extents.following(&found)?;
        }
        Ok(Self { left, inside, right: next })
    }

    /// The records that go and those that come when `extent` takes its place.
    fn exchange(&self, extent: Extent) -> (FewExtents, FewExtents) {
        let range = extent.file..extent.file_end();
        let mut out = self.inside.clone();
        let rest = |found: Option<&Extent>| found.map(|found| cut(*found, &range));
        let before = rest(self.inside.first()).and_then(|cut| cut.left);
        let behind = rest(self.inside.last()).and_then(|cut| cut.right);
        let (mut records, mut whole) = (FewExtents::new(), extent);
        for (piece, neighbour) in [(before, self.left), (behind, self.right)] {
            match (piece, neighbour) {
                (Some(piece), _) => match joined(piece, whole) {
                    Some(one) => whole = one,
                    None => records.push(piece),
                },
                (None, Some(neighbour)) => {
                    if let Some(one) = joined(neighbour, whole) {
                        out.push(neighbour);
                        whole = one;
                    }
                }
                (None, None) => {}
            }
        }
        records.push(whole);
        (out, records)
    }
}

/// The fault of an extent that lies in another.
fn twice(extent: &Extent) -> Error {
    let (what, field) = ("extent map", "block that is mapped twice");
    Fault::Field { what, field, value: extent.file.0 }.at(Place::default()).into()
}

/// Maps `extent`, whose blocks were taken already, in place of all that is mapped where it goes.
/// The blocks of the old pieces are nobody's now.
pub(crate) fn replace(tx: &mut Tx<'_>, ino: Ino, fork: Fork, extent: Extent) -> Result<()> {
    let mut extents = staged(tx, ino, fork)?;
    let around = Surroundings::of(&mut extents, &extent)?;
    let (out, records) = around.exchange(extent);
    match extents {
        // As many records as before: nothing of the inode changes with them.
        Extents::Tree(mut tree) if out.len() == records.len() => {
            change_records(ino, &mut tree, &out, &records)?;
        }
        _ => change(tx, ino, fork, &out, &records)?,
    }
    let range = extent.file..extent.file_end();
    let mut blocks = i64::from(extent.length);
    for old in around.inside {
        let gone = cut(old, &range).middle;
        reverse(tx, ino, fork, gone, Reverse::Unmap)?;
        blocks -= i64::from(gone.length);
    }
    reverse(tx, ino, fork, extent, Reverse::Map)?;
    count_blocks(tx, ino, blocks)
}

#[cfg(test)]
mod tests {
    use super::super::tree::PublishedFork;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use untorn_format::records::ExtentState::{Unwritten, Written};
    use untorn_format::{FileBlock, FsBlock};

    type Blocks = BTreeMap<u64, (u64, bool)>;

    fn lay(blocks: &mut Blocks, extent: &Extent) {
        for i in 0..u64::from(extent.length) {
            blocks.insert(extent.file.0 + i, (extent.start.0 + i, extent.state == Written));
        }
    }

    fn extent() -> impl Strategy<Value = Extent> {
        (0..64_u64, 0..4_u64, 1..12_u32, any::<bool>()).prop_map(|(file, gap, length, written)| {
            // Few distances between file and disk, so that neighbours often join.
            let (file, start) = (FileBlock(file), FsBlock(100 * (gap + 1) + file));
            let state = if written { Written } else { Unwritten };
            Extent { file, start, length, state }
        })
    }

    fn put(list: &mut Vec<Extent>, extent: Extent) {
        let mut extents: Extents<PublishedFork<'_>> = Extents::List(list.clone());
        let around = Surroundings::of(&mut extents, &extent).unwrap();
        let (out, records) = around.exchange(extent);
        assert!(out.iter().all(|old| list.contains(old)));
        list.retain(|old| !out.contains(old));
        list.extend(records);
        list.sort_unstable_by_key(|extent| extent.file);
    }

    #[test]
    fn extents_that_lie_in_others_are_a_fault() {
        let extent = |file, length| Extent {
            file: FileBlock(file),
            start: FsBlock(1000 + 2 * file),
            length,
            state: Written,
        };
        let list = vec![extent(0, 100), extent(50, 10)];
        let mut extents: Extents<PublishedFork<'_>> = Extents::List(list);
        let faulty = Surroundings::of(&mut extents, &extent(40, 100)).err().unwrap();
        assert!(faulty.to_string().contains("mapped twice"), "{faulty}");
    }

    proptest! {
        #[test]
        fn records_replaced_say_what_the_blocks_say_model(
            extents in prop::collection::vec(extent(), 1..40),
        ) {
            let (mut list, mut blocks) = (Vec::new(), Blocks::new());
            for extent in extents {
                put(&mut list, extent);
                lay(&mut blocks, &extent);
                let mut seen = Blocks::new();
                list.iter().for_each(|extent| lay(&mut seen, extent));
                prop_assert_eq!(&seen, &blocks);
                let length: u64 = list.iter().map(|extent| u64::from(extent.length)).sum();
                prop_assert_eq!(length, blocks.len() as u64, "no block is in two records");
            }
        }
    }
}
