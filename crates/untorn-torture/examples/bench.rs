//! Measures, and prints lines of JSON: `cargo xtask bench SUITE` runs it and reads them.

use anyhow::Result;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    untorn_torture::bench::run(&arguments)
}
