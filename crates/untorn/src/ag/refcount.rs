//! Reference counts: blocks that several files share, and blocks that Linux staged for
//! copy-on-write.
//!
//! A block that no record names has one owner, or is free, or is staged: nothing tells here.
//! Records of one domain that adjoin and count the same are one record; Linux leaves them so.
//!
//! A count that has reached the largest number that there is stays there: nobody knows any more how
//! many owners there are, and the blocks are never freed.

use crate::btree::{Find, Refcounts, Tree, TreeBlocks, TreeKind};
use std::ops::Range;
use untorn_format::records::{RefcountDomain, RefcountRec};
use untorn_format::{AgBlock, Fault};

/// The first run of `blocks` that has more than one owner, whatever the counts.
pub(crate) fn find_shared<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
) -> Result<Option<Range<AgBlock>>, B::Error> {
    let Some(first) = first_from(tree, RefcountDomain::Shared, &blocks)? else { return Ok(None) };
    let start = first.start.max(blocks.start);
    let mut end = first.end();
    while end < blocks.end {
        match tree.next()?.filter(|next| next.domain == first.domain && next.start == end) {
            Some(next) => end = next.end(),
            None => break,
        }
    }
    Ok(Some(start..end.min(blocks.end)))
}

/// The first of `blocks` whose owners could not be counted any more with one more.
pub(crate) fn find_full<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
) -> Result<Option<AgBlock>, B::Error> {
    let mut found = first_from(tree, RefcountDomain::Shared, &blocks)?;
    while let Some(record) = found.filter(|record| record.start < blocks.end) {
        if record.refs >= RefcountRec::MAX_REFS - 1 {
            return Ok(Some(record.start.max(blocks.start)));
        }
        found = tree.next()?.filter(|next| next.domain == record.domain);
    }
    Ok(None)
}

/// Whether any block has more than one owner.
pub(crate) fn any<B: TreeBlocks>(tree: &mut Tree<Refcounts, B>) -> Result<bool, B::Error> {
    Ok(tree.first()?.is_some_and(|first| first.domain == RefcountDomain::Shared))
}

/// One owner more for each of `blocks`, all of which have one.
pub(crate) fn increase<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
) -> Result<(), B::Error> {
    adjust(tree, blocks, |refs| Some(refs.saturating_add(1))).map(|_| ())
}

/// One owner fewer for each of `blocks`: the runs that have none now, in ascending order.
pub(crate) fn decrease<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
) -> Result<Vec<Range<AgBlock>>, B::Error> {
    adjust(tree, blocks, |refs| match refs {
        RefcountRec::MAX_REFS => Some(refs),
        _ => Some(refs - 1).filter(|&left| left > 0),
    })
}

/// Stages `blocks`, which nobody owns, for copy-on-write.
pub(crate) fn stage<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
) -> Result<(), B::Error> {
    if let Some(staged) = first_from(tree, RefcountDomain::Cow, &blocks)? {
        return Err(wrong(tree, "block staged twice", staged.start));
    }
    let length = blocks.end.0 - blocks.start.0;
    let domain = RefcountDomain::Cow;
    tree.insert(&RefcountRec { domain, start: blocks.start, length, refs: 1 })?;
    join_at(tree, domain, blocks.end)?;
    join_at(tree, domain, blocks.start)
}

/// Stages `blocks` no longer.
pub(crate) fn unstage<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
) -> Result<(), B::Error> {
    let domain = RefcountDomain::Cow;
    split_at(tree, domain, blocks.start)?;
    split_at(tree, domain, blocks.end)?;
    let found = tree.seek(Find::Equal, (domain, blocks.start))?;
    match found.filter(|staged| staged.end() == blocks.end) {
        Some(_) => tree.remove().map(|_| ()),
        None => Err(wrong(tree, "block that was not staged", blocks.start)),
    }
}

/// The first run of blocks staged for copy-on-write that starts at `from` or behind it.
pub(crate) fn next_staged<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    from: AgBlock,
) -> Result<Option<Range<AgBlock>>, B::Error> {
    let found = tree.seek(Find::AtLeast, (RefcountDomain::Cow, from))?;
    Ok(found.map(|staged| staged.start..staged.end()))
}

