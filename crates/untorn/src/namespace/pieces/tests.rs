//! Directories whose blocks lie in pieces, as Linux lays them down: read, changed, taken apart.

use super::Lies;
use crate::da::ForkBlocks;
use crate::error::Error;
use crate::inode::Inode;
use crate::map;
use crate::namespace::dir_fork::DirTx;
use crate::namespace::dir_fork::tests::{Bench, name};
use crate::namespace::evict::take_run;
use crate::{NewFile, Rename};
use std::sync::Arc;
use untorn_device::BlockDevice;
use untorn_format::da::{DaBlock, kind_of};
use untorn_format::dir::{self, Space};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{BlockKind, FileBlock, kind};

fn directory(bench: &Bench) -> Arc<Inode> {
    let ino = bench.volume.lookup("/d").unwrap();
    bench.volume.core().inode_by_number(ino).unwrap()
}

/// Runs `body` on the directory in a transaction of its own.
fn change<R>(bench: &Bench, mut body: impl FnMut(&mut DirTx<'_, '_>) -> crate::Result<R>) -> R {
    let inode = directory(bench);
    let core = bench.volume.core();
    let first = std::slice::from_ref(&inode);
    core.transact(1 << 16, first, |tx| body(&mut DirTx { tx, ino: inode.ino })).unwrap().0
}

/// What is mapped of the directory, block by block.
fn blocks(bench: &Bench) -> Vec<DaBlock> {
    let span = 1 << bench.volume.core().geometry.dir_block_log;
    change(bench, |dir| {
        let (mut blocks, mut from) = (Vec::new(), DaBlock(0));
        while let Some(at) = dir.next_mapped(from)? {
            blocks.push(at);
            from = DaBlock(at.0 + span);
        }
        Ok(blocks)
    })
}

fn in_pieces(bench: &Bench) -> usize {
    let lies = |at| change(bench, |dir| dir.lies(at, BlockKind::DaNode));
    blocks(bench).into_iter().filter(|&at| matches!(lies(at), Lies::InPieces(_))).count()
}

fn kind_at(bench: &Bench, at: DaBlock) -> BlockKind {
    let geometry = &bench.volume.core().geometry;
    let index = geometry.dir_space(Space::Leaf);
    match at.file_block() {
        place if place >= geometry.dir_space(Space::Free) => BlockKind::DirFree,
        place if place >= index => BlockKind::DaNode,
        _ if blocks(bench).last().is_some_and(|last| last.file_block() >= index) => {
            BlockKind::DirData
        }
        _ => BlockKind::DirBlock,
    }
}

/// Lays every block of the directory down in single blocks, the last of each first.
fn scatter(bench: &Bench) {
    blocks(bench).into_iter().for_each(|at| scatter_block(bench, at));
    assert_eq!(in_pieces(bench), blocks(bench).len());
}

fn scatter_block(bench: &Bench, at: DaBlock) {
    let asked = kind_at(bench, at);
    let (mut bytes, pieces) = change(bench, |dir| {
        let bytes = ForkBlocks::read(dir, at, asked)?.unwrap().to_vec();
        dir.free_block(at)?;
        let span = dir.span();
        let taken = (0..span).map(|_| take_run(dir.tx, dir.ino, 1));
        let mut pieces = taken.collect::<crate::Result<Vec<_>>>()?;
        pieces.reverse();
        for (file, piece) in (at.file_block().0..).map(FileBlock).zip(&pieces) {
            let start = dir.tx.core.geometry.fs_block(piece.ag, piece.start);
            let extent = Extent { file, start, length: 1, state: ExtentState::Written };
            map::map(dir.tx, dir.ino, Fork::Data, extent)?;
        }
        Ok((bytes, pieces))
    });
    bench.volume.sync().unwrap();
    let core = bench.volume.core();
    let addr = core.geometry.addr(pieces[0].ag, pieces[0].start);
    let kind = if asked == BlockKind::DaNode { kind_of(&bytes).unwrap() } else { asked };
    dir::move_block(kind, &mut bytes, addr).unwrap();
    kind::seal(kind, &mut bytes, core.store.cache().newest().unwrap());
    for (piece, part) in pieces.iter().zip(bytes.chunks(core.geometry.block_size())) {
        let addr = core.geometry.addr(piece.ag, piece.start);
        bench.device.write_at(core.geometry.byte_of(addr), part).unwrap();
    }
}

