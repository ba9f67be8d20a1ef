//! Extent maps against a plain array of blocks; sequences that fail shrink.

use super::{convert, map, mapping_at, next_extent, replace, unmap};
use crate::btree::tests::cases;
use crate::error::Error;
use crate::map::MappingState;
use crate::tx::Tx;
use crate::{File, NewFile, OpenOptions, Volume, mkfs};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::inode::ForkFormat;
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{FileBlock, FsBlock, Ino};

/// Blocks of the file that calls reach.
const BLOCKS: u64 = 500;
/// Places of the volume where blocks come from: neighbours in the file lie beside each other where
/// they come from one place.
const PLACES: u64 = 3;

fn place(which: u64, block: u64) -> FsBlock {
    FsBlock(2000 + which * (BLOCKS + 7) + block)
}

/// What each block of the file is mapped to.
type Twin = Vec<Option<(FsBlock, ExtentState)>>;

#[derive(Clone, Debug)]
enum Op {
    Map(Range<u64>, u64, ExtentState),
    Unmap(Range<u64>),
    Convert(Range<u64>, ExtentState),
    Replace(Range<u64>, u64, ExtentState),
    Find(Range<u64>),
}

fn state() -> impl Strategy<Value = ExtentState> {
    prop_oneof![Just(ExtentState::Written), Just(ExtentState::Unwritten)]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let range = || (0..BLOCKS, 1..24u64).prop_map(|(at, length)| at..(at + length).min(BLOCKS));
    let op = prop_oneof![
        5 => (range(), 0..PLACES, state()).prop_map(|(r, p, s)| Op::Map(r, p, s)),
        2 => range().prop_map(Op::Unmap),
        4 => (range(), state()).prop_map(|(r, s)| Op::Convert(r, s)),
        4 => (range(), 0..PLACES, state()).prop_map(|(r, p, s)| Op::Replace(r, p, s)),
        2 => range().prop_map(Op::Find),
    ];
    prop::collection::vec(op, 1..160)
}

fn extent(range: &Range<u64>, from: u64, state: ExtentState) -> Extent {
    let (file, start) = (FileBlock(range.start), place(from, range.start));
    Extent { file, start, length: (range.end - range.start) as u32, state }
}

fn blocks(range: &Range<u64>) -> Range<FileBlock> {
    FileBlock(range.start)..FileBlock(range.end)
}

/// The extents that a twin amounts to, each as long as it can be.
fn extents(twin: &Twin, range: Range<u64>) -> Vec<Extent> {
    let mut found: Vec<Extent> = Vec::new();
    for at in range {
        let Some((start, state)) = twin[at as usize] else { continue };
        match found.last_mut() {
            Some(last)
                if last.file_end().0 == at
                    && last.start.0 + u64::from(last.length) == start.0
                    && last.state == state =>
            {
                last.length += 1;
            }
            _ => found.push(Extent { file: FileBlock(at), start, length: 1, state }),
        }
    }
    found
}

fn listed(tx: &mut Tx<'_>, ino: Ino) -> Vec<Extent> {
    let (mut at, mut found) = (FileBlock(0), Vec::new());
    while let Some(extent) = next_extent(tx, ino, Fork::Data, at).unwrap() {
        at = extent.file_end();
        found.push(extent);
    }
    found
}

