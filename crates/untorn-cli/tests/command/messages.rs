//! What is said where something goes wrong: the path that was typed, what is wrong, what to do.

use super::Site;

fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e", "/f"]).well();
    site.run_on(&["write", "@", "/file"], b"bytes").well();
    site
}

#[test]
fn each_message_names_the_path_that_was_typed_check() {
    let site = site();
    let cases: [(&[&str], &str); 16] = [
        (&["ln", "@", "/d", "/x"], "/d: is a directory, which has one name alone; make a symbolic"),
        (&["ln", "@", "/none", "/x"], "/none: no such file"),
        (&["ln", "@", "/file", "/none/x"], "/none/x: no such file"),
        (&["ln", "-f", "@", "/file", "/file"], "/file: is that file already"),
        (&["mv", "@", "/none", "/x"], "/none: no such file"),
        (&["mv", "@", "/file", "/none/x"], "/none/x: no such file"),
        (&["mv", "@", "/d/", "/d/e"], "/d/e/d: "),
        (&["mv", "@", "-n", "/file", "/d/../file"], "/d/../file: exists already"),
        (&["mv", "--exchange", "@", "/file", "/none"], "/none: no such file"),
        (&["cat", "@", "/file/x"], "/file/x: not a directory"),
        (&["mkdir", "@", "//d//e"], "//d//e: exists already"),
        (&["clone", "@", "/file", "/d/../file"], "/d/../file: exists already"),
        (&["truncate", "@", "-s", "1", "/d/."], "/d/.: is a directory"),
        (&["chmod", "@", "1", "/none/.."], "/none/..: no such file"),
        (&["touch", "@", "/none/x"], "/none/x: no such file"),
        (&["setfattr", "@", "-x", "user.a", "/d/e"], "/d/e"),
    ];
    for (command, words) in cases {
        site.run(command).refused(1, words);
    }
    assert_eq!(site.run(&["cat", "@", "/file"]).well().out, "bytes");
    site.assert_sound();
}

#[test]
fn advice_is_that_of_the_command_check() {
    let site = site();
    let at = |path: &str| format!("{}:{path}", site.image.display());
    site.run_on(&["put", "-", &at("/d")], b"x")
        .refused(1, "/d: is a directory; give the path that");
    let image = site.image.to_str().unwrap();
    for path in ["/d", "/"] {
        let said = site.run(&["fsx", "-N", "5", "--image", image, path]);
        let said = said.refused(2, "is a directory; name a file that may be overwritten").err;
        assert!(!said.contains("untorn rm"), "{said}");
    }
    assert_eq!(site.run(&["ls", "@", "/d"]).well().out, "e\n");
    let large = site.path("large");
    std::fs::write(&large, vec![1; 80 << 20]).unwrap();
    let said = site.run(&["cp", large.to_str().unwrap(), &at("/d")]);
    let said = said.refused(1, "/large: no space left on the volume").err;
    assert!(said.contains("remove files with `untorn rm`") && !said.contains("at most"), "{said}");
    site.assert_sound();
}

#[test]
fn a_write_past_the_largest_offset_says_one_thing_check() {
    let site = site();
    let (last, before) = ("9223372036854775807", "9223372036854775806");
    for command in [&["--offset", last][..], &["--offset", before], &["--atomic", "--offset", last]]
    {
        let command: Vec<&str> = ["write", "@", "/new"].iter().chain(command).copied().collect();
        let said = site.run_on(&command, b"bytes").refused(1, "/new: a write of 5 bytes").err;
        assert!(!said.contains("bytes were written"), "{said}");
    }
    assert_eq!(site.run(&["ls", "@"]).well().out, "d\nf\nfile\n", "a file was left behind");
    site.assert_sound();
}

#[test]
fn names_of_volumes_bring_no_control_characters_into_messages() {
    let site = Site::new();
    let (name, out) = ("a\u{1b}[31mb", site.path("out"));
    site.run(&["mkdir", "@", "/d"]).well();
    site.run_on(&["write", "@", &format!("/d/{name}")], b"1").well();
    std::fs::create_dir_all(out.join("d").join(name)).unwrap();
    let from = format!("{}:/d", site.image.display());
    let said = site.run(&["cp", "-r", &from, out.to_str().unwrap()]);
    let said = said.refused(1, "a\\u{1b}[31mb: is a directory");
    assert!(!said.err.contains('\u{1b}'), "{:?}", said.err);
}

#[test]
fn a_letter_that_is_unknown_is_taken_for_no_path() {
    for command in ["mkdir", "cp", "mv", "rm"] {
        let said = super::untorn_on(&[command, "-Z", "a", "b"], b"");
        assert!(said.status == 2 && said.err.contains("'-Z'"), "{}", said.err);
        assert!(!said.err.contains("-- -Z"), "{}", said.err);
    }
    let said = super::untorn_on(&["cp", "--recursiv", "a", "b"], b"");
    assert!(said.err.contains("--recursive"), "{}", said.err);
}

#[test]
fn a_path_typed_behind_its_image_is_told_apart() {
    let site = Site::new();
    let typed = format!("{}:/d/x", site.image.display());
    let expected = format!("image and path stand apart here: `{} /d/x`", site.image.display());
    site.run(&["ls", &typed]).refused(1, &expected);
    site.run(&["rm", &typed, "/y"]).refused(1, &expected);
    site.run(&["ls", "nothing:/d"]).refused(1, "nothing:/d: No such file");
}

#[test]
fn what_a_failing_command_made_goes_again_check() {
    let site = site();
    site.run(&["ln", "-s", "@", "/file2", "/link"]).well();
    let before = site.run(&["ls", "-R", "@"]).well().out;
    for path in ["/new", "/d/new", "/link"] {
        site.run(&["truncate", "-s", "9e", "@", path]).refused(1, "nothing was changed");
        site.run(&["truncate", "-s", "+9e", "@", path]).refused(1, path);
        site.run(&["fallocate", "-l", "1g", "@", path]).refused(1, "no space");
        assert_eq!(site.run(&["ls", "-R", "@"]).well().out, before, "{path}");
    }
    // What was there stays.
    site.run(&["fallocate", "-l", "1g", "@", "/file"]).refused(1, "no space");
    site.run(&["truncate", "-s", "9e", "@", "/file"]).refused(1, "nothing was changed");
    assert_eq!(site.run(&["cat", "@", "/file"]).well().out, "bytes");
    site.assert_sound();
}

#[test]
fn an_image_behind_other_operands_is_told_to_come_first_check() {
    let site = site();
    let other = site.path("other");
    std::fs::write(&other, vec![0; 4096]).unwrap();
    let other = other.to_str().unwrap();
    let cases: [&[&str]; 8] = [
        &["chmod", "u+s", "@", "/file"],
        &["chown", "1:1", "@", "/file"],
        &["ln", "-s", "target", "@", "/s"],
        &["rm", "/file", "@"],
        &["touch", "/new", "@"],
        &["mkdir", "-p", other, "@"],
        &["ls", "/d", "@"],
        &["cat", "/file", "@"],
    ];
    for command in cases {
        let said = site.run(command).refused(1, "IMAGE comes first, here ").err;
        assert!(said.contains("volume.img"), "{said}");
        assert_eq!(said.matches("No such file").count(), usize::from(!command.contains(&other)));
    }
    // Where it does come first, other words are right.
    site.run(&["cat", "@", site.image.to_str().unwrap()]).refused(1, "no such file");
    site.run(&["rm", "/none", "/file"]).refused(1, "/none: No such file");
    assert_eq!(site.run(&["ls", "@"]).well().out, "d\nf\nfile\n");
    site.assert_sound();
}
