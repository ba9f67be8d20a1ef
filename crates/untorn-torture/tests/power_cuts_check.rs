//! Atomic writes on a simulated disk, cut at every request.

use untorn_torture::cuts::{Recording, Scenario, scenarios};
use untorn_torture::disk::Family;

/// Writes of each scenario: a smoke by default, a soak with `UNTORN_CUT_WRITES`.
fn writes() -> usize {
    std::env::var("UNTORN_CUT_WRITES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

fn survive(scenario: &Scenario) {
    let recording = Recording::make(scenario).unwrap_or_else(|e| panic!("{}: {e}", scenario.name));
    let (mut cuts, mut replayed, mut undone) = (0, 0, 0);
    for cut in recording.cuts().families(&Family::ALL).distinct() {
        let outcome = recording.judge(&cut);
        let outcome = outcome.unwrap_or_else(|what| panic!("{}: {what}", scenario.name));
        cuts += 1;
        replayed += usize::from(outcome.replayed);
        undone += usize::from(outcome.survived < outcome.begun);
    }
    println!(
        "{}: {cuts} cuts of {} requests, {replayed} replayed, {undone} without the last write",
        scenario.name,
        recording.events()
    );
    assert!(replayed > 0 && undone > 0, "the cuts met nothing worth meeting");
}

macro_rules! survives {
    ($($name:ident = $index:literal;)*) => {$(
        #[test]
        fn $name() {
            survive(&scenarios(writes(), 1)[$index]);
        }
    )*};
}

survives! {
    overwrites_of_a_whole_file_survive_power_cuts_check = 0;
    a_growing_file_survives_power_cuts_check = 1;
    a_shattered_volume_survives_power_cuts_check = 2;
    holes_survive_power_cuts_check = 3;
    small_blocks_survive_power_cuts_check = 4;
    durable_writes_survive_power_cuts_check = 5;
}
