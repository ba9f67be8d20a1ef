//! Standard output without a reader, or without room: what becomes of the work, and how it ends.

use super::{Said, Site};
use std::fs::{self, File};
use std::io::pipe;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the command; both outputs go where the test says.
fn run_to(site: &Site, arguments: &[&str], out: impl Into<Stdio>, err: impl Into<Stdio>) -> i32 {
    let image = site.image.to_str().unwrap();
    let words = arguments.iter().map(|word| if *word == "@" { image } else { word });
    let mut command = Command::new(env!("CARGO_BIN_EXE_untorn"));
    let command = command.args(words).stdin(Stdio::null()).stdout(out).stderr(err);
    command.status().unwrap().code().unwrap()
}

fn run_into(site: &Site, arguments: &[&str], out: impl Into<Stdio>) -> Said {
    let log = site.path("stderr");
    let status = run_to(site, arguments, out, File::create(&log).unwrap());
    let err = fs::read_to_string(log).unwrap();
    Said { status, out: String::new(), bytes: Vec::new(), err }
}

/// The reader of its output is gone before it says anything.
fn run_unread(site: &Site, arguments: &[&str]) -> Said {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    run_into(site, arguments, writer)
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A folder of the host with files of names so long that lines about them fill any buffer.
fn many(folder: &Path) -> Vec<String> {
    fs::create_dir(folder).unwrap();
    let names: Vec<String> = (0..300).map(|number| format!("{number:0>240}")).collect();
    names.iter().for_each(|name| fs::write(folder.join(name), name).unwrap());
    names
}

#[test]
fn changes_end_as_their_work_does_whoever_reads_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/a", "/b", "/c", "/d"]).well();
    run_unread(&site, &["rm", "-rv", "@", "/missing", "/a"]).refused(1, "/missing: ");
    let said = run_unread(&site, &["rm", "-r", "--json", "@", "/missing", "/b"]);
    assert_eq!(said.status, 1);
    assert!(said.err.contains("not-found"), "{}", said.err);
    run_unread(&site, &["rm", "-rv", "@", "/c"]).well();
    assert_eq!(site.run(&["ls", "@"]).well().out, "d\n");
    site.assert_sound();
}

#[test]
fn copies_go_on_without_a_reader_check() {
    let site = Site::new();
    let (from, out) = (site.path("from"), site.path("out"));
    let names = many(&from);
    let [host, image] = [&from, &site.image].map(|path| path.to_str().unwrap());
    run_unread(&site, &["cp", "-rv", host, &format!("{image}:/in")]).well();
    assert_eq!(site.run(&["ls", "@", "/in"]).well().out.lines().count(), names.len());
    let to = out.to_str().unwrap();
    run_unread(&site, &["cp", "-rv", &format!("{image}:/in"), to]).well();
    assert_eq!(fs::read_dir(&out).unwrap().count(), names.len());
    run_unread(&site, &["cp", "-rv", &format!("{image}:/in"), &format!("{image}:/two")]).well();
    assert_eq!(site.run(&["ls", "@", "/two"]).well().out.lines().count(), names.len());
    // One that cannot be copied is told, and the others are there.
    site.run(&["mkdir", "-p", "@", &format!("/three/{}", names[0])]).well();
    let said = run_unread(&site, &["cp", "-rTv", host, &format!("{image}:/three")]);
    said.refused(1, &names[0]);
    assert_eq!(site.run(&["ls", "@", "/three"]).well().out.lines().count(), names.len());
    run_unread(&site, &["rm", "-rv", "@", "/two"]).well();
    site.run(&["ls", "@", "/two"]).status_is(1);
    site.assert_sound();
}

#[test]
fn who_only_reads_ends_quietly_without_a_reader() {
    let site = Site::new();
    let from = site.path("from");
    many(&from);
    let to = format!("{}:/in", site.image.display());
    site.run(&["cp", "-r", from.to_str().unwrap(), &to]).well();
    for arguments in
        [&["ls", "-R", "@"][..], &["find", "@", "/"], &["ls", "-l", "--json", "@", "/in"]]
    {
        let said = run_unread(&site, arguments).well();
        assert_eq!(said.err, "");
    }
    run_unread(&site, &["ls", "@", "/missing", "/"]).refused(1, "/missing");
    run_unread(&site, &["check", "@"]).well();
}

#[test]
fn an_output_without_room_is_a_failure_after_the_work_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/a", "/b", "/c"]).well();
    run_into(&site, &["rm", "-rv", "@", "/a"], full()).refused(1, "standard output: ");
    run_into(&site, &["rm", "-rv", "@", "/missing", "/b"], full()).refused_lines(2);
    run_into(&site, &["ls", "@", "/"], full()).refused(1, "standard output: ");
    assert_eq!(run_to(&site, &["rm", "-r", "@", "/missing", "/c"], Stdio::null(), full()), 1);
    assert_eq!(site.run(&["ls", "@"]).well().out, "");
    site.assert_sound();
}
