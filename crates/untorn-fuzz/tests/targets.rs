//! The targets under inputs that look random and are the same each time, and under inputs that once
//! found something. With `UNTORN_FUZZ=<inputs>`, or under `cargo bolero`, bolero chooses new ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Address space that a test process may take in bytes: far more than any volume here is worth.
const SPACE: u64 = 8 << 30;

/// Longest input in bytes.
const LONGEST: usize = 120;

/// Inputs of [`untorn_fuzz::image`] that once made code panic.
const FOUND: [&[u8]; 1] = [&[
    0x01, 0x00, 0x14, 0xdb, 0xdf, 0xb4, 0xbe, 0x9d, 0x50, 0x4d, 0x7a, 0x7e, 0x7f, 0x9f, 0xfc, 0xaf,
    0xac, 0xac, 0x34, 0x41, 0x38, 0x2c, 0xdf, 0x3e, 0xc3,
]];

/// Lets the process end where it would take memory without bound.
fn limit_memory() {
    let maximum = getrlimit(Resource::As).maximum;
    setrlimit(Resource::As, Rlimit { current: Some(SPACE), maximum }).unwrap();
}

/// How many new inputs were asked for; none where the usual ones will do.
fn wanted() -> Option<usize> {
    let asked = std::env::var("UNTORN_FUZZ").ok().and_then(|inputs| inputs.parse().ok());
    let by_engine =
        std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("BOLERO_"));
    asked.or(by_engine.then_some(usize::MAX))
}

/// Bytes that look random (splitmix64).
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn input(&mut self) -> Vec<u8> {
        let length = self.next() as usize % LONGEST;
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn usual(inputs: usize, target: fn(&[u8])) {
    let mut bytes = Bytes(inputs as u64);
    (0..inputs).for_each(|_| target(&bytes.input()));
}

#[test]
fn blocks() {
    limit_memory();
    match wanted() {
        None => usual(5_000, untorn_fuzz::blocks),
        Some(inputs) => bolero::check!()
            .with_iterations(inputs)
            .with_max_len(5 * LONGEST)
            .for_each(|input: &[u8]| untorn_fuzz::blocks(input)),
    }
}

#[test]
fn image() {
    limit_memory();
    FOUND.into_iter().for_each(untorn_fuzz::image);
    match wanted() {
        None => usual(300, untorn_fuzz::image),
        Some(inputs) => bolero::check!()
            .with_iterations(inputs)
            .with_max_len(LONGEST)
            .for_each(|input: &[u8]| untorn_fuzz::image(input)),
    }
}

#[test]
fn journal() {
    limit_memory();
    match wanted() {
        None => usual(150, untorn_fuzz::journal),
        Some(inputs) => bolero::check!()
            .with_iterations(inputs)
            .with_max_len(LONGEST)
            .for_each(|input: &[u8]| untorn_fuzz::journal(input)),
    }
}

#[test]
fn directories() {
    limit_memory();
    match wanted() {
        None => usual(300, untorn_fuzz::directories),
        Some(inputs) => bolero::check!()
            .with_iterations(inputs)
            .with_max_len(LONGEST)
            .for_each(|input: &[u8]| untorn_fuzz::directories(input)),
    }
}

#[test]
fn database() {
    limit_memory();
    match wanted() {
        None => usual(100, untorn_fuzz::database),
        Some(inputs) => bolero::check!()
            .with_iterations(inputs)
            .with_max_len(LONGEST)
            .for_each(|input: &[u8]| untorn_fuzz::database(input)),
    }
}
