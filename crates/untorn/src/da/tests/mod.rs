//! Readers of directories and attributes against volumes that Linux filled, with the raw image as
//! their source of blocks; and a fork of hand-made blocks.

mod kernel_edit;
mod kernel_forms;
pub(crate) mod made;
pub(crate) mod raw;
