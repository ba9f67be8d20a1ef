//! Says whether the tests that ask Linux can run here: exit status 0, or 1 and why not.

use std::process::ExitCode;

use untorn_torture::kernel::{Tier, tier};

fn main() -> ExitCode {
    match tier() {
        Tier::Ready => ExitCode::SUCCESS,
        Tier::Missing(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}
