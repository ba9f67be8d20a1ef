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
