//! Several operands: what fails is told, the rest is done.

use super::Site;

#[test]
fn changes_go_on_after_one_that_fails_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/a", "/b"]).well();
    site.run(&["mkdir", "@", "/a", "/c"]).refused(1, "/a");
    site.run(&["touch", "@", "/no/x", "/f"]).refused(1, "/no/x");
    site.run(&["chmod", "@", "600", "/missing", "/f"]).refused(1, "/missing");
    site.run(&["truncate", "-s", "5", "@", "/a", "/f"]).refused(1, "/a");
    let told = site.run(&["rm", "-r", "@", "/a", "/missing", "/b", "--json"]);
    assert_eq!(told.status, 1);
    let (out, err): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&told.out).unwrap(), serde_json::from_str(&told.err).unwrap());
    assert_eq!(out, serde_json::json!({"removed": [{"path": "/a"}, {"path": "/b"}]}));
    assert_eq!(err["error"]["code"], "not-found");
    let left = site.run(&["ls", "-l", "@"]).well().out;
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(left.contains("-rw------- 1 0 0 5 "), "{left}");
    site.assert_sound();
}

#[test]
fn names_that_were_not_moved_are_free_for_others_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d", "/w", "/n", "/d/old"]).well();
    site.run(&["touch", "@", "/w/q", "/w/q2"]).well();
    let said = site.run(&["mv", "-v", "@", "/none/q", "/w/q", "/d"]).refused(1, "/none/q: ");
    assert_eq!(said.out, "renamed '/w/q' -> '/d/q'\n");
    // With -u the first stays, as it is older; the second is newer.
    site.run(&["touch", "-d", "2020-01-01", "@", "/w/q"]).well();
    site.run(&["touch", "-d", "2030-01-01", "@", "/n/q"]).well();
    site.run(&["mv", "-u", "@", "/w/q", "/n/q", "/d"]).well();
    assert_eq!(site.run(&["find", "@", "/w", "/n"]).well().out, "/w\n/w/q\n/w/q2\n/n\n");
    // What was moved is not replaced by another.
    site.run(&["touch", "@", "/n/q2"]).well();
    site.run(&["mv", "@", "/w/q2", "/n/q2", "/d"]).refused(1, "another of this name was moved");
    site.assert_sound();
}
