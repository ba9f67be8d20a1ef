//! Atomic writes under power cuts: what recovery finds is the state after some of the writes,
//! whole, and no fewer than were durable; and the volume is sound.
//!
//! [`Recording::make`] runs a scenario on a simulated disk and keeps every state of the file.
//! [`Recording::judge`] recovers one power cut and compares. The same scenario and seed make the
//! same writes, so a failure is told by what its message says.

mod record;
mod scenario;

pub use record::{Broken, Failure, Outcome, Recording};
pub use scenario::{Hears, Layout, Scenario, Syncing, scenarios};
