//! Doors that must not exist: who may not know whom.

use super::Finding;
use super::source::{Project, Source};

/// Crates of ours that a crate may depend on. A crate that is not listed may not exist.
const MAY_DEPEND: [(&str, &[&str]); 15] = [
    ("untorn-device", &[]),
    ("untorn-format", &[]),
    ("untorn-store", &["untorn-device", "untorn-format"]),
    ("untorn", &["untorn-device", "untorn-format", "untorn-store"]),
    ("untorn-image", &["untorn-device", "untorn-format", "untorn"]),
    ("untorn-check", &["untorn-device", "untorn-format"]),
    ("untorn-db", &["untorn-device", "untorn-format"]),
    ("untorn-fuse", &["untorn-device", "untorn-format", "untorn"]),
    (
        "untorn-torture",
        &[
            "untorn-device",
            "untorn-format",
            "untorn-store",
            "untorn",
            "untorn-image",
            "untorn-check",
            "untorn-db",
        ],
    ),
    (
        "untorn-fuzz",
        &["untorn-device", "untorn-format", "untorn-store", "untorn", "untorn-check", "untorn-db"],
    ),
    (
        "untorn-cli",
        &[
            "untorn-device",
            "untorn-format",
            "untorn",
            "untorn-image",
            "untorn-check",
            "untorn-db",
            "untorn-fuse",
            "untorn-torture",
        ],
    ),
    ("untorn-explore", &["untorn-device", "untorn", "untorn-check", "untorn-torture"]),
    // The sources of untorn-store and of untorn once more, over other locks.
    ("untorn-explored-store", &["untorn-device", "untorn-format"]),
    ("untorn-explored-volume", &["untorn-device", "untorn-format", "untorn-store"]),
    ("xtask", &[]),
];

/// Packages that only these crates may use: the others have no business with what they do.
const RESERVED: [(&str, &[&str]); 4] = [
    // Only the format layer computes checksums of the disk; the harness mends superblocks with it.
    ("crc32c", &["untorn-format", "untorn-torture"]),
    (
        "rustix",
        &[
            "untorn-device",
            "untorn-image",
            "untorn-fuse",
            "untorn-torture",
            "untorn-fuzz",
            "untorn-cli",
        ],
    ),
    ("tar", &["untorn-image"]),
    ("fuser", &["untorn-fuse"]),
];

/// In a crate, modules that a module may not name.
const MUST_NOT_KNOW: [(&str, &str, &[&str]); 10] = [
    ("untorn", "btree", &["ag", "inode", "map", "io", "da", "dir", "attr", "namespace", "volume"]),
    ("untorn", "ag", &["inode", "map", "io", "da", "dir", "attr", "namespace"]),
    ("untorn", "inode", &["map", "io", "da", "dir", "attr", "namespace"]),
    ("untorn", "map", &["io", "dir", "attr", "namespace"]),
    ("untorn", "io", &["dir", "attr", "namespace"]),
    ("untorn", "da", &["dir", "attr", "namespace"]),
    ("untorn", "dir", &["attr", "namespace"]),
    ("untorn", "attr", &["dir", "namespace"]),
    ("untorn-store", "cache", &["journal"]),
    ("untorn-store", "journal", &["cache"]),
];

/// Where crates must not look at error numbers of the host.
const WITHOUT_ERRNO: [&str; 5] =
    ["untorn-format", "untorn-store", "untorn", "untorn-check", "untorn-db"];

/// Folders from which the device is written to; everybody else goes through them.
const DEVICE_WRITERS: [(&str, &[&str]); 5] = [
    ("untorn-store", &["journal", "replay", "writeback"]),
    ("untorn", &["io", "mkfs"]),
    ("untorn-check", &[]),
    ("untorn-db", &[]),
    ("untorn-format", &[]),
];

/// Files that may hold unsafe code.
const UNSAFE_FILES: [&str; 2] =
    ["crates/untorn-device/src/raw.rs", "crates/untorn-device/src/raw/pool.rs"];

fn at(source: &Source, line: usize, what: String) -> Finding {
    Finding { path: source.path.clone(), line, what }
}

/// Crates depend on each other along the listed arrows only.
pub(super) fn crates(project: &Project) -> Vec<Finding> {
    let edges = project.dependencies.iter().flat_map(|(krate, dependencies)| {
        dependencies.iter().map(move |dependency| (krate, dependency))
    });
    let forbidden = edges.filter(|(krate, dependency)| !may_depend(krate, dependency));
    let told = forbidden.map(|(krate, dependency)| Finding {
        path: format!("{krate}'s Cargo.toml"),
        line: 0,
        what: format!("{krate} must not depend on {dependency}"),
    });
    told.collect()
}

fn may_depend(krate: &str, dependency: &str) -> bool {
    let is_ours = dependency == "untorn" || dependency.starts_with("untorn-");
    if is_ours {
        return MAY_DEPEND.iter().any(|(name, may)| *name == krate && may.contains(&dependency));
    }
    let reserved = RESERVED.iter().find(|(name, _)| *name == dependency);
    reserved.is_none_or(|(_, may)| may.contains(&krate))
}

