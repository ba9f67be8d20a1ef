//! Every rule is shown to fail, and not to fail where it must not.

use super::source::Project;
use super::*;

fn project(files: &[(&str, &str)]) -> Project {
    Project::of(files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
}

fn findings(rule: Rule, path: &str, text: &str) -> Vec<String> {
    let found = rule(&project(&[(path, text)]));
    found.into_iter().map(|finding| finding.to_string()).collect()
}

const FREE: &[&str] = &[];

fn manifest(name: &str, sections: &str) -> String {
    format!("[package]\nname = \"{name}\"\n{sections}")
}

#[test]
fn a_crate_that_looks_upwards_is_found() {
    let text = manifest("untorn-format", "[dependencies]\nuntorn-device.workspace = true\n");
    let found = findings(arrows::crates, "crates/untorn-format/Cargo.toml", &text);
    let expected = "untorn-format's Cargo.toml: untorn-format must not depend on untorn-device";
    assert_eq!(found, [expected]);
    for (krate, other) in
        [("untorn", "untorn-torture"), ("untorn", "untorn-check"), ("new", "untorn")]
    {
        let text = manifest(krate, &format!("[dependencies.{other}]\nworkspace = true\n"));
        assert_eq!(findings(arrows::crates, "crates/x/Cargo.toml", &text).len(), 1, "{krate}");
    }
}

#[test]
fn tests_may_depend_on_the_judges() {
    let text = manifest("untorn", "[dev-dependencies]\nuntorn-torture.workspace = true\n");
    assert_eq!(findings(arrows::crates, "crates/untorn/Cargo.toml", &text), FREE);
}

#[test]
fn checksums_are_computed_by_the_format_alone() {
    let text = manifest("untorn-store", "[dependencies]\ncrc32c = \"0.6\"\n");
    assert_eq!(findings(arrows::crates, "crates/untorn-store/Cargo.toml", &text).len(), 1);
}

#[test]
fn a_module_that_looks_upwards_is_found_however_it_says_so() {
    let ways = [
        "use crate::inode::Core;",
        "use crate::{btree::Tree, inode};",
        "use crate::{\n    btree::{Tree, Cursor},\n    inode::Core,\n};",
        "fn f(core: &crate::inode::Core) {}",
        "use super::inode::Core;",
        "use super::{inode::Core};",
    ];
    for way in ways {
        let found = findings(arrows::modules, "crates/untorn/src/ag/mod.rs", way);
        assert_eq!(found.len(), 1, "{way}: {found:?}");
        assert!(found[0].ends_with("ag must not know inode"), "{found:?}");
    }
    let deeper = "use super::super::inode::Core;";
    assert_eq!(findings(arrows::modules, "crates/untorn/src/ag/space.rs", deeper).len(), 1);
}

#[test]
fn a_module_may_know_its_own_parts_and_what_is_below() {
    let allowed = [
        "use super::inode::Chunk;",
        "use crate::btree::{Tree, inode};",
        "// crate::inode",
        "const TEXT: &str = \"crate::inode\";",
        "#[cfg(test)]\nmod tests {\n    use crate::inode::Core;\n}",
    ];
    for way in allowed {
        assert_eq!(findings(arrows::modules, "crates/untorn/src/ag/space.rs", way), FREE, "{way}");
    }
    let upwards = "use crate::ag::Header;";
    assert_eq!(findings(arrows::modules, "crates/untorn/src/map/mod.rs", upwards), FREE);
}

#[test]
fn each_closed_door_of_the_design_is_closed() {
    let doors = [
        ("ag", "map"),
        ("ag", "dir"),
        ("inode", "map"),
        ("map", "io"),
        ("map", "dir"),
        ("map", "attr"),
        ("dir", "attr"),
        ("attr", "dir"),
        ("btree", "ag"),
        ("btree", "inode"),
        ("btree", "map"),
    ];
    for (from, to) in doors {
        let path = format!("crates/untorn/src/{from}/mod.rs");
        let found = findings(arrows::modules, &path, &format!("use crate::{to}::Thing;"));
        assert_eq!(found.len(), 1, "{from} to {to}");
    }
    for (from, to) in [("cache", "journal"), ("journal", "cache")] {
        let path = format!("crates/untorn-store/src/{from}.rs");
        let found = findings(arrows::modules, &path, &format!("use crate::{to}::Thing;"));
        assert_eq!(found.len(), 1, "{from} to {to}");
    }
}

#[test]
fn error_numbers_stay_outside() {
    let text = "fn f(error: rustix::io::Errno) {}";
    assert_eq!(findings(arrows::host_errors, "crates/untorn/src/io/mod.rs", text).len(), 1);
    assert_eq!(findings(arrows::host_errors, "crates/untorn-device/src/file.rs", text), FREE);
}

#[test]
fn the_device_is_written_to_from_few_rooms() {
    let text = "fn f(device: &dyn BlockDevice) { device.write_at(0, b\"\"); }";
    assert_eq!(findings(arrows::device_writers, "crates/untorn/src/ag/mod.rs", text).len(), 1);
    assert_eq!(findings(arrows::device_writers, "crates/untorn/src/io/direct.rs", text), FREE);
    let of_our_own = "pub fn write_at(&self, offset: u64) {}";
    assert_eq!(findings(arrows::device_writers, "crates/untorn/src/volume.rs", of_our_own), FREE);
}

#[test]
fn unsafe_code_has_its_files() {
    let text = "fn f() { unsafe { g() } }";
    assert_eq!(findings(arrows::unsafety, "crates/untorn/src/io/mod.rs", text).len(), 1);
    assert_eq!(findings(arrows::unsafety, "crates/untorn-device/src/raw.rs", text), FREE);
    let allowed = "#![allow(unsafe_code)]";
    assert_eq!(findings(arrows::unsafety, "crates/untorn/src/lib.rs", allowed).len(), 1);
    let forbidden = "#![forbid(unsafe_code)]";
    assert_eq!(findings(arrows::unsafety, "crates/untorn/src/lib.rs", forbidden), FREE);
}

#[test]
fn a_file_without_a_head_is_found() {
    assert_eq!(findings(text::heads, "a.rs", "fn f() {}").len(), 1);
    assert_eq!(findings(text::heads, "a.rs", "//! What it owns.\nfn f() {}"), FREE);
}

#[test]
fn a_wide_line_is_found() {
    let wide = format!("// {}\n", "x".repeat(98));
    assert_eq!(findings(text::columns, "a.rs", &wide), ["a.rs:1: 101 columns, not 100"]);
    // Columns, not bytes.
    assert_eq!(findings(text::columns, "a.rs", &"\u{e4}".repeat(100)), FREE);
}

#[test]
fn stubs_are_found_in_code_and_comments() {
    for stub in ["// TODO later", "fn f() { todo!() }", "/// FIXME", "dbg!(x);", "// XXX"] {
        assert_eq!(findings(text::stubs, "crates/untorn/src/lib.rs", stub).len(), 1, "{stub}");
    }
    assert_eq!(findings(text::stubs, "crates/untorn/src/lib.rs", "// the TODOs of FIXMEs"), FREE);
}

#[test]
fn unwrapping_is_found_outside_of_tests_only() {
    for sign in ["x.unwrap();", "x.expect(\"why\");"] {
        let code = format!("fn f() {{ {sign} }}");
        assert_eq!(findings(text::unchecked, "crates/untorn/src/lib.rs", &code).len(), 1);
        assert_eq!(findings(text::unchecked, "crates/untorn/src/tests.rs", &code), FREE);
        let tests = format!("#[cfg(test)]\nmod tests {{\n    {code}\n}}\n");
        assert_eq!(findings(text::unchecked, "crates/untorn/src/lib.rs", &tests), FREE);
        let after = format!("{tests}{code}");
        assert_eq!(findings(text::unchecked, "crates/untorn/src/lib.rs", &after).len(), 1);
        let comment = format!("// {sign}\n/* {sign} */\nconst A: &str = r#\"{sign}\"#;");
        assert_eq!(findings(text::unchecked, "crates/untorn/src/lib.rs", &comment), FREE);
    }
    // A method of ours may have the name.
    assert_eq!(findings(text::unchecked, "crates/untorn/src/lib.rs", "x.expect(KIND)?;"), FREE);
}

#[test]
fn empty_names_are_found() {
    assert_eq!(findings(text::names, "crates/untorn/src/util.rs", "").len(), 1);
    assert_eq!(findings(text::names, "crates/untorn/src/common/x.rs", "").len(), 1);
    let getter = format!("fn {}_size() {{}}", "get");
    assert_eq!(findings(text::names, "crates/untorn/src/lib.rs", &getter).len(), 1);
}

#[test]
fn places_are_found_in_any_text() {
    let text = format!("see /{}/somewhere", "home");
    for path in ["README.md", "Cargo.lock", ".ci/run", "crates/untorn/src/lib.rs"] {
        assert_eq!(findings(text::places, path, &text).len(), 1, "{path}");
    }
}

#[test]
fn a_long_file_is_found() {
    let found = findings(length::files, "a.rs", &"\n".repeat(801));
    assert_eq!(found, ["a.rs: 801 lines, not 800"]);
}

fn long_function(lines: usize) -> String {
    format!("//! Head.\n\nfn long(a: [u8; 2]) {{\n{}}}\n", "    f(\"}\", '{');\n".repeat(lines - 2))
}

#[test]
fn a_long_function_is_found() {
    let found = findings(length::functions, "a.rs", &long_function(61));
    assert_eq!(found, ["a.rs:3: long has 61 lines, not 60"]);
    assert_eq!(findings(length::functions, "a.rs", &long_function(60)), FREE);
    assert_eq!(findings(length::functions, "a/tests.rs", &long_function(120)), FREE);
    assert_eq!(findings(length::functions, "a/tests.rs", &long_function(121)).len(), 1);
}

#[test]
fn the_ratchet_turns_one_way() {
    let with = |recorded: usize, lines: usize| {
        let ratchet = format!("{recorded} a.rs long\n");
        let text = long_function(lines);
        length::functions(&project(&[("a.rs", &text), (length::RATCHET, &ratchet)])).len()
    };
    assert_eq!(with(70, 70), 0, "as it was");
    assert_eq!(with(70, 71), 1, "longer");
    assert_eq!(with(70, 65), 1, "shorter, but still recorded at its old length");
    assert_eq!(with(70, 50), 1, "short, but still recorded");
}

#[test]
fn the_ratchet_records_what_is_long() {
    let text = long_function(70);
    assert_eq!(length::ratchet(&project(&[("a.rs", &text)])), "70 a.rs long\n");
}

#[test]
fn code_is_told_from_strings_comments_and_lifetimes() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("\"a \\\" b\" c", "\"      \" c"),
        ("r#\"a \" b\"# c", "r#\"     \"# c"),
        ("br\"a\" c", "br\" \" c"),
        ("f('{', '\\'', b'\"', '\\u{7d}') c", "f(   ,     , b   ,         ) c"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("for r in x {}", "for r in x {}"),
    ];
    for (text, code) in cases {
        assert_eq!(source::Source::new("a.rs", text).code, code);
    }
}
