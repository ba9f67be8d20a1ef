//! Commands that read: what cannot be read is told, and the rest shown.

use super::{Said, Site};
use serde_json::Value;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

/// A file and a link beside a directory of a block, and one in an inode.
fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/block", "/inode/below", "/sound"]).well();
    site.run_on(&["write", "@", "/sound/file"], b"bytes").well();
    let names: Vec<String> = (0..40).map(|n| format!("/block/{n:032}")).collect();
    let names: Vec<&str> = ["touch", "@"].into_iter().chain(names.iter().map(|n| &**n)).collect();
    site.run(&names).well();
    site
}

fn stat(site: &Site, path: &str, field: &str) -> Value {
    site.run(&["stat", "@", path, "--json"]).json()[0][field].clone()
}

/// Flips a byte of the image.
fn flip(site: &Site, at: u64) {
    let image = OpenOptions::new().read(true).write(true).open(&site.image).unwrap();
    let mut byte = [0];
    image.read_exact_at(&mut byte, at).unwrap();
    image.write_all_at(&[!byte[0]], at).unwrap();
}

/// Damages the only block of a directory.
fn damage_block(site: &Site, path: &str) {
    let map = site.run(&["bmap", "@", path, "--json"]).json();
    flip(site, map[0]["block"].as_u64().unwrap() * 512 + 100);
}

/// Damages an inode, which knows its own number.
fn damage_inode(site: &Site, path: &str) {
    let number = stat(site, path, "inode").as_u64().unwrap().to_be_bytes();
    let bytes = std::fs::read(&site.image).unwrap();
    let is_it = |inode: &[u8]| inode.starts_with(b"IN") && inode[152..160] == number;
    let index = bytes.chunks_exact(512).position(is_it).unwrap();
    flip(site, index as u64 * 512 + 120);
}

/// It ended with status 1 and told of each of these, a line each.
#[track_caller]
fn told(said: &Said, of: &[&str]) {
    assert_eq!((said.status, said.err.lines().count()), (1, of.len()), "{}{}", said.out, said.err);
    for (line, words) in said.err.lines().zip(of) {
        assert!(line.contains(words), "{line} has no {words}");
    }
}

#[test]
fn commands_that_read_go_on_after_an_operand_that_fails() {
    let site = site();
    let run = |command: &[&str], path: &str| {
        let rest = ["@", "/none/x", path, "/sound/none"];
        let command: Vec<&str> = command.iter().copied().chain(rest).collect();
        let said = site.run(&command);
        told(&said, &["/none/x: no such file", "/sound/none: no such file"]);
        said.out
    };
    assert_eq!(run(&["cat"], "/sound/file"), "bytes");
    assert_eq!(run(&["ls"], "/sound"), "/sound:\nfile\n");
    assert!(run(&["stat"], "/sound").starts_with("  File: /sound\n"));
    assert!(run(&["bmap"], "/sound/file").starts_with("/sound/file:\n"));
    assert_eq!(run(&["du"], "/sound"), "4\t/sound\n");
    assert_eq!(run(&["find"], "/sound"), "/sound\n/sound/file\n");
    site.run(&["setfattr", "@", "-n", "user.a", "-v", "b", "/sound"]).well();
    assert!(run(&["getfattr"], "/sound").contains("user.a=\"b\""));
    for command in ["ls", "stat", "bmap", "du", "find", "getfattr"] {
        // A small directory has no blocks of its own.
        let sound = if command == "bmap" { "/sound/file" } else { "/sound" };
        let said = site.run(&[command, "--json", "@", "/none", sound, "/block/none"]);
        let found: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!((said.status, &found[0]["path"]), (1, &Value::from(sound)), "{command}");
        for line in said.err.lines() {
            let told: Value = serde_json::from_str(line).unwrap();
            assert_eq!(told["error"]["code"], "not-found", "{line}");
        }
        assert_eq!(said.err.lines().count(), 2, "{command}: {}", said.err);
        let nothing = site.run(&[command, "--json", "@", "/none"]);
        let found: Value = serde_json::from_str(&nothing.out).unwrap();
        assert_eq!((nothing.status, found), (1, Value::Array(Vec::new())), "{command}");
    }
}

#[test]
fn what_cannot_be_read_below_is_told_and_the_rest_shown() {
    let site = site();
    damage_block(&site, "/block");
    damage_inode(&site, "/inode/below");
    let said = site.run(&["find", "@"]);
    told(&said, &["/block: ", "/inode/below: "]);
    assert_eq!(said.out, "/\n/block\n/inode\n/sound\n/sound/file\n");
    let said = site.run(&["du", "@"]);
    told(&said, &["/block: ", "/inode/below: "]);
    assert_eq!(said.out, "4\t/block\n0\t/inode\n4\t/sound\n8\t/\n");
    let said = site.run(&["ls", "-R", "@"]);
    told(&said, &["/block: ", "/inode/below: "]);
    let rest = "/:\nblock\ninode\nsound\n\n/inode:\nbelow\n\n/sound:\nfile\n";
    assert_eq!(said.out, rest);
    let said = site.run(&["ls", "-l", "@", "/inode"]);
    told(&said, &["/inode/below: "]);
    assert!(said.out.starts_with("?????????? ? ? ? ? "), "{}", said.out);
    for command in
        [&["find", "--json", "@"][..], &["du", "--json", "@"], &["ls", "--json", "-R", "@"]]
    {
        let said = site.run(command);
        let found: Value = serde_json::from_str(&said.out).unwrap();
        let last = found.as_array().unwrap().len();
        assert!(said.status == 1 && last > 2, "{command:?}: {found}");
        assert_eq!(said.err.lines().count(), 2, "{command:?}: {}", said.err);
    }
}

#[test]
fn operands_that_lie_in_each_other_are_no_damage() {
    let site = site();
    let below = "/inode:\nbelow\n\n/inode/below:\n";
    let said = site.run(&["ls", "-R", "@", "/inode", "/inode/below"]).well().out;
    assert_eq!(said, format!("{below}\n/inode/below:\n"));
    let said = site.run(&["find", "@", "/inode", "/inode/below"]).well().out;
    assert_eq!(said, "/inode\n/inode/below\n/inode/below\n");
}
