//! Inputs for a target, and limits that each must keep.
//!
//! An input that fails is shown as a file's contents in hexadecimal: `xxd -r -p` makes it a file of
//! the corpus.

mod inputs;
mod watch;

use inputs::Inputs;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use watch::Watch;

/// Memory of a test process in bytes: many times what any volume here is worth.
const MEMORY: u64 = 1 << 30;

/// Lets the process end where it would take memory without bound.
pub fn limit_memory() {
    let maximum = getrlimit(Resource::Data).maximum;
    setrlimit(Resource::Data, Rlimit { current: Some(MEMORY), maximum }).unwrap();
}

/// Whether `cargo bolero` runs the process.
pub fn under_engine() -> bool {
    let ours = |name: String| name.starts_with("BOLERO_") || name.starts_with("CARGO_BOLERO_");
    std::env::vars_os().any(|(name, _)| ours(name.to_string_lossy().into_owned()))
}

/// Gives `target` its corpus, and then as many inputs as were asked for, or `usual`.
pub fn run(name: &str, usual: usize, longest: usize, target: fn(&[u8])) {
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has a corpus");
    let mut watch = Watch::new();
    corpus.iter().for_each(|input| watch.run(input, target));
    let count = number("UNTORN_FUZZ").unwrap_or(usual as u64);
    let mut inputs = Inputs::new(number("UNTORN_SEED").unwrap_or(1), longest, &corpus);
    for done in 1..=count {
        watch.run(&inputs.next(), target);
        if done.is_multiple_of(10_000) {
            println!("{name}: {done} of {count}; {watch}");
        }
    }
    println!("{name}: {} inputs of the corpus, {count} others; {watch}", corpus.len());
}

/// The inputs of a target that are kept, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}
