//! placeholder
use crate::btree::*;
use crate::error::*;
use std::ops::Range;
use untorn_format::AgBlock;
pub fn find_shared<B: TreeBlocks<Error = Error>>(
    _t: &mut Tree<Refcounts, B>,
    _r: Range<AgBlock>,
) -> Result<Option<Range<AgBlock>>> {
    todo!()
}
pub fn decrease<B: TreeBlocks<Error = Error>>(
    _t: &mut Tree<Refcounts, B>,
    _r: Range<AgBlock>,
) -> Result<Vec<Range<AgBlock>>> {
    todo!()
}
