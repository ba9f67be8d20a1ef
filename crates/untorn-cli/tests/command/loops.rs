//! Directories that lead back to themselves, as only damage makes them.

use super::Site;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use untorn_format::Lsn;

const INODE: usize = 512;

/// A volume whose `/a/b` is `/a` again, with a file beside it.
fn looped() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "@", "/a"]).well();
    site.run(&["mkdir", "@", "/a/b"]).well();
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
    bytes[at + 2..at + 6].copy_from_slice(&dir.to_be_bytes());
    untorn_format::inode::seal(&mut bytes, Lsn(0));
    image.write_all_at(&bytes, place).unwrap();
    site
}

#[test]
fn a_way_down_without_an_end_is_told_of() {
    let site = looped();
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
        site.run(arguments).refused(1, "has two names: damaged");
    }
    assert_eq!(site.run(&["check", "@"]).status, 1);
}
