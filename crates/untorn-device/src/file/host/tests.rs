//! The kernel's texts, as proc_pid_mountinfo(5) and proc_locks(5) have them.

use super::*;

#[test]
fn mounts_are_read_with_their_escapes_and_optional_fields() {
    let text = "\
36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 36 7:3 / /media/a\\011b\\134c rw shared:5 master:1 - xfs /dev/loop3 rw
nonsense
38 36 x:y / /nowhere rw - xfs /dev/loop4 rw
";
    let mount = |major, minor, point: &str, source: &str| Mount {
        device: DeviceNumber { major, minor },
        point: point.to_owned(),
        source: source.to_owned(),
    };
    let expected =
        [mount(98, 0, "/mnt 2", "/dev/root"), mount(7, 3, "/media/a\tb\\c", "/dev/loop3")];
    assert_eq!(parse_mounts(text), expected);
}

#[test]
fn locks_are_read_for_one_file_only_and_without_waiters() {
    let text = "\
1: FLOCK  ADVISORY  WRITE 2433 fe:01:131100 0 EOF
1: -> FLOCK  ADVISORY  WRITE 2500 fe:01:131100 0 EOF
2: OFDLCK ADVISORY  READ  -1 fe:01:131100 100 101
3: POSIX  ADVISORY  READ  548 fe:01:131101 1073741826 1073742335
4: POSIX  ADVISORY  READ  549 00:05:131100 1073741826 1073742335
";
    let lock = |kind: &str, process| Lock { kind: kind.to_owned(), process };
    let device = DeviceNumber { major: 0xfe, minor: 1 };
    let expected = [lock("FLOCK", Some(2433)), lock("OFDLCK", None)];
    assert_eq!(parse_locks(text, device, 131_100), expected);
}

#[test]
fn a_process_is_described_by_number_and_name() {
    let own = describe_process(std::process::id());
    assert!(own.starts_with(&format!("process {} (", std::process::id())), "{own}");
    assert_eq!(describe_process(u32::MAX), format!("process {}", u32::MAX));
}
