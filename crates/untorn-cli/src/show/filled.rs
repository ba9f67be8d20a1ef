//! What went into a volume, as JSON.

use serde::Serialize;
use untorn_image::Summary;

/// Counts, and bytes of regular files that are not in holes.
#[derive(Debug, Serialize)]
pub struct Filled {
    files: u64,
    directories: u64,
    symlinks: u64,
    specials: u64,
    links: u64,
    bytes: u64,
}

impl Filled {
    /// What a summary says.
    pub fn of(summary: &Summary) -> Self {
        let Summary { files, directories, symlinks, specials, links, bytes } = *summary;
        Self { files, directories, symlinks, specials, links, bytes }
    }
}