#[test]
fn what_changes_a_block_in_pieces_gathers_it_model_check() {
    for (block_size, dir_block_size) in [(1024, 2048), (1024, 8192), (4096, 16384)] {
        for count in [30, 130, 900] {
            let mut bench = Bench::new(block_size, dir_block_size);
            (0..count).for_each(|number| bench.add(name(number)));
            scatter(&bench);
            bench.judge("in pieces");
            let all = in_pieces(&bench);
            bench.add(b"another".to_vec());
            let left = in_pieces(&bench);
            assert!(left < all && left + 5 >= all, "{left} of {all} blocks are in pieces");
            bench.judge("one name more");
            bench.remove_any();
            bench.replace_any();
            bench.judge("some changed");
            while !bench.model.is_empty() {
                bench.remove_any();
                if bench.model.len() % 200 == 100 {
                    scatter(&bench);
                    bench.judge("fewer");
                }
            }
            bench.judge("none");
            bench.volume.remove("/d").unwrap();
        }
    }
}

#[test]
fn a_dropped_change_leaves_a_block_in_its_pieces_model_check() {
    let mut bench = Bench::new(1024, 8192);
    (0..300).for_each(|number| bench.add(name(number)));
    scatter(&bench);
    let (all, free) = (in_pieces(&bench), bench.volume.space().unwrap().free);
    let inode = directory(&bench);
    let core = bench.volume.core();
    let dropped = core.transact(1 << 16, std::slice::from_ref(&inode), |tx| {
        let mut dir = DirTx { tx, ino: inode.ino };
        dir.gathered(DaBlock(0), BlockKind::DirData)?;
        Err::<(), _>(Error::Invalid("enough".to_owned()))
    });
    assert!(matches!(dropped, Err(Error::Invalid(_))));
    assert_eq!((in_pieces(&bench), bench.volume.space().unwrap().free), (all, free));
    bench.judge("dropped");
}

#[test]
fn without_a_run_a_block_in_pieces_stays_as_it_is_and_the_error_says_so_model_check() {
    let mut bench = Bench::on(64 << 20, 1024, 8192);
    (0..300).for_each(|number| bench.add(name(number)));
    scatter(&bench);
    let all = in_pieces(&bench);
    let crumbs = shatter(&bench);
    for _ in 0..2 {
        let refused = bench.volume.link(bench.model[&name(7)], "/d/one-more");
        assert!(matches!(refused, Err(Error::NoRun { needed: 8, .. })), "{refused:?}");
        let from = format!("/d/{}", shown(&name(3)));
        let refused = bench.volume.rename(&from, "/d/new-name", Rename::Replace).map(drop);
        assert!(matches!(refused, Err(Error::NoRun { .. })), "{refused:?}");
    }
    assert_eq!(in_pieces(&bench), all);
    bench.judge("refused");
    drop(crumbs);
    bench.volume.remove("/loaf").unwrap();
    bench.remove_any();
    bench.add(b"one-more".to_vec());
    bench.judge("with room again");
}

fn shown(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap()
}

/// A file over all free space but single blocks.
fn shatter(bench: &Bench) -> crate::File {
    let file = bench.volume.create_file("/loaf", NewFile::default()).unwrap();
    let (mut at, mut length) = (0, 1 << 14);
    while length > 1 {
        match take(bench, &file, at, length) {
            Ok(()) => at += u64::from(length),
            Err(Error::NoSpace { .. } | Error::NoRun { .. }) => length /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    let size = |block: u64| block << bench.volume.core().geometry.block_log;
    (0..3000).for_each(|crumb| file.punch_hole(size(2 * crumb)..size(2 * crumb + 1)).unwrap());
    bench.volume.sync().unwrap();
    file
}

/// Gives `file` a run at block `at`, also of what is kept back from files.
fn take(bench: &Bench, file: &crate::File, at: u64, length: u32) -> crate::Result<()> {
    let core = bench.volume.core();
    let inode = core.inode_by_number(file.ino()).unwrap();
    let taken = core.transact(1 << 16, std::slice::from_ref(&inode), |tx| {
        let run = take_run(tx, inode.ino, length)?;
        let start = core.geometry.fs_block(run.ag, run.start);
        let (file, state) = (FileBlock(at), ExtentState::Unwritten);
        map::map(tx, inode.ino, Fork::Data, Extent { file, start, length, state })
    });
    taken.map(drop)
}
