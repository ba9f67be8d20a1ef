//! The fsx runs of fstests that have found bugs of atomic and copy-on-write writes in XFS, with
//! their parameters.
//!
//! There, sizes of boundaries are asked of the machine: pages are 4096 bytes here, and direct I/O
//! is done in sectors of 512. What stands for huge pages (generic/760) and for io_uring
//! (generic/617) is the same run without: both are about the caller's side of the system call.

use super::{Growth, Io, Kind, Settings, When};

const PAGE: u64 = 4096;
const SECTOR: u64 = 512;

/// Names of all profiles.
pub const PROFILES: [&str; 8] = [
    "generic/091",
    "generic/127",
    "generic/263",
    "generic/521",
    "generic/522",
    "generic/617",
    "generic/760",
    "generic/776",
];

/// One run of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// fsx's options as fstests gives them, with numbers for names of sizes.
    pub options: String,
    /// Operations.
    pub operations: u64,
    /// The rest.
    pub settings: Settings,
}

/// The runs of the profile `name`; nothing if there is no such profile.
pub fn profile(name: &str) -> Option<Vec<Profile>> {
    let runs = match name.strip_prefix("generic/").unwrap_or(name) {
        "091" => quick_direct(&[0, 8192, 32768, 8192, 32768, 128_000]),
        "127" => standard(),
        "263" => vec![quick(8192, Mapped::Both), quick(128_000, Mapped::Both)],
        "521" => vec![soak(1_000_000, Io::Direct)],
        "522" => vec![soak(1_000_000, Io::Cached)],
        "617" => vec![soak(20_000, Io::Direct)],
        "760" => [0, 8192, 128_000].map(|length| quick(length, Mapped::Neither)).into(),
        "776" => vec![atomic()],
        _ => return None,
    };
    Some(runs)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapped {
    Both,
    Reads,
    Neither,
}

impl Mapped {
    fn options(self) -> &'static str {
        match self {
            Self::Both => "",
            Self::Reads => " -W",
            Self::Neither => " -R -W",
        }
    }

    fn apply(self, settings: &mut Settings) {
        if self != Self::Both {
            settings.kinds = settings.kinds.without(Kind::MapWrite);
        }
        if self == Self::Neither {
            settings.kinds = settings.kinds.without(Kind::MapRead);
        }
    }
}

/// Direct I/O on 500,000 bytes; all but the last without mappings.
fn quick_direct(lengths: &[u64]) -> Vec<Profile> {
    let last = lengths.len() - 1;
    let mapped = |index| if index == last { Mapped::Reads } else { Mapped::Neither };
    lengths.iter().enumerate().map(|(index, length)| quick(*length, mapped(index))).collect()
}

/// A length of zero stands for the default.
fn quick(length: u64, mapped: Mapped) -> Profile {
    let mut settings = Settings {
        file_limit: 500_000,
        read_boundary: PAGE,
        truncate_boundary: SECTOR,
        write_boundary: SECTOR,
        io: Io::Direct,
        ..Settings::default()
    };
    let mut shown = String::new();
    if length > 0 {
        settings.op_limit = length;
        shown = format!(" -o {length}");
    }
    mapped.apply(&mut settings);
    let options = format!(
        "-N 10000{shown} -l 500000 -r {PAGE} -t {SECTOR} -w {SECTOR} -Z{}",
        mapped.options()
    );
    Profile { options, operations: 10_000, settings }
}

fn soak(operations: u64, io: Io) -> Profile {
    let base = Settings { file_limit: 600_000, op_limit: 128_000, io, ..Settings::default() };
    let options = format!("-q -N {operations} -o 128000 -l 600000");
    match io {
        Io::Cached => Profile { options, operations, settings: base },
        Io::Direct => Profile {
            options: format!("{options} -r {PAGE} -t {PAGE} -w {PAGE} -Z"),
            operations,
            settings: Settings {
                read_boundary: PAGE,
                truncate_boundary: PAGE,
                write_boundary: PAGE,
                ..base
            },
        },
    }
}

/// Operations as long as the longest atomic write there: 256 KiB, of those the volume can carry.
fn atomic() -> Profile {
    let settings = Settings {
        file_limit: 500_000,
        op_limit: 256 << 10,
        read_boundary: SECTOR,
        write_boundary: SECTOR,
        io: Io::Direct,
        ..Settings::default()
    };
    let options = format!("-N 10000 -o 262144 -A -l 500000 -r {SECTOR} -w {SECTOR} -Z");
    Profile { options, operations: 10_000, settings }
}

/// With a fixed size and without, with mappings and without, with the cache flushed and not.
fn standard() -> Vec<Profile> {
    let run = |growth: Growth, mapped: Mapped, flush: When| {
        let mut settings = Settings { growth, flush, seed: 191_110_531, ..Settings::default() };
        mapped.apply(&mut settings);
        let flush = if flush == When::Always { "-f " } else { "" };
        let lite = if growth == Growth::Fixed { " -L" } else { "" };
        let options = format!(
            "{flush}-q -l 262144 -o 65536 -S 191110531 -N 100000{lite}{}",
            mapped.options()
        );
        Profile { options, operations: 100_000, settings }
    };
    vec![
        run(Growth::Fixed, Mapped::Neither, When::Never),
        run(Growth::Fixed, Mapped::Both, When::Never),
        run(Growth::Free, Mapped::Neither, When::Never),
        run(Growth::Free, Mapped::Both, When::Never),
        run(Growth::Free, Mapped::Neither, When::Always),
        run(Growth::Free, Mapped::Both, When::Always),
    ]
}
