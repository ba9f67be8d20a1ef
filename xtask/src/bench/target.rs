//! What is aimed at.

/// The least ratio that untorn should have to somebody, where one is aimed at.
pub(super) fn least(section: &str, case: &str, who: &str) -> Option<f64> {
    match (section, who) {
        ("atomic", "linux") => Some(2.0),
        ("atomic", "raw") if case.ends_with("unsynced") => Some(0.7),
        ("atomic", "twice") => Some(1.8),
        ("atomic", "one") if case.starts_with("untorn") => Some(SCALING),
        ("stream", "raw") if case.starts_with("random") => Some(0.9),
        ("stream", "raw") => Some(0.85),
        ("namespace" | "images", "linux") => Some(1.0),
        ("fsx", _) if case.ends_with("in memory") => Some(10.0),
        _ => None,
    }
}

/// What four threads on four files should do in writes of one thread, where the device lets plain
/// writes do as much.
pub(super) const SCALING: f64 = 1.6;

/// Bytes that a process may have beyond the limits of its caches.
pub(super) const BEYOND_CACHES: u64 = 64 << 20;
