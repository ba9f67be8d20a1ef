//! Buffers as log items: the format structure, then the changed runs.

use crate::cache::{BlockRef, Image};
use crate::chunks::{CHUNK, Chunks};
use crate::item::Logged;
use std::borrow::Cow;
use untorn_format::log::BufferFormat;

/// The changed runs of a buffer.
pub(crate) fn changed<'a>(block: &BlockRef, image: &'a Image, chunks: &Chunks) -> Logged<'a> {
    let format = BufferFormat::of_block(block.kind, block.addr, block.length as usize);
    runs(format, image, chunks)
}

/// A buffer that was freed.
pub(crate) fn cancel(block: &BlockRef) -> Logged<'static> {
    vec![Cow::Owned(BufferFormat::cancel(block.addr, block.length as usize).encode())]
}

/// The chunk of an inode cluster that holds the unlinked-list pointer of the inode at byte
/// `offset`: a replay takes nothing but the pointer from it. `inode` is that inode's bytes.
pub fn unlinked_pointer<'a>(cluster: &BlockRef, offset: usize, inode: &'a [u8]) -> Logged<'a> {
    let mut format = BufferFormat::unlinked_pointers(cluster.addr, cluster.length as usize);
    format.mark(offset / CHUNK);
    let chunk = inode.get(..CHUNK).unwrap_or_else(|| panic!("inodes are longer than a chunk"));
    vec![Cow::Owned(format.encode()), Cow::Borrowed(chunk)]
}

fn runs<'a>(mut format: BufferFormat, image: &'a [u8], chunks: &Chunks) -> Logged<'a> {
    let runs: Vec<_> = chunks.runs(image.len()).collect();
    runs.iter()
        .for_each(|run| (run.start..run.end).step_by(CHUNK).for_each(|at| format.mark(at / CHUNK)));
    let regions = runs.into_iter().filter_map(|run| image.get(run).map(Cow::Borrowed));
    std::iter::once(Cow::Owned(format.encode())).chain(regions).collect()
}
