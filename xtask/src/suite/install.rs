//! Installs what the tests need, where that is allowed: by root, on a Debian-like system.

use std::path::Path;

use crate::process::{command, is_installed, run, succeeds};

/// A program that tests run, and the Debian package that has it.
const NEEDED: [(&str, &str); 5] = [
    ("mkfs.xfs", "xfsprogs"),
    ("xfs_io", "xfsprogs"),
    ("losetup", "mount"),
    ("mount", "mount"),
    ("python3", "python3-minimal"),
];

/// Installs what is missing. What cannot be installed is missed, and named, by the tier that
/// needs it.
pub fn what_tests_need() {
    let missing = missing();
    if missing.is_empty() {
        return;
    }
    println!("missing: {}", missing.join(", "));
    if !is_installed("apt-get") || !succeeds(command(Path::new("/"), "sh", &["-c", IS_ROOT])) {
        println!("not installed: that takes root and apt-get");
        return;
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let steps = [vec!["update"], [&install[..], &missing].concat()];
    for step in steps {
        let mut apt = command(Path::new("/"), "apt-get", &step);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        if let Err(error) = run(apt) {
            println!("not installed: {error:#}");
        }
    }
}

const IS_ROOT: &str = "test $(id -u) = 0";

fn missing() -> Vec<&'static str> {
    let absent = NEEDED.iter().filter(|(program, _)| !is_installed(program));
    let mut packages: Vec<&str> = absent.map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}
