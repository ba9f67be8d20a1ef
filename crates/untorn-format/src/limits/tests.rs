//! Tests of `limits`: round trips, bounds, hostile bytes.

use super::*;
use crate::btree::BtreeKind::*;

/// 4 AGs of 100 MiB in blocks of 4 KiB with every btree.
fn limits() -> Limits {
    Limits {
        geometry: Geometry {
            block_log: 12,
            sector_log: 9,
            inode_log: 9,
            inodes_per_block_log: 3,
            ag_block_log: 15,
            dir_block_log: 0,
            ag_blocks: 25600,
            ag_count: 4,
            data_blocks: 102400,
            log_start: FsBlock(65542),
            log_blocks: 16384,
        },
        features: Features { ro_compat: 0xf, incompat: 0xb, ..Features::default() },
        inode_align: 8,
        sparse_align: 4,
        stripe_unit: 0,
        inode_percent: 25,
    }
}

/// What `btheight -n 100000 -b 4096` of xfs_db says of the worst case.
#[test]
fn sparse_trees_are_as_high_and_large_as_xfs_db_says() {
    let expected = [(Bnobt, 3, 401), (Cntbt, 3, 401), (Inobt, 3, 799), (Finobt, 3, 799)];
    for (kind, levels, blocks) in expected {
        assert_eq!(limits().levels_for(kind, 100_000), levels, "{}", kind.name());
        assert_eq!(limits().blocks_for(kind, 100_000), blocks, "{}", kind.name());
    }
}

#[test]
fn an_empty_tree_has_one_level() {
    for kind in BtreeKind::ALL {
        assert_eq!((limits().levels_for(kind, 0), limits().blocks_for(kind, 0)), (1, 0));
        assert_eq!((limits().levels_for(kind, 1), limits().blocks_for(kind, 1)), (1, 1));
    }
}

#[test]
fn inodes_lie_as_mkfs_aligns_them() {
    let layout = limits().inode_layout();
    let expected = InodeLayout {
        cluster_blocks: 4,
        cluster_inodes: 32,
        cluster_align: 8,
        chunk_blocks: 8,
        chunk_inodes: 64,
        smallest_chunk_blocks: 4,
        chunk_align: 8,
        most_inodes: Some(25600 * 8),
    };
    assert_eq!(layout, expected);
}

#[test]
fn a_stripe_aligns_chunks_where_it_can() {
    let striped = |stripe_unit| Limits { stripe_unit, ..limits() }.inode_layout().chunk_align;
    assert_eq!((striped(16), striped(12), striped(0)), (16, 8, 8));
}

#[test]
fn a_large_block_is_a_cluster_and_a_chunk() {
    let large = Geometry {
        block_log: 16,
        inodes_per_block_log: 7,
        ag_blocks: 1600,
        ag_block_log: 11,
        ..limits().geometry
    };
    let limits = Limits { geometry: large, inode_align: 0, sparse_align: 0, ..limits() };
    let layout = limits.inode_layout();
    assert_eq!((layout.cluster_blocks, layout.cluster_inodes), (1, 128));
    assert_eq!((layout.chunk_blocks, layout.chunk_inodes, layout.chunk_align), (1, 128, 1));
    assert_eq!(layout.smallest_chunk_blocks, 1);
}

#[test]
fn free_lists_grow_with_their_trees() {
    let levels = |all| FreeListLevels { bnobt: all, cntbt: all, rmapbt: all };
    let needed: Vec<_> = (1..4).map(|n| limits().free_list_needed(levels(n))).collect();
    // What a tree can never grow to is not needed.
    assert_eq!(limits().max_levels(Bnobt), 2);
    assert_eq!(limits().max_levels(Rmapbt), 4);
    assert_eq!(needed, [2 + 2 + 2, 2 + 2 + 4, 2 + 2 + 6]);
    assert_eq!(limits().first_free_list(), 6);
}

#[test]
fn reserves_leave_the_log_out() {
    let of = |ag| limits().refcount_reserve(AgNumber(ag), 1);
    assert_eq!(of(0).wanted, limits().blocks_for(Refcountbt, 25600) as u32);
    assert_eq!(of(2).wanted, limits().blocks_for(Refcountbt, 25600 - 16384) as u32);
    assert_eq!(of(2).unused(), of(2).wanted - 1);
    let grown = limits().refcount_reserve(AgNumber(0), 5000);
    assert_eq!((grown.wanted, grown.unused()), (5000, 0));
}

#[test]
fn volumes_without_a_tree_reserve_nothing_for_it() {
    let bare = Limits { features: Features::default(), ..limits() };
    for ag in [AgNumber(0), AgNumber(3)] {
        assert_eq!(bare.refcount_reserve(ag, 0), Reserve::default());
        assert_eq!(bare.rmap_reserve(ag, 0), Reserve::default());
        assert_eq!(bare.finobt_reserve(ag, 0), Reserve::default());
    }
}

#[test]
fn pools_are_a_twentieth_up_to_their_largest() {
    assert_eq!(limits().reserve_pool(), 5120);
    let huge = Geometry { data_blocks: 1 << 30, ..limits().geometry };
    assert_eq!(Limits { geometry: huge, ..limits() }.reserve_pool(), 8192);
    assert_eq!(limits().set_aside(), 32);
}

/// The figures of Linux 6.18, from what it says of logs too small.
#[test]
fn the_smallest_log_is_as_linux_reckons() {
    let shape = crate::superblock::LogShape { sector_log: 9, stripe_unit: 1 };
    let of = |ro_compat, record| {
        let features = Features { ro_compat, incompat: 0xb, ..Features::default() };
        let geometry = Geometry { ag_blocks: 20480, data_blocks: 81920, ..limits().geometry };
        Limits { features, geometry, ..limits() }.min_log_blocks(shape, record)
    };
    assert_eq!(of(0xd, 32 << 10), 1338);
    assert_eq!(of(0x0, 32 << 10), 847);
    assert!(of(0xd, LARGEST_RECORD) > of(0xd, 32 << 10));
}
