//! Directories and attributes changed by the editors, in the image of a clean volume, judged by
//! Linux and xfs_repair.
