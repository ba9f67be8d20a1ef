//! Random calls against a byte model, on many kinds of volume.

use super::play::{Call, Layout, Play, ROOMY, Setting, calls};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A number from the environment: a smoke by default, a soak by night.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Plays `calls`; how many found no space.
fn play(setting: Setting, calls: &[Call]) -> Result<usize, String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut play = Play::new(setting);
        for (index, call) in calls.iter().enumerate() {
            play.make(call).map_err(|what| format!("call {index}: {what}"))?;
        }
        let refused = play.refused;
        play.close()?;
        Ok(refused)
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// The fewest of `calls` that still fail: ever smaller runs of them are left out.
fn shrink(setting: Setting, mut calls: Vec<Call>) -> Vec<Call> {
    let mut run = calls.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < calls.len() {
            let mut fewer = calls.clone();
            fewer.drain(at..(at + run).min(calls.len()));
            match play(setting, &fewer) {
                Err(_) => calls = fewer,
                Ok(_) => at += run,
            }
        }
        run /= 2;
    }
    calls
}

fn hold(setting: Setting) -> usize {
    let count = number("UNTORN_SPACE_CALLS", 120) as usize;
    let first = number("UNTORN_SPACE_SEED", 1);
    let mut refused = 0;
    for seed in first..first + number("UNTORN_SPACE_SEEDS", 3) {
        let calls = calls(seed, count);
        match play(setting, &calls) {
            Ok(count) => refused += count,
            Err(what) => {
                let few = shrink(setting, calls);
                let why = play(setting, &few);
                panic!("{}, seed {seed}: {what}\nshrunk to {few:#?}\n{why:?}", setting.name);
            }
        }
    }
    println!("{}: {refused} calls found no space", setting.name);
    refused
}

#[test]
fn calls_on_a_roomy_volume_do_what_the_model_says_model_check() {
    hold(ROOMY);
}

#[test]
fn calls_with_blocks_of_1_kib_do_what_the_model_says_model_check() {
    hold(Setting { name: "1 KiB", block: 1024, groups: 8, volume: 160 << 20, reach: 200, ..ROOMY });
}

#[test]
fn calls_with_blocks_of_64_kib_do_what_the_model_says_model_check() {
    let volume = 320 << 20;
    hold(Setting { name: "64 KiB", block: 65536, volume, reach: 20, ..ROOMY });
}

#[test]
fn calls_without_reverse_mappings_do_what_the_model_says_model_check() {
    hold(Setting { name: "no rmapbt", rmapbt: false, ..ROOMY });
}

#[test]
fn calls_without_shared_blocks_do_what_the_model_says_model_check() {
    hold(Setting { name: "plain", rmapbt: false, reflink: false, ..ROOMY });
}

#[test]
fn calls_on_a_file_in_single_blocks_do_what_the_model_says_model_check() {
    let layout = Layout::Shattered;
    hold(Setting {
        name: "shattered",
        block: 1024,
        layout,
        reach: 300,
        volume: 80 << 20,
        groups: 4,
        ..ROOMY
    });
}

#[test]
fn calls_on_a_full_volume_succeed_or_change_nothing_model_check() {
    let layout = Layout::Full;
    let refused = hold(Setting { name: "full", layout, volume: 24 << 20, groups: 1, ..ROOMY });
    assert!(refused > 0, "the volume was not full");
}
