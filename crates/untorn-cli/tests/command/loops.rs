//! Directories that lead back to themselves, as only damage makes them.

use super::Site;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use untorn_format::Lsn;

const INODE: usize = 512;

/// A volume whose `/a/b` is the directory `to` again, with a file beside `/a`.
fn looped(to: &str) -> Site {
    let site = Site::new();
    site.run(&["mkdir", "@", "/a"]).well();
    site.run(&["mkdir", "@", "/a/b"]).well();
    site.run_on(&["write", "@", "/kept"], b"kept").well();
    let number = |path: &str| {
        let said = site.run(&["stat", "--json", "@", path]).json();
        u32::try_from(said[0]["inode"].as_u64().unwrap()).unwrap()
    };
    let (dir, below) = (number("/a"), number("/a/b"));
    let image = OpenOptions::new().read(true).write(true).open(&site.image).unwrap();
    let (mut bytes, place) = ([0; INODE], u64::from(dir) * INODE as u64);
    image.read_exact_at(&mut bytes, place).unwrap();
    let entry = [&b"b\x02"[..], &below.to_be_bytes()].concat();
    let at = bytes.windows(entry.len()).position(|found| found == entry).unwrap();
    bytes[at + 2..at + 6].copy_from_slice(&number(to).to_be_bytes());
    untorn_format::inode::seal(&mut bytes, Lsn(0));
    image.write_all_at(&bytes, place).unwrap();
    site
}

#[test]
fn a_way_down_without_an_end_is_told_of() {
    let site = looped("/a");
    let (from, out) = (format!("{}:/a", site.image.display()), site.path("out"));
    for arguments in [
        &["find", "@", "/"][..],
        &["ls", "-R", "@", "/"],
        &["du", "@", "/"],
        &["cp", "-r", &from, out.to_str().unwrap()],
        &["chmod", "-R", "@", "700", "/a"],
        &["chown", "-R", "@", "7", "/a"],
        &["rm", "-r", "@", "/a"],
        &["clone", "-r", "@", "/a", "/c"],
    ] {
        site.run(arguments).refused(1, ": damaged");
    }
    assert_eq!(site.run(&["check", "@"]).status, 1);
}

#[test]
fn a_way_down_that_leads_out_of_what_was_named_is_not_gone() {
    let site = looped("/");
    site.run(&["chmod", "-R", "@", "700", "/a"]).refused(1, "says it is in 128: damaged");
    site.run(&["rm", "-r", "@", "/a"]).refused(1, "says it is in 128: damaged");
    let kept = site.run(&["stat", "-c", "%n %A", "@", "/kept", "/"]).well().out;
    assert_eq!(kept, "/kept -rw-r--r--\n/ drwxr-xr-x\n");
    assert_eq!(site.run(&["cat", "@", "/kept"]).well().out, "kept");
}
