//! Whether this machine can be the judge, decided once per process.

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use super::{command, mount, scratch};

/// Programs without which the tier cannot run, with the package that has each.
const PROGRAMS: [(&str, &str); 6] = [
    ("mkfs.xfs", "xfsprogs"),
    ("xfs_repair", "xfsprogs"),
    ("xfs_db", "xfsprogs"),
    ("xfs_io", "xfsprogs"),
    ("xfs_logprint", "xfsprogs"),
    ("losetup", "util-linux"),
];

/// Whether Linux can judge here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tier {
    /// It can.
    Ready,
    /// It cannot, or was not asked to: the text says why.
    Missing(String),
}

/// Whether Linux can judge here; found out once per process.
///
/// The tier is asked for by `UNTORN_KERNEL_TIER=1` or `UNTORN_DEMAND_KERNEL=1`, so that a plain
/// `cargo test` run by root mounts nothing.
pub fn tier() -> &'static Tier {
    static TIER: OnceLock<Tier> = OnceLock::new();
    TIER.get_or_init(|| match first_lack() {
        Some(reason) => Tier::Missing(reason),
        None => {
            mount::sweep(&scratch::scratch_root());
            scratch::sweep(&scratch::scratch_root());
            Tier::Ready
        }
    })
}

/// True where the kernel tier can run. Where it cannot, says why on standard error, once per
/// process; panics instead when `UNTORN_DEMAND_KERNEL=1`.
#[must_use]
pub fn demand() -> bool {
    let Tier::Missing(reason) = tier() else { return true };
    assert!(!is_set("UNTORN_DEMAND_KERNEL"), "the kernel tier is demanded, but {reason}");
    static TOLD: OnceLock<()> = OnceLock::new();
    TOLD.get_or_init(|| {
        // Not eprintln!: the test harness would swallow the line of a test that passes.
        let _ = writeln!(std::io::stderr(), "kernel tier not run: {reason}");
    });
    false
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// The first thing that is missing.
fn first_lack() -> Option<String> {
    if !is_set("UNTORN_KERNEL_TIER") && !is_set("UNTORN_DEMAND_KERNEL") {
        return Some("UNTORN_KERNEL_TIER=1 is not set (`cargo xtask test` sets it)".into());
    }
    if !rustix::process::geteuid().is_root() {
        return Some("it needs root".into());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some("there are no loop devices (no /dev/loop-control)".into());
    }
    missing_program().or_else(missing_filesystem)
}

fn missing_program() -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).exists());
    let (program, package) = PROGRAMS.into_iter().find(|(name, _)| !found(name))?;
    Some(format!("{program} is not installed (package {package})"))
}

fn missing_filesystem() -> Option<String> {
    let listed = || {
        let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        list.lines().any(|line| line.trim() == "xfs")
    };
    if listed() {
        return None;
    }
    let _ = command::output("modprobe", &["xfs"]);
    (!listed()).then(|| "the kernel has no XFS".into())
}
