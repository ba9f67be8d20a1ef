//! `untorn fsx`: letters, logs, files and ends.

use super::{Said, Site, untorn_on};
use std::fs;

fn fsx(arguments: &[&str]) -> Said {
    untorn_on(&[&["fsx"], arguments].concat(), b"")
}

#[test]
fn a_run_says_what_was_done() {
    let said = fsx(&["-N", "300"]).well();
    assert!(said.out.starts_with("Seed set to 1\n"), "{}", said.out);
    assert!(said.out.ends_with("All 300 operations completed A-OK!\n"), "{}", said.out);
    let quiet = fsx(&["-q", "-j", "id", "-N", "10"]).well();
    assert_eq!(quiet.out, "id: All 10 operations completed A-OK!\n");
}

#[test]
fn numbers_in_json_add_up() {
    let arguments =
        ["-N", "500", "--crash", "50", "--remount", "50", "-c", "20", "-S", "7", "--json"];
    let json = fsx(&arguments).json();
    let run = &json["runs"][0];
    let done: u64 = run["done"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(done + run["skipped"].as_u64().unwrap() + run["refused"].as_u64().unwrap(), 500);
    assert_eq!((&json["good"], &run["seed"]), (&true.into(), &7.into()));
    assert_eq!(run["power_cuts"], run["done"]["crash"]);
}

#[test]
fn one_seed_does_the_same_every_time() {
    let run = |seed| fsx(&["-N", "200", "-d", "-S", seed]).well().out;
    let without_speed = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.contains("operations/s")).map(str::to_owned).collect()
    };
    assert_eq!(without_speed(run("5")), without_speed(run("5")));
    assert_ne!(without_speed(run("5")), without_speed(run("6")));
}

#[test]
fn letters_of_fsx_are_understood_or_refused_by_name() {
    let all = "-N 50 -a -b 3 -c 9 -d -D 5 -e 1 -f -g x -j id -l 100k -m 0:0 -n -o 4k -O -p 10 -q \
               -r 512 -s 1 -t 512 -u -w 512 -x -X -y -z -A -B -C -E -F -H -I -J -K -R -S 3 -T -W \
               -Z -0";
    fsx(&all.split_whitespace().collect::<Vec<_>>()).well();
    fsx(&["-N", "50", "-L", "-U"]).well();
    // As fstests begins generic/759 and 760.
    fsx(&["-h", "-N", "50", "-o", "8192", "-l", "500000", "-Z", "-R", "-W"]).well();
    fsx(&["-i", "/dev/log"]).refused(2, "-i: there is no dm-log-writes device here; --crash");
    fsx(&["-h"]).refused(2, "for help, --help");
    fsx(&["--profile", "generic/001"]).refused(2, "generic/091");
    fsx(&["-l", "2g"]).refused(2, "the largest file is");
    for usage in [["-A", "-U"], ["-k", "-q"], ["-e", "2"], ["-r", "0"], ["-m", "5"]] {
        assert_eq!(fsx(&usage).status, 2, "{usage:?}");
    }
}

#[test]
fn the_last_of_two_options_counts() {
    let said = fsx(&["-N", "5", "-N", "7", "-q"]).well();
    assert_eq!(said.out, "All 7 operations completed A-OK!\n");
}

#[test]
fn a_profile_has_the_runs_of_its_fstest() {
    let said = fsx(&["--profile", "generic/263", "-N", "200"]).well();
    let heads: Vec<_> = said.out.lines().filter(|line| line.starts_with("fsx ")).collect();
    let expected = [
        "fsx -N 10000 -o 8192 -l 500000 -r 4096 -t 512 -w 512 -Z",
        "fsx -N 10000 -o 128000 -l 500000 -r 4096 -t 512 -w 512 -Z",
    ];
    assert_eq!(heads, expected);
}

#[test]
fn an_image_is_made_and_exercised_and_left_sound() {
    let site = Site::bare();
    site.run(&["fsx", "--image", "@", "-N", "300", "--crash", "60", "--remount", "60"]).well();
    site.assert_sound();
    site.run_on(&["write", "@", "/other"], b"not to be touched").well();
    site.run(&["fsx", "--image", "@", "-N", "300", "/another"]).well();
    site.run(&["fsx", "--image", "@", "-N", "300", "-k", "/other"]).well();
    site.assert_sound();
    assert_eq!(site.run(&["cat", "@", "/other"]).well().bytes.len(), 17);
}

#[test]
fn a_recorded_run_replays() {
    let site = Site::bare();
    let ops = site.path("run.fsxops");
    let record = format!("--record-ops={}", ops.display());
    // More than the log remembers.
    let recorded = fsx(&["-N", "10400", "--crash", "2000", &record, "--json"]).json();
    assert_eq!(fs::read_to_string(&ops).unwrap().lines().count(), 10_400);
    let replayed = fsx(&["--replay-ops", ops.to_str().unwrap(), "--json"]).json();
    assert_eq!(recorded["runs"][0]["done"], replayed["runs"][0]["done"]);
}

#[test]
fn a_mailed_log_replays_and_nonsense_does_not() {
    let site = Site::bare();
    let log = site.path("mail");
    let text = "> LOG DUMP (2 total operations):\n\
                > 1(  1 mod 256): WRITE    0x400 thru 0x13ff\t(0x1000 bytes) HOLE\n\
                > 2(  2 mod 256): READ     0x0 thru 0x3ff\t(0x400 bytes)\t***RRRR***\n";
    fs::write(&log, text).unwrap();
    let said = fsx(&["--replay-ops", log.to_str().unwrap(), "-d"]).well();
    assert!(said.out.contains("2 read\t0x0 thru\t0x3ff\t(0x400 bytes)\n"), "{}", said.out);
    fs::write(&log, "write 1 2 3\nscribble 1 2 3\n").unwrap();
    fsx(&["--replay-ops", log.to_str().unwrap()]).refused(2, "line 2: no operation of fsx");
}

#[test]
fn a_failing_run_is_told_kept_and_cut_down() {
    let site = Site::bare();
    let folder = site.folder.path().to_str().unwrap();
    // What fills the volume fails, as in fsx.
    let arguments =
        ["--size", "24m", "-l", "64m", "-o", "16m", "-N", "2000", "-P", folder, "--minimise", "20"];
    let record = format!("--record-ops={folder}/recorded");
    let said = fsx(&[&arguments[..], &[&record]].concat());
    assert_eq!(said.status, 1, "{}", said.err);
    assert!(said.out.contains("no space left on the volume"), "{}", said.out);
    assert!(said.out.contains("\nThe shortest run that fails, of "), "{}", said.out);
    for kept in ["fsx.fsxops", "fsx.all.fsxops", "fsx.fsxlog", "fsx.fsxgood"] {
        assert!(site.path(kept).exists(), "{kept}");
    }
    let lines = |name| fs::read_to_string(site.path(name)).unwrap().lines().count();
    assert_eq!(lines("recorded"), lines("fsx.all.fsxops"), "the one that failed is among them");
    let shortest = fs::read_to_string(site.path("fsx.fsxops")).unwrap();
    assert!((1..=4).contains(&shortest.lines().count()), "{shortest}");
    let ops = site.path("fsx.fsxops");
    let again = ["--size", "24m", "--replay-ops", ops.to_str().unwrap(), "--minimise", "0"];
    let said = fsx(&[&again[..], &["-P", folder]].concat());
    assert_eq!(said.status, 1, "{}", said.out);
}
