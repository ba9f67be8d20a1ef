//! The targets under random bytes and under the corpus: a smoke by default, a soak with
//! `UNTORN_FUZZ=<inputs>`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Address space that a test process may take in bytes: far more than any volume here is worth.
const SPACE: u64 = 8 << 30;

fn inputs(usual: usize) -> usize {
    let inputs = std::env::var("UNTORN_FUZZ").ok();
    inputs.and_then(|inputs| inputs.parse().ok()).unwrap_or(usual)
}

/// Lets the process end where it would take memory without bound.
fn limit_memory() {
    let maximum = getrlimit(Resource::As).maximum;
    setrlimit(Resource::As, Rlimit { current: Some(SPACE), maximum }).unwrap();
}

#[test]
fn blocks() {
    limit_memory();
    bolero::check!()
        .with_iterations(inputs(3_000))
        .with_max_len(600)
        .for_each(|input: &[u8]| untorn_fuzz::blocks(input));
}

#[test]
fn image() {
    limit_memory();
    bolero::check!()
        .with_iterations(inputs(150))
        .with_max_len(120)
        .for_each(|input: &[u8]| untorn_fuzz::image(input));
}

#[test]
fn journal() {
    limit_memory();
    bolero::check!()
        .with_iterations(inputs(100))
        .with_max_len(120)
        .for_each(|input: &[u8]| untorn_fuzz::journal(input));
}
