//! The judges that need a machine to suffer: simulated disks, power cuts, models, and Linux itself.

pub mod bench;
pub mod cuts;
pub mod dice;
pub mod disk;
pub mod fsx;
pub mod kernel;
pub mod names;
pub mod tree;
pub mod volume_tree;
