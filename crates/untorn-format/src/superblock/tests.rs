//! Superblocks: round trips, bounds, hostile bytes.
