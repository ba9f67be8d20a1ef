//! AG headers: rings, round trips, hostile bytes.
