//! From options to settings: a profile's, or fsx's defaults, changed by what was typed.

use super::options::{Beyond, Fsx, Limits, Ways, Without};
use anyhow::{Context, ensure};
use std::time::{SystemTime, UNIX_EPOCH};
use untorn_torture::fsx::{
    Growth, Io, Kind, Kinds, Lengths, PROFILES, Profile, Settings, Truncates, When, profile,
};

/// Operations unless something else says when to stop.
const OPERATIONS: u64 = 100_000;

/// Largest file: the model keeps all of it in memory, three times.
const LARGEST: u64 = 1 << 30;

/// The runs that were asked for; of a profile several.
pub fn runs(arguments: &Fsx) -> anyhow::Result<Vec<Profile>> {
    refuse(arguments)?;
    let mut runs = match &arguments.beyond.profile {
        Some(name) => profile(name)
            .with_context(|| format!("--profile {name}: there are {}", PROFILES.join(", ")))?,
        None => {
            let settings = Settings { seed: 1, ..Settings::default() };
            vec![Profile { options: String::new(), operations: OPERATIONS, settings }]
        }
    };
    for run in &mut runs {
        run.operations = arguments.limits.operations.unwrap_or(run.operations);
        if arguments.limits.duration.is_some() {
            run.operations = u64::MAX;
        }
        change(&mut run.settings, arguments);
        let Settings { file_limit, .. } = run.settings;
        ensure!(file_limit <= LARGEST, "-l {file_limit}: the largest file is {LARGEST} bytes");
    }
    Ok(runs)
}

/// Refuses by name what has no meaning here.
fn refuse(arguments: &Fsx) -> anyhow::Result<()> {
    let Fsx { limits, beyond, ways, .. } = arguments;
    ensure!(
        arguments.refused.log_device.is_none(),
        "-i: there is no dm-log-writes device here; --crash cuts the power on a simulated disk"
    );
    let stops = limits.operations.is_some()
        || limits.duration.is_some()
        || ways.replay_ops.is_some()
        || beyond.profile.is_some();
    // Elsewhere these letters alone ask for help.
    ensure!(!ways.huge_pages || stops, "-h: buffers in huge pages, with -N; for help, --help");
    Ok(())
}

fn change(settings: &mut Settings, arguments: &Fsx) {
    let Fsx { limits, without, ways, beyond, .. } = arguments;
    settings.block_size = arguments.volume.block_size;
    limit(settings, limits);
    settings.kinds = kinds(settings.kinds, without, beyond);
    leave_out(settings, without);
    if settings.growth == Growth::Fixed {
        settings.kinds = settings.kinds.filter(|kind| Settings::FIXED.contains(&kind));
    }
    go(settings, ways);
    settings.crash_in = beyond.crash;
    settings.remount_in = beyond.remount;
    settings.check_every = beyond.check_every;
}

fn limit(settings: &mut Settings, limits: &Limits) {
    let mut set = |place: fn(&mut Settings) -> &mut u64, value: Option<u64>| {
        if let Some(value) = value {
            *place(settings) = value;
        }
    };
    set(|s| &mut s.file_limit, limits.file_limit);
    set(|s| &mut s.op_limit, limits.op_limit);
    set(|s| &mut s.read_boundary, limits.read_boundary);
    set(|s| &mut s.write_boundary, limits.write_boundary);
    set(|s| &mut s.truncate_boundary, limits.truncate_boundary);
    set(|s| &mut s.begin, limits.begin);
    set(|s| &mut s.seed, limits.seed.map(|seed| if seed == 0 { by_the_clock() } else { seed }));
    if limits.full_length {
        settings.lengths = Lengths::Full;
    }
    if limits.style == Some(1) {
        settings.truncates = Truncates::Small;
    }
}

fn by_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.subsec_nanos());
    1 + u64::from(now ^ std::process::id()) % 1_000_000
}

fn kinds(kinds: Kinds, without: &Without, beyond: &Beyond) -> Kinds {
    let left_out = [
        (Kind::WriteAtomic, without.atomic),
        (Kind::Fallocate, without.fallocate),
        (Kind::PunchHole, without.punch_hole),
        (Kind::ZeroRange, without.zero_range),
        (Kind::CollapseRange, without.collapse_range),
        (Kind::InsertRange, without.insert_range),
        (Kind::CloneRange, without.clone_range),
        (Kind::DedupeRange, without.dedupe_range),
        (Kind::CopyRange, without.copy_range),
        (Kind::ExchangeRange, without.exchange_range),
        (Kind::MapRead, without.map_read),
        (Kind::MapWrite, without.map_write),
        (Kind::Batch, beyond.no_batch),
        (Kind::Fsync, beyond.no_fsync),
    ];
    let left_out = left_out.iter().filter(|(_, out)| *out);
    left_out.fold(kinds, |kinds, (kind, _)| kinds.without(*kind))
}

fn leave_out(settings: &mut Settings, without: &Without) {
    if without.keep_size {
        settings.keep_size = When::Never;
    }
    if without.unshare {
        settings.unshare = When::Never;
    }
    if without.lite {
        settings.growth = Growth::Fixed;
    }
}

fn go(settings: &mut Settings, ways: &Ways) {
    let mut always = |place: fn(&mut Settings) -> &mut When, asked: bool| {
        if asked {
            *place(settings) = When::Always;
        }
    };
    always(|s| &mut s.flush, ways.flush);
    always(|s| &mut s.sync, ways.sync);
    always(|s| &mut s.preallocate, ways.preallocate);
    always(|s| &mut s.content_checks, ways.content_checks);
    always(|s| &mut s.pollute, ways.pollute == Some(1));
    if ways.no_size_checks {
        settings.size_checks = When::Never;
    }
    if ways.direct {
        settings.io = Io::Direct;
    }
    settings.fill = ways.fill.or(settings.fill);
    settings.reopen_in = ways.reopen.or(settings.reopen_in);
}
