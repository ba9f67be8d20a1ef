//! Extended attributes as getfattr shows them.

use super::Site;
use super::formats::give_list;
use untorn::AclKind;

fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run(&["touch", "@", "/d/e/file"]).well();
    site.run(&["ln", "-s", "@", "d", "/link"]).well();
    let set = |name: &str, value: &str, path: &str| {
        site.run(&["setfattr", "@", "-n", name, "-v", value, path]).well();
    };
    set("user.a", "text", "/d");
    set("user.b", "0x00ff", "/d");
    set("trusted.c", "deep", "/d/e/file");
    set("user.d\ne=\\f\"", "q\"\\", "/d/e/file");
    site
}

fn shown(site: &Site, words: &[&str]) -> String {
    let command: Vec<&str> = ["getfattr"].iter().chain(words).copied().collect();
    site.run(&command).well().out
}

#[test]
fn values_are_text_or_base64_or_as_was_asked() {
    let site = site();
    assert_eq!(shown(&site, &["-d", "@", "/d"]), "# file: /d\nuser.a=\"text\"\nuser.b=0sAP8=\n\n");
    let hex = shown(&site, &["-d", "-e", "hex", "@", "/d"]);
    assert_eq!(hex, "# file: /d\nuser.a=0x74657874\nuser.b=0x00ff\n\n");
    let base64 = shown(&site, &["-e", "base64", "-n", "user.a", "--absolute-names", "@", "/d"]);
    assert_eq!(base64, "# file: /d\nuser.a=0sdGV4dA==\n\n");
    let text = shown(&site, &["-e", "text", "-n", "user.b", "@", "/d"]);
    assert_eq!(text, "# file: /d\nuser.b=\"\\000\\377\"\n\n");
    let bare = site.run(&["getfattr", "--only-values", "@", "/d"]).well();
    assert_eq!(bare.bytes, b"text\0\xff");
    let escaped = shown(&site, &["-m", "^user", "@", "/d/e/file"]);
    assert_eq!(escaped, "# file: /d/e/file\nuser.d\\012e\\075\\134f\"=\"q\\\"\\\\\"\n\n");
}

#[test]
fn names_are_found_by_pattern_and_trees_are_walked() {
    let site = site();
    assert_eq!(shown(&site, &["-m", "user.[b]", "@", "/d"]), "# file: /d\nuser.b=0sAP8=\n\n");
    assert_eq!(shown(&site, &["-m", "none", "@", "/d"]), "");
    let below = shown(&site, &["-R", "-m", "^trusted", "@", "/"]);
    assert_eq!(below, "# file: /d/e/file\ntrusted.c=\"deep\"\n\n");
    let refused = site.run(&["getfattr", "-m", "[", "@", "/d"]);
    assert_eq!(refused.status, 2, "{}", refused.err);
}

#[test]
fn links_are_followed_unless_they_are_asked_for_themselves() {
    let site = site();
    assert!(shown(&site, &["@", "/link"]).starts_with("# file: /link\nuser.a="));
    assert_eq!(shown(&site, &["-h", "@", "/link"]), "");
    site.run(&["getfattr", "-h", "-n", "user.a", "@", "/link"]).refused(1, "no such attribute");
}

#[test]
fn access_lists_have_the_names_of_linux_check() {
    let site = site();
    give_list(&site, "/d/e", AclKind::Default);
    let (name, value) = ("system.posix_acl_default", "0x02000000010006");
    let one = shown(&site, &["-n", name, "-e", "hex", "@", "/d/e"]);
    assert!(one.starts_with(&format!("# file: /d/e\n{name}={value}")), "{one}");
    assert!(shown(&site, &["-m", "-", "@", "/d/e"]).contains(name));
    assert!(!shown(&site, &["@", "/d/e"]).contains("system."));
    let refused = site.run(&["getfattr", "-n", "system.posix_acl_access", "@", "/d/e"]);
    refused.refused(1, "/d/e: system.posix_acl_access: no such attribute");
    site.assert_sound();
}

#[test]
fn capabilities_end_where_owner_or_bytes_change_check() {
    let site = site();
    let file = "/d/e/file";
    let give = || {
        let value = "0x0100000200040000000000000000000000000000";
        site.run(&["setfattr", "@", "-n", "security.capability", "-v", value, file]).well();
        site.run(&["setfattr", "@", "-n", "security.other", "-v", "kept", file]).well();
    };
    let names = || shown(&site, &["-m", "^security", "@", file]).matches("security").count();
    for change in [
        &["chown", "@", "7:7", file][..],
        &["chown", "-R", "@", ":8", "/d"],
        &["write", "@", file],
        &["write", "@", file, "--atomic", "--offset", "3"],
        &["truncate", "-s", "100", "@", file],
        &["fallocate", "-l", "100", "@", file],
    ] {
        give();
        assert_eq!(names(), 2);
        site.run_on(change, b"other").well();
        assert_eq!(names(), 1, "{change:?}");
    }
    give();
    site.run(&["chmod", "@", "755", file]).well();
    site.run(&["touch", "@", file]).well();
    site.run(&["truncate", "-s", "+18446744073709551615", "@", file]).refused(1, "64 bits");
    assert_eq!(names(), 2);
    site.assert_sound();
}
