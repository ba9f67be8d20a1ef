//! The targets under the corpus, and under inputs that are the same each time: bytes that look
//! random, and inputs of the corpus with changes. `UNTORN_FUZZ=<inputs>` asks for more of them,
//! `UNTORN_SEED=<number>` for others. Under `cargo bolero` an engine chooses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{limit_memory, run, under_engine};

/// Tests of targets: each with inputs for want of other wishes, and the bytes of the longest.
macro_rules! targets {
    ($($name:ident: $usual:literal inputs of $longest:literal bytes;)*) => {$(
        #[test]
        fn $name() {
            limit_memory();
            match under_engine() {
                true => bolero::check!()
                    .with_max_len($longest)
                    .for_each(|input: &[u8]| untorn_fuzz::$name(input)),
                false => run(stringify!($name), $usual, $longest, untorn_fuzz::$name),
            }
        }
    )*};
}

targets! {
    blocks: 5000 inputs of 600 bytes;
    image: 300 inputs of 120 bytes;
    journal: 150 inputs of 120 bytes;
    directories: 100 inputs of 120 bytes;
    database: 100 inputs of 120 bytes;
}
