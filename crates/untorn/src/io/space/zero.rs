//! Zeroing ranges without writing zeroes.

use super::super::{Change, SizeRule, begin::goal_for, demand_change};
use super::allocate::around_holes;
use super::ends::zero_ends;
use super::look::{Use, by_use, mappings};
use super::parts::{Mark, Part, Pool, Size, To, commit};
use super::truncate::clear_past_end;
use super::{covered, demand_range, own_with_hint, touched};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::map::{Mapping, MappingState};
use std::ops::Range;
use std::sync::Arc;
use untorn_format::FileBlock;
use untorn_format::records::ExtentState;

/// The bytes of `range` become zeroes with blocks behind all of them. Written blocks that are the
/// file's own become unwritten; shared ones are replaced; holes get blocks. The size changes with
/// the last transaction.
///
/// In one transaction where the journal can carry it; else a crash leaves zeroes in a first part
/// of the range and the old bytes in the rest.
pub(crate) fn zero_range(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    range: Range<u64>,
    rule: SizeRule,
) -> Result<()> {
    demand_range(core, &range)?;
    let _range = own_with_hint(core, inode, &range)?;
    demand_change(inode, Change::Rewrite)?;
    let size = inode.size()?;
    let grows = rule == SizeRule::Grow && range.end > size;
    let zeroes = if grows { range.start.min(size)..range.end } else { range.clone() };
    if grows {
        clear_past_end(core, inode, size, core.geometry.blocks_for(range.end))?;
    }
    let (inner, touched) = (covered(core, &range), touched(core, &range));
    let mut parts = zero_ends(core, inode, &zeroes, size)?;
    let hinted = around_holes(core, inode, &touched)?;
    let (wishes, mut pool) = match find_blocks(core, inode, &hinted, &inner) {
        Err(Error::NoSpace { .. }) if hinted != touched => {
            find_blocks(core, inode, &touched, &inner)?
        }
        found => found?,
    };
    for (range, wish) in wishes {
        match wish {
            Wish::Fresh => pool.fill(range, ExtentState::Unwritten, &mut parts),
            Wish::Unwritten => parts.push(Part { range, to: To::Unwritten }),
        }
    }
    parts.sort_by_key(|part| part.range.start);
    let size = if grows { Size::Last(range.end) } else { Size::Keep };
    commit(core, inode, parts, size, Mark::Preallocated)
}

/// What blocks need to become zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Blocks that were free.
    Fresh,
    /// To count as unwritten.
    Unwritten,
}

/// Blocks and what they need, in order.
type Wishes = Vec<(Range<FileBlock>, Wish)>;

/// What blocks need, and blocks for all that need some.
fn find_blocks(
    core: &Arc<Core>,
    inode: &Inode,
    blocks: &Range<FileBlock>,
    inner: &Range<FileBlock>,
) -> Result<(Wishes, Pool)> {
    let wishes = wishes(core, inode, blocks, inner)?;
    let fresh = wishes.iter().filter(|wish| wish.1 == Wish::Fresh);
    let count = fresh.map(|(range, _)| range.end.0 - range.start.0).sum();
    let pool = Pool::new(core, goal_for(core, inode, blocks.start.0)?, count)?;
    Ok((wishes, pool))
}

/// What the blocks that a range touches need; those that lie in it in part and are written need
/// nothing here.
fn wishes(
    core: &Arc<Core>,
    inode: &Inode,
    touched: &Range<FileBlock>,
    inner: &Range<FileBlock>,
) -> Result<Wishes> {
    let mut wishes = Vec::new();
    let mut rest = touched.clone();
    while rest.start < rest.end {
        for mapping in mappings(core, inode, &rest)? {
            rest.start = mapping.end();
            wish(core, inode, &mapping, inner, &mut wishes)?;
        }
    }
    Ok(wishes)
}

fn wish(
    core: &Arc<Core>,
    inode: &Inode,
    mapping: &Mapping,
    inner: &Range<FileBlock>,
    wishes: &mut Wishes,
) -> Result<()> {
    match mapping.state {
        MappingState::Hole => wishes.push((mapping.first..mapping.end(), Wish::Fresh)),
        MappingState::Unwritten(_) => {}
        MappingState::Written(start) => {
            for (range, piece) in by_use(core, inode, mapping, start)? {
                let range = range.start.max(inner.start)..range.end.min(inner.end);
                if range.start < range.end {
                    let wish = if piece == Use::Own { Wish::Unwritten } else { Wish::Fresh };
                    wishes.push((range, wish));
                }
            }
        }
    }
    Ok(())
}
