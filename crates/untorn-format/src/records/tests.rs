//! Records: bytes that are known, and round trips.
