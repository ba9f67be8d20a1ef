//! A disk that forgets what was not flushed, and what it may hold after a power cut.
//!
//! - [`SimDisk`] is a device that keeps every write, discard and flush as an [`Event`].
//! - [`History`] is that log with the content it began from; it answers what the disk may hold if
//!   the power went after so many events, under a [`Policy`].
//! - [`CutPlan`] walks all cuts of a history and hands out the images.
//! - [`FaultPlan`] makes requests fail, at once or later.
//!
//! The model: a write that returned is in a volatile cache. A flush that returned made durable all
//! that returned before it. Until then any sector of the cache may or may not have reached the
//! medium, in any order; only a sector is never torn.
//!
//! Never here: knowledge of XFS, or of who writes and why.

mod event;
mod fault;
mod history;
mod plan;
mod sim;

pub use crate::dice::Dice;
pub use event::Event;
pub use fault::FaultPlan;
pub use history::{History, Policy};
pub use plan::{Cut, CutPlan, Family};
pub use sim::SimDisk;

#[cfg(test)]
mod tests;
