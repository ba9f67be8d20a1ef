//! placeholder
use crate::btree::*;
use crate::error::*;
use untorn_format::records::*;
pub fn map<B: TreeBlocks<Error = Error>>(_t: &mut Tree<Rmaps, B>, _r: RmapRec) -> Result<()> {
    todo!()
}
pub fn unmap<B: TreeBlocks<Error = Error>>(_t: &mut Tree<Rmaps, B>, _r: RmapRec) -> Result<()> {
    todo!()
}