fn apply(tx: &mut Tx<'_>, ino: Ino, twin: &mut Twin, op: &Op) -> Result<(), Error> {
    match op {
        Op::Map(range, from, state) => {
            // Into holes alone.
            for at in range.clone().filter(|&at| twin[at as usize].is_none()).collect::<Vec<_>>() {
                map(tx, ino, Fork::Data, extent(&(at..at + 1), *from, *state))?;
                twin[at as usize] = Some((place(*from, at), *state));
            }
        }
        Op::Unmap(range) => {
            let gone = unmap(tx, ino, Fork::Data, blocks(range))?;
            assert_eq!(gone, extents(twin, range.clone()), "{op:?}");
            twin[range.start as usize..range.end as usize].fill(None);
        }
        Op::Convert(range, to) => {
            convert(tx, ino, blocks(range), *to)?;
            let inside = &mut twin[range.start as usize..range.end as usize];
            inside.iter_mut().flatten().for_each(|(_, state)| *state = *to);
        }
        Op::Replace(range, from, state) => {
            // Never with blocks that the file has.
            let from = (*from..*from + PLACES).map(|from| from % PLACES).find(|&from| {
                range.clone().all(|at| twin[at as usize].is_none_or(|(b, _)| b != place(from, at)))
            });
            let Some(from) = from else { return Ok(()) };
            replace(tx, ino, Fork::Data, extent(range, from, *state))?;
            for at in range.clone() {
                twin[at as usize] = Some((place(from, at), *state));
            }
        }
        Op::Find(range) => {
            let limit = FileBlock(range.end);
            let found = mapping_at(tx, ino, Fork::Data, FileBlock(range.start), limit)?;
            assert!(found.end() <= limit && found.first.0 == range.start);
            for at in range.start..found.end().0 {
                let (skip, here) = (at - range.start, twin[at as usize]);
                match found.state {
                    MappingState::Hole => assert_eq!(here, None),
                    MappingState::Written(start) => {
                        assert_eq!(here, Some((FsBlock(start.0 + skip), ExtentState::Written)));
                    }
                    MappingState::Unwritten(start) => {
                        assert_eq!(here, Some((FsBlock(start.0 + skip), ExtentState::Unwritten)));
                    }
                }
            }
        }
    }
    Ok(())
}

fn volume(rmapbt: bool) -> (Volume, File) {
    let device = Arc::new(MemoryDevice::new(48 << 20));
    let contents = mkfs::Contents::Zeroed;
    let mut options = mkfs::Options { contents, block_size: 1024, ..mkfs::Options::default() };
    options.features.rmapbt = rmapbt;
    options.groups = mkfs::Groups::Count(2);
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device, OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    (volume, file)
}

/// Does all of `ops` in a transaction that is dropped.
fn run(volume: &Volume, file: &File, ops: &[Op]) {
    let inode = file.inode();
    let dropped = volume.core().transact(1 << 20, std::slice::from_ref(inode), |tx| {
        let mut twin: Twin = vec![None; BLOCKS as usize];
        for op in ops {
            apply(tx, inode.ino, &mut twin, op)?;
            let expected = extents(&twin, 0..BLOCKS);
            assert_eq!(listed(tx, inode.ino), expected, "after {op:?}");
            let core = crate::inode::core_of(inode.ino, tx.inode_bytes(inode.ino))?;
            assert_eq!(core.extents, expected.len() as u64);
        }
        Err::<(), _>(Error::Invalid("seen enough".to_owned()))
    });
    assert!(matches!(dropped, Err(Error::Invalid(_))), "{dropped:?}");
    assert_eq!(inode.core().unwrap().extents, 0, "a dropped transaction left something");
}

#[test]
fn h32_h33_extent_maps_agree_with_an_array_of_blocks_model() {
    for rmapbt in [false, true] {
        let (volume, file) = volume(rmapbt);
        let config = ProptestConfig {
            cases: cases(40),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(ops in ops())| run(&volume, &file, &ops));
    }
}

#[test]
fn a_count_of_extents_unlike_the_tree_is_refused_where_the_tree_would_become_a_list() {
    let (volume, file) = volume(true);
    let inode = file.inode();
    for (lie, kept) in [(20, 98), (60, 10)] {
        let refused = volume.core().transact(1 << 20, std::slice::from_ref(inode), |tx| {
            for at in (0..BLOCKS).step_by(2) {
                map(tx, inode.ino, Fork::Data, extent(&(at..at + 1), 0, ExtentState::Written))?;
            }
            unmap(tx, inode.ino, Fork::Data, blocks(&(100..BLOCKS)))?;
            let mut core = crate::inode::core_of(inode.ino, tx.inode_bytes(inode.ino))?;
            assert_eq!((core.format, core.extents), (ForkFormat::Btree, 50));
            core.extents = lie;
            core.encode(tx.inode_mut(inode.ino));
            unmap(tx, inode.ino, Fork::Data, blocks(&(kept..BLOCKS)))
        });
        let told = matches!(&refused, Err(error) if error.to_string().contains("unlike its tree"));
        assert!(told, "{refused:?}");
    }
}
