//! Inodes: round trips and hostile bytes.
