//! fsx, the file system exerciser of fstests, over the library: operations by chance on one file,
//! every byte compared with plain memory.
//!
//! ```text
//! Generator or ops file -> fit -> Exerciser -> Target (a file of a volume; in tests, a faulty one)
//!                                    |  model, pattern, log, since (what a power cut may leave)
//!                                    v
//!                                 Failure -> minimise -> the shortest run that fails
//! ```
//! - The options, the log and the ops files are those of fsx; so the logs that people mail replay
//!   here. Beyond it: batches, clean remounts, power cuts, the checker, and minimising.
//! - The same seed and settings give the same operations.
//!
//! Never here: printing, files, arguments. The command does that.

mod exercise;
mod failure;
mod fit;
mod generate;
mod log;
mod minimise;
mod model;
mod op;
pub mod ops_file;
mod profile;
mod run;
mod settings;
mod since;
mod target;
#[cfg(test)]
mod tests;
mod volume;

pub use exercise::{Exerciser, Tally};
pub use failure::{BadData, Failure, Wrong};
pub use fit::fit;
pub use generate::Generator;
pub use log::{Entry, Fate, Log};
pub use minimise::{Shortest, minimise};
pub use model::{Model, Pattern};
pub use op::{Kind, Kinds, Op, Rule, Shared, Then};
pub use ops_file::{ParseError, Recorded};
pub use profile::{PROFILES, Profile, profile};
pub use run::{Ended, GoOn, Plan, Power, Source, Unforeseen, again, fails_with, possible, run};
pub use settings::{Growth, Io, Lengths, Settings, Truncates, When};
pub use target::{Alike, Answer, Door, Piece, Target, Trouble};
pub use volume::{Ground, VolumeTarget};
