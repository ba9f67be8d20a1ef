//! Random sequences of everything that shares, moves and changes blocks, against byte shadows.

use super::budget;
use super::world::{Geometry, Space, World};

const MIB: u64 = 1 << 20;

fn geometries() -> [Geometry; 8] {
    let base = Geometry {
        name: "4 KiB blocks",
        size: 64 * MIB,
        block_size: 4096,
        rmapbt: true,
        groups: 4,
        nrext64: true,
        longest: 96,
        space: Space::Ample,
        journal: None,
    };
    let small = Geometry { name: "1 KiB blocks", block_size: 1024, longest: 400, ..base };
    [
        base,
        Geometry { name: "4 KiB, no rmapbt", rmapbt: false, nrext64: false, ..base },
        Geometry { rmapbt: false, ..small },
        Geometry { name: "1 KiB, shattered", space: Space::Shattered, ..small },
        Geometry {
            name: "64 KiB blocks",
            size: 512 * MIB,
            groups: 2,
            block_size: 65536,
            longest: 24,
            ..base
        },
        Geometry { name: "many groups", size: 512 * MIB, groups: 32, ..base },
        Geometry {
            name: "little journal",
            longest: 900,
            space: Space::Shattered,
            journal: Some(32 << 10),
            ..small
        },
        Geometry { name: "scarce", space: Space::Scarce, longest: 64, ..base },
    ]
}

fn run(index: usize) {
    let geometry = geometries()[index];
    let steps = budget("UNTORN_SHARING_STEPS", 250);
    let first = budget("UNTORN_SHARING_SEED", 1);
    let (mut refused, mut too_large) = (0, 0);
    for seed in first..first + budget("UNTORN_SHARING_SEEDS", 2) {
        let mut world = World::new(&geometry, seed);
        for step in 0..steps {
            world.step();
            if step % 50 == 49 {
                world.judge();
            }
        }
        world.judge();
        refused += world.refused;
        too_large += world.too_large;
    }
    println!("{}: {refused} times refused for space, {too_large} for size", geometry.name);
    assert_eq!(refused > 0, geometry.space == Space::Scarce, "{}", geometry.name);
    assert!(too_large == 0 || geometry.journal.is_some(), "{}", geometry.name);
}

macro_rules! runs {
    ($($name:ident = $index:literal;)*) => {$(
        #[test]
        fn $name() {
            run($index);
        }
    )*};
}

runs! {
    files_that_share_keep_their_bytes_model_check = 0;
    files_that_share_without_reverse_mappings_keep_their_bytes_model_check = 1;
    files_of_small_blocks_that_share_keep_their_bytes_model_check = 2;
    files_that_share_on_a_shattered_volume_keep_their_bytes_model_check = 3;
    files_of_large_blocks_that_share_keep_their_bytes_model_check = 4;
    files_that_share_over_many_groups_keep_their_bytes_model_check = 5;
    files_that_share_in_many_small_transactions_keep_their_bytes_model_check = 6;
    files_that_share_on_an_almost_full_volume_keep_their_bytes_model_check = 7;
}
