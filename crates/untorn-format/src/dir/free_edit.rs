//! Free index blocks of node-form directories: making and changing them.

use super::free::{Free, Header, MAGIC, capacity};
use super::leaf::NO_BLOCK;
use super::space::DirBlock;
use crate::Fault;
use crate::bytes::{put, view_mut};
use crate::da::Birth;
use crate::wire::U32;

const WHAT: &str = "directory free index";

/// Makes `bytes` the free index of the data blocks from `first` on, with `bests` of those that
/// there are.
pub fn init(bytes: &mut [u8], birth: &Birth, first: DirBlock, bests: &[u16]) {
    bytes.fill(0);
    let made = view_mut(WHAT, bytes, 0).map(|header: &mut Header| {
        birth.write_dir(&mut header.block, MAGIC);
        header.first = U32::new(first.0);
    });
    let made = made.and_then(|()| store(bytes, bests));
    assert!(made.is_ok(), "a directory block has room for its header");
}

fn store(bytes: &mut [u8], bests: &[u16]) -> Result<(), Fault> {
    assert!(bests.len() <= capacity(bytes.len()), "a free index of {} blocks", bests.len());
    let header: &mut Header = view_mut(WHAT, bytes, 0)?;
    let used = bests.iter().filter(|&&best| best != NO_BLOCK).count();
    header.valid = U32::new(bests.len() as u32);
    header.used = U32::new(used as u32);
    let raw: Vec<u8> = bests.iter().flat_map(|best| best.to_be_bytes()).collect();
    put(WHAT, bytes, size_of::<Header>(), &raw)?;
    bytes[size_of::<Header>() + raw.len()..].fill(0);
    Ok(())
}

/// Says that the longest free region of the data block at `index` is `best` bytes; `None`: there is
/// no such block any more. Whether the free index covers any block then.
pub fn set(bytes: &mut [u8], index: usize, best: Option<u16>) -> Result<bool, Fault> {
    let free = Free::parse(bytes)?;
    if let (Some(is), Some(was)) = (best, free.best(index))
        && was != NO_BLOCK
    {
        put(WHAT, bytes, size_of::<Header>() + index * size_of::<u16>(), &is.to_be_bytes())?;
        return Ok(true);
    }
    let mut bests: Vec<u16> = free.bests().collect();
    if bests.len() <= index {
        bests.resize(index + 1, NO_BLOCK);
    }
    bests[index] = best.unwrap_or(NO_BLOCK);
    let valid = bests.iter().rposition(|&best| best != NO_BLOCK).map_or(0, |last| last + 1);
    store(bytes, &bests[..valid])?;
    Ok(valid > 0)
}