/// Modules name each other along the listed arrows only.
pub(super) fn modules(project: &Project) -> Vec<Finding> {
    project.sources.iter().filter(|source| !source.is_test()).flat_map(forbidden_paths).collect()
}

fn forbidden_paths(source: &Source) -> Vec<Finding> {
    let module = source.module();
    let room = module.first().copied().unwrap_or_default();
    let rules = MUST_NOT_KNOW.iter().filter(|rule| rule.0 == source.krate() && rule.1 == room);
    let closed: Vec<&str> = rules.flat_map(|rule| rule.2).copied().collect();
    if closed.is_empty() {
        return Vec::new();
    }
    let known = source.lines_outside_tests();
    let known = known.iter().map(|(number, line)| (*number, *line));
    let mut found: Vec<Finding> = Vec::new();
    for (line, other) in rooms_named(known, &module) {
        if closed.contains(&other.as_str()) {
            found.push(at(source, line, format!("{room} must not know {other}")));
        }
    }
    found
}

/// First segment below the crate's root of every path in the code, with its line.
///
/// Understands `crate::a::b`, `super::super::a`, and groups: `crate::{a::b, c}`.
fn rooms_named<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    module: &[&str],
) -> Vec<(usize, String)> {
    let words: Vec<(usize, String)> =
        lines.flat_map(|(number, line)| words(line).map(move |word| (number, word))).collect();
    let mut found = Vec::new();
    for start in 0..words.len() {
        let continues = start > 0 && words[start - 1].1 == "::";
        if !continues && let Some(after) = root_reached(&words[start..], module) {
            take_first_segments(&words[start + after..], &mut found);
        }
    }
    found
}

/// Number of words after which a path has reached the root of the crate; none if it does not.
fn root_reached(words: &[(usize, String)], module: &[&str]) -> Option<usize> {
    let word = |at: usize| words.get(at).map(|(_, word)| word.as_str());
    if word(0) == Some("crate") && word(1) == Some("::") {
        return Some(2);
    }
    let ups =
        (0..).take_while(|up| word(2 * up) == Some("super") && word(2 * up + 1) == Some("::"));
    let ups = ups.count();
    (ups > 0 && ups >= module.len()).then_some(2 * ups)
}

/// The segment at the start of `words`, or each first segment of the group there.
fn take_first_segments(words: &[(usize, String)], found: &mut Vec<(usize, String)>) {
    let Some(first) = words.first() else { return };
    if first.1 != "{" {
        found.push(first.clone());
        return;
    }
    let mut depth = 0;
    let mut expected = false;
    for (line, word) in words {
        match word.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if expected => found.push((*line, word.clone())),
            _ => {}
        }
        expected = depth == 1 && (word == "{" || word == ",");
        if depth == 0 {
            return;
        }
    }
}

/// Names, `::` and punctuation of a line of code.
fn words(line: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word.to_owned())
    })
}

/// Error numbers of the host are looked at by devices and the mount only.
pub(super) fn host_errors(project: &Project) -> Vec<Finding> {
    let signs = ["Errno", "errno", "raw_os_error", "libc"];
    let mut found = Vec::new();
    for source in project.sources.iter().filter(|each| WITHOUT_ERRNO.contains(&each.krate())) {
        for (number, line) in source.lines_outside_tests() {
            for word in words(line).filter(|word| signs.contains(&word.as_str())) {
                let what = format!("{word}: error numbers are known to devices and the mount only");
                found.push(at(source, number, what));
            }
        }
    }
    found
}

/// Only the journal, writeback, replay and the data paths write to the device.
pub(super) fn device_writers(project: &Project) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in project.sources.iter().filter(|source| may_not_write(source)) {
        for (number, line) in source.lines_outside_tests() {
            let calls = [".write_at(", ".write_batch("].iter().filter(|call| line.contains(*call));
            let krate = source.krate();
            let what = |call| format!("{call}..): {krate} does not write to the device from here");
            found.extend(calls.map(|call| at(source, number, what(call))));
        }
    }
    found
}

fn may_not_write(source: &Source) -> bool {
    let rule = DEVICE_WRITERS.iter().find(|(krate, _)| *krate == source.krate());
    let room = source.module().first().copied().unwrap_or_default();
    rule.is_some_and(|(_, writers)| !writers.contains(&room))
}

/// Unsafe code is written and allowed in two named files.
pub(super) fn unsafety(project: &Project) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &project.sources {
        if UNSAFE_FILES.contains(&source.path.as_str()) {
            continue;
        }
        for (number, line) in source.lines_outside_tests() {
            let allows = line.contains("allow(unsafe_code") || line.contains("expect(unsafe_code");
            if allows || words(line).any(|word| word == "unsafe") {
                let what = format!("unsafe code lives in {}", UNSAFE_FILES.join(" and "));
                found.push(at(source, number, what));
            }
        }
    }
    found
}