/// The first record of `domain` that has one of `blocks`.
fn first_from<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    domain: RefcountDomain,
    blocks: &Range<AgBlock>,
) -> Result<Option<RefcountRec>, B::Error> {
    let at_start = tree.seek(Find::AtMost, (domain, blocks.start))?;
    let reaches = |record: &RefcountRec| record.domain == domain && record.end() > blocks.start;
    match at_start.filter(reaches) {
        Some(record) => Ok(Some(record)),
        None => {
            let next = tree.next()?;
            Ok(next.filter(|next| next.domain == domain && next.start < blocks.end))
        }
    }
}

/// Gives each of `blocks` the count that `change` makes of its own, where `None` is no owner: the
/// runs without one.
fn adjust<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    blocks: Range<AgBlock>,
    change: impl Fn(u32) -> Option<u32>,
) -> Result<Vec<Range<AgBlock>>, B::Error> {
    let domain = RefcountDomain::Shared;
    split_at(tree, domain, blocks.start)?;
    split_at(tree, domain, blocks.end)?;
    let mut freed = Vec::new();
    let mut at = blocks.start;
    while at < blocks.end {
        let found = tree.seek(Find::AtLeast, (domain, at))?;
        let found = found.filter(|next| next.domain == domain && next.start < blocks.end);
        let end = found.map_or(blocks.end, |found| found.start);
        if at < end {
            match change(1) {
                None => freed.push(at..end),
                Some(refs) => {
                    put(tree, RefcountRec { domain, start: at, length: end.0 - at.0, refs })?
                }
            }
        }
        at = match found {
            Some(record) => recount(tree, record, change(record.refs))?,
            None => end,
        };
    }
    join_at(tree, domain, blocks.end)?;
    join_at(tree, domain, blocks.start)?;
    Ok(freed)
}

/// Puts in a record where there was none.
fn put<B: TreeBlocks>(tree: &mut Tree<Refcounts, B>, record: RefcountRec) -> Result<(), B::Error> {
    tree.insert(&record)?;
    // What follows was found before: the position goes back to it.
    tree.next().map(|_| ())
}

/// Gives the record of the position a new count: its end.
fn recount<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    record: RefcountRec,
    refs: Option<u32>,
) -> Result<AgBlock, B::Error> {
    match refs {
        None | Some(1) => drop(tree.remove()?),
        Some(refs) => tree.replace(&RefcountRec { refs, ..record })?,
    }
    if refs == Some(RefcountRec::MAX_REFS) {
        // Counts that differed may be the same now.
        join_at(tree, record.domain, record.start)?;
    }
    Ok(record.end())
}

/// Makes two records of one that has `block` inside.
fn split_at<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    domain: RefcountDomain,
    block: AgBlock,
) -> Result<(), B::Error> {
    let found = tree.seek(Find::AtMost, (domain, block))?;
    let inside = |record: &RefcountRec| {
        record.domain == domain && record.start < block && block < record.end()
    };
    let Some(record) = found.filter(inside) else { return Ok(()) };
    let length = block.0 - record.start.0;
    tree.replace(&RefcountRec { length, ..record })?;
    tree.insert(&RefcountRec { start: block, length: record.length - length, ..record })
}

/// Makes one record of two that meet at `block` and count the same.
fn join_at<B: TreeBlocks>(
    tree: &mut Tree<Refcounts, B>,
    domain: RefcountDomain,
    block: AgBlock,
) -> Result<(), B::Error> {
    let Some(right) = tree.seek(Find::Equal, (domain, block))? else { return Ok(()) };
    let adjoins = |left: &RefcountRec| {
        left.domain == domain && left.end() == block && left.refs == right.refs
    };
    let Some(left) = tree.prev()?.filter(adjoins) else { return Ok(()) };
    tree.next()?;
    tree.remove()?;
    tree.seek(Find::Equal, (domain, left.start))?;
    tree.replace(&RefcountRec { length: left.length + right.length, ..left })
}

fn wrong<B: TreeBlocks>(
    tree: &Tree<Refcounts, B>,
    field: &'static str,
    block: AgBlock,
) -> B::Error {
    tree.corrupt(Fault::Field { what: Refcounts::KIND.name(), field, value: block.0.into() })
}
