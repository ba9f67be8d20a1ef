//! Names on lines of their own, for people and for programs.
//!
//! On a terminal a name is escaped, so that no two names look alike and none moves the cursor.
//! Anything else gets the bytes as they are; where a name may have a line's end in it, a NUL
//! behind each tells them apart.

use super::printable;
use std::io::{self, IsTerminal, Write, stdout};

/// What stands behind each name.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Ends {
    /// A NUL behind each name in place of the end of a line, and nothing escaped.
    #[arg(short = '0', long = "print0")]
    pub nul: bool,
}

impl Ends {
    /// The name and its end.
    pub fn write(self, out: &mut dyn Write, name: &[u8]) -> io::Result<()> {
        match (self.nul, stdout().is_terminal()) {
            (true, _) => out.write_all(&[name, b"\0"].concat()),
            (false, false) => out.write_all(&[name, b"\n"].concat()),
            (false, true) => writeln!(out, "{}", printable(name)),
        }
    }
}
