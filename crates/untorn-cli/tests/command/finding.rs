//! What find is asked for, in find's words.

use super::Site;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e/f", "/void"]).well();
    site.run_on(&["write", "@", "/d/Read.Me"], &[1; 5000]).well();
    site.run_on(&["write", "@", "/d/e/tool", "--mode", "4755", "--uid", "7"], b"1").well();
    site.run(&["touch", "@", "/d/e/f/nothing"]).well();
    site.run(&["ln", "@", "/d/Read.Me", "/d/e/again"]).well();
    site.run(&["ln", "-s", "@", "d", "/soft"]).well();
    site
}

fn found(site: &Site, words: &[&str]) -> Vec<String> {
    let command: Vec<&str> = ["find", "@"].iter().chain(words).copied().collect();
    site.run(&command).well().out.lines().map(str::to_owned).collect()
}

#[test]
fn find_begins_at_several_places_and_goes_as_deep_as_was_asked() {
    let site = site();
    assert_eq!(found(&site, &["/void", "/d/e/f"]), ["/void", "/d/e/f", "/d/e/f/nothing"]);
    assert_eq!(found(&site, &["/", "-maxdepth", "1"]), ["/", "/d", "/soft", "/void"]);
    assert_eq!(found(&site, &["/d", "-mindepth", "3"]), ["/d/e/f/nothing"]);
    assert_eq!(found(&site, &["/d", "/void", "-maxdepth", "0"]), ["/d", "/void"]);
}

#[test]
fn find_goes_through_a_link_only_behind_a_slash() {
    let site = site();
    assert_eq!(found(&site, &["/soft"]), ["/soft"]);
    assert_eq!(found(&site, &["/soft/", "-maxdepth", "1"]), ["/soft/", "/soft/Read.Me", "/soft/e"]);
    assert_eq!(found(&site, &["/soft", "-type", "l"]), ["/soft"]);
}

#[test]
fn find_knows_names_and_paths_in_any_case() {
    let site = site();
    assert_eq!(found(&site, &["/", "-iname", "read.*"]), ["/d/Read.Me"]);
    assert!(found(&site, &["/", "-name", "read.*"]).is_empty());
    assert_eq!(found(&site, &["/", "-path", "/d/*g"]), ["/d/e/f/nothing"]);
    assert_eq!(found(&site, &["/", "-ipath", "*/E/T*"]), ["/d/e/tool"]);
    assert_eq!(found(&site, &["/", "-name", "*o*", "-name", "*n*"]), ["/d/e/f/nothing"]);
    site.run(&["touch", "@", "/-print"]).well();
    assert_eq!(found(&site, &["/", "-name", "-print", "-print"]), ["/-print"]);
    assert_eq!(found(&site, &["/", "--name", "-pri*"]), ["/-print"]);
}

#[test]
fn find_knows_sizes_links_and_emptiness() {
    let site = site();
    let files = |words: &[&str]| found(&site, &[&["/", "-type", "f"], words].concat());
    let large = ["/d/Read.Me", "/d/e/again"];
    assert_eq!(files(&["-size", "10"]), large);
    assert_eq!(files(&["-size", "5000c"]), large);
    assert_eq!(files(&["-size", "+4k"]), large);
    assert_eq!(files(&["-size", "1M"]), ["/d/Read.Me", "/d/e/again", "/d/e/tool"]);
    assert_eq!(files(&["-size", "-1M"]), ["/d/e/f/nothing"]);
    assert_eq!(files(&["-size", "+0", "-size", "-2k"]), ["/d/e/tool"]);
    assert_eq!(files(&["-links", "+1"]), large);
    assert_eq!(found(&site, &["/", "-empty"]), ["/d/e/f/nothing", "/void"]);
    assert_eq!(
        found(&site, &["/", "-type", "l,d", "-maxdepth", "1"]),
        ["/", "/d", "/soft", "/void"]
    );
}

#[test]
fn find_knows_owners_permissions_and_what_is_newer_check() {
    let site = site();
    assert_eq!(found(&site, &["/", "-uid", "7"]), ["/d/e/tool"]);
    assert_eq!(found(&site, &["/", "-user", "7"]), ["/d/e/tool"]);
    assert_eq!(found(&site, &["/", "-perm", "4755"]), ["/d/e/tool"]);
    assert_eq!(found(&site, &["/", "-perm", "-u+s"]), ["/d/e/tool"]);
    assert_eq!(found(&site, &["/", "-perm", "/6000", "-perm", "-0100"]), ["/d/e/tool"]);
    site.run(&["touch", "@", "/d/e/tool"]).well();
    assert_eq!(found(&site, &["/", "-newer", "/soft", "-type", "f"]), ["/d/e/tool"]);
    let said = site.run(&["find", "@", "/", "-user", "bob"]).refused(1, "bob: is no number");
    assert_eq!(said.out, "");
    site.run(&["find", "@", "/", "-newer", "/none"]).refused(1, "/none: no such file");
    site.assert_sound();
}

#[test]
fn what_find_does_not_do_is_refused_by_name() {
    let site = site();
    let cases: [(&[&str], &str); 6] = [
        (&["-name", "a", "-exec", "rm", "-rf", "{}", ";"], "-exec is not known here; print the"),
        (&["-name", "a", "-o", "-name", "b"], "-o is not known here; all that"),
        (&["!", "-name", "a"], "! is not known here; all that"),
        (&["-delete"], "-delete is not known here; print"),
        (&["-printf", "%p"], "untorn stat IMAGE -c FORMAT"),
        (&["-mtime", "-1"], "-mtime is not known here; see `untorn find --help`"),
    ];
    for (words, told) in cases {
        let command: Vec<&str> = ["find", "@", "/"].iter().chain(words).copied().collect();
        site.run(&command).refused(2, told);
    }
    let refused = site.run(&["find", "@", "/", "-delete", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!((refused.status, &told["error"]["code"]), (2, &"usage".into()));
    for (word, value) in [("-size", "1x"), ("-size", "1kk"), ("-links", "a"), ("-perm", "u+q")] {
        assert_eq!(site.run(&["find", "@", "/", word, value]).status, 2, "{word} {value}");
    }
}

#[test]
fn the_volume_may_change_as_soon_as_find_tells_of_it() {
    let site = Site::new();
    // More than a pipe holds.
    let names: Vec<String> = (0..2000).map(|i| format!("/{i}-{}", "long".repeat(30))).collect();
    let touch: Vec<&str> = ["touch", "@"].into_iter().chain(names.iter().map(|n| &**n)).collect();
    site.run(&touch).well();
    let mut find = Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(["find".as_ref(), site.image.as_os_str(), "/".as_ref()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(find.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "/");
    site.run(&["rm", "@", &names[7]]).well();
    assert_eq!(lines.count(), names.len());
    assert!(find.wait().unwrap().success());
}
