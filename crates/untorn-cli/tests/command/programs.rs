//! What programs read: JSON of what was found, done and refused.

use super::{Said, Site, untorn_on};
use serde_json::{Value, json};

/// The failure that was told, in JSON on one line.
#[track_caller]
fn error(said: &Said) -> Value {
    let mut lines = said.err.lines();
    let told: Value = serde_json::from_str(lines.next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {}", said.err));
    assert_eq!(lines.next(), None, "{}", said.err);
    told["error"].clone()
}

#[test]
fn what_was_changed_is_listed_check() {
    let site = Site::new();
    let to = |path: &str| format!("{}:{path}", site.image.display());
    let json = |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        site.run_on(&arguments, b"12345").json()
    };
    let made = json(&["mkdir", "-p", "@", "/a/b", "/a"]);
    let paths: Vec<_> = made["made"].as_array().unwrap().iter().map(|m| &m["path"]).collect();
    assert_eq!(paths, ["/a", "/a/b"]);
    assert_eq!(json(&["put", "-", &to("/a/f")])["put"][0]["bytes"], 5);
    let touched = json(&["touch", "@", "/a/f", "/t"]);
    let expected = json!([{"path": "/a/f", "created": false}, {"path": "/t", "created": true}]);
    assert_eq!(touched["touched"], expected);
    let cases: [(&[&str], Value); 13] = [
        (&["ln", "@", "/t", "/u"], json!({"linked": [{"path": "/u", "target": "/t"}]})),
        (&["mv", "@", "/u", "/a"], json!({"moved": [{"path": "/u", "to": "/a/u"}]})),
        (
            &["mv", "--exchange", "@", "/t", "/a/f"],
            json!({"exchanged": [{"path": "/t", "to": "/a/f"}]}),
        ),
        (&["clone", "@", "/t", "/c"], json!({"cloned": [{"path": "/t", "to": "/c"}]})),
        (&["cp", &to("/t"), &to("/a")], json!({"cloned": [{"path": "/t", "to": "/a/t"}]})),
        (&["chmod", "@", "600", "/t"], json!({"changed": [{"path": "/t", "mode": "0600"}]})),
        (&["chown", "@", "7:", "/t"], Value::Null),
        (&["chown", "@", "7:8", "/t"], json!({"changed": [{"path": "/t", "uid": 7, "gid": 8}]})),
        (
            &["truncate", "@", "-s", "3", "/t"],
            json!({"truncated": [{"path": "/t", "size": 3, "created": false}]}),
        ),
        (&["fallocate", "@", "-l", "4k", "/t"], json!({"changed": [{"path": "/t", "size": 4096}]})),
        (
            &["setfattr", "@", "-n", "user.a", "/t"],
            json!({"set": [{"path": "/t", "attribute": "user.a"}]}),
        ),
        (
            &["setfattr", "@", "-x", "user.a", "/t"],
            json!({"removed": [{"path": "/t", "attribute": "user.a"}]}),
        ),
        (&["rm", "-r", "@", "/a/b", "/t"], json!({"removed": [{"path": "/a/b"}, {"path": "/t"}]})),
    ];
    for (command, expected) in cases.iter().filter(|(_, expected)| !expected.is_null()) {
        assert_eq!(json(command), *expected, "{command:?}");
    }
    site.assert_sound();
}

#[test]
fn what_was_done_beside_a_failure_is_listed_check() {
    let site = Site::new();
    site.run(&["touch", "@", "/a", "/b"]).well();
    let said = site.run(&["rm", "--json", "@", "/a", "/none", "/b"]);
    assert_eq!(said.status, 1);
    assert_eq!(
        serde_json::from_str::<Value>(&said.out).unwrap(),
        json!({"removed": [{"path": "/a"}, {"path": "/b"}]})
    );
    let expected = json!({
        "code": "not-found",
        "message": "/none: no such file or directory",
        "remedy": "list the directory with `untorn ls`",
    });
    assert_eq!(error(&said), expected);
    assert_eq!(site.run(&["ls", "@"]).well().out, "");
    site.assert_sound();
}

#[test]
fn failures_have_words_that_stay() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run_on(&["write", "@", "/f"], b"x").well();
    let cases: [(&[&str], i32, &str); 11] = [
        (&["cat", "@", "/none"], 1, "not-found"),
        (&["cat", "@", "/d"], 1, "is-a-directory"),
        (&["cat", "@", "/f/x"], 1, "not-a-directory"),
        (&["mkdir", "@", "/d"], 1, "exists"),
        (&["mv", "@", "/d", "/d/e"], 1, "invalid"),
        (&["rm", "@", "/d"], 1, "is-a-directory"),
        (&["getfattr", "@", "-n", "user.none", "/f"], 1, "no-such-attribute"),
        (&["fallocate", "@", "-l", "1t", "/f"], 1, "no-space"),
        (&["ls", "/not/there.img"], 1, "host-not-found"),
        (&["ls"], 2, "usage"),
        (&["check", "/not/there.img"], 8, "host-not-found"),
    ];
    for (command, status, word) in cases {
        let command: Vec<&str> = command.iter().copied().chain(["--json"]).collect();
        let said = site.run(&command);
        assert_eq!(
            (said.status, error(&said)["code"].as_str()),
            (status, Some(word)),
            "{command:?}"
        );
    }
    assert_eq!(error(&untorn_on(&["frobnicate", "--json"], b""))["code"], "usage");
    let missing = error(&untorn_on(&["--json", "ls"], b""));
    assert!(missing["message"].as_str().unwrap().contains("<IMAGE>"), "{missing}");
    site.assert_sound();
}

#[test]
fn paths_and_sums_are_lists() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/d"]).well();
    site.run_on(&["write", "@", "/d/f"], &[1; 5000]).well();
    let inode = |path: &str| site.run(&["stat", "@", path, "--json"]).json()[0]["inode"].clone();
    let found = site.run(&["find", "@", "--json", "/", "--type", "f"]).json();
    let kind = "regular file";
    let expected = json!([{"path": "/d/f", "inode": inode("/d/f"), "kind": kind, "size": 5000}]);
    assert_eq!(found, expected);
    assert_eq!(site.run(&["find", "@", "--json", "--name", "none"]).json(), json!([]));
    let sums = site.run(&["du", "@", "--json"]).json();
    assert_eq!(sums, json!([{"path": "/d", "bytes": 8192}, {"path": "/", "bytes": 8192}]));
}
