//! The space calls against a byte model, the checker and the hazards of their kind.

mod cuts;
mod hazards;
mod large;
mod model;
mod play;
mod removed;
