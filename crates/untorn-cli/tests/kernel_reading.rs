//! Reading commands beside those of coreutils and findutils on the mounted volume.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;
use untorn_torture::kernel::{self, MkfsOptions, Mounted, Scratch, make_volume};

/// Files of every sort, sizes, modes, owners, times and names; the second name of a file comes
/// behind the first, by name as in the directory: the one that is met first is counted.
fn lay_out(root: &Path) {
    let script = r#"
        set -e
        mkdir -p d/e/f void many
        head -c 5000 /dev/zero > d/Read.Me
        head -c 3000000 /dev/zero > d/large
        ln d/large d/zz
        ln -s d soft
        ln -s /nowhere dangling
        mkfifo pipe
        mknod device c 4 65
        echo hi > d/e/tool
        chown 7:50 d/e/tool
        chmod 4755 d/e/tool
        touch 'a b' "it's" 'a"b' "$(printf 'n\nl')" "$(printf 'caf\351')"
        for i in $(seq 300); do echo $i > many/$i; done
        truncate -s 1G sparse
        touch -d '2001-02-03 04:05:06.7' old
        chmod 1777 void
    "#;
    let done = Command::new("sh").arg("-c").arg(script).current_dir(root).status().unwrap();
    assert!(done.success());
}

/// Words of find, behind the paths.
const FIND: [&str; 28] = [
    "",
    "-name *a*",
    "-iname READ*",
    "-type f",
    "-type f,d",
    "-type p",
    "-size 10",
    "-size +1M",
    "-size -1M",
    "-size 5000c",
    "-size +4k",
    "-size 1G",
    "-empty",
    "-links +2",
    "-maxdepth 1",
    "-mindepth 2",
    "-mindepth 1 -maxdepth 2",
    "-maxdepth 0",
    "-uid 7",
    "-gid +10",
    "-perm 644",
    "-perm -4000",
    "-perm /111",
    "-perm -g=w,o=w",
    "-perm /000",
    "-perm u=rwx,g=rx,o=rx",
    "-user 7",
    "-size +0w",
];
const DU: [&str; 9] = ["-k", "-a", "-s", "-c", "-ac", "-sc", "-ad 1", "-d 0", "-ah"];
const LS: [&str; 11] = ["-1", "-a", "-r", "-S", "-Sr", "-t", "-tr", "-F", "-R", "-i", "-RF"];
const STAT: [&str; 4] = [
    "%n|%s|%b|%B|%a|%A|%f|%F|%u|%g|%h|%i|%t|%T|%o|%%",
    "%X|%Y|%Z|%x|%y|%z|%W|%w",
    "%U|%G|[%10s|%-10a|%010s|%-20F|%08A]",
    "%N",
];
const STATED: [&str; 12] = [
    "/",
    "/d",
    "/d/Read.Me",
    "/d/large",
    "/soft",
    "/dangling",
    "/pipe",
    "/device",
    "/d/e/tool",
    "/sparse",
    "/old",
    "/void",
];

/// One command line: the words before the image and the paths, the paths, the words behind.
struct Line {
    command: &'static str,
    letters: Vec<&'static str>,
    paths: Vec<&'static str>,
    behind: Vec<&'static str>,
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}

fn lines() -> Vec<Line> {
    let line = |command, letters, paths: &[&'static str], behind| Line {
        command,
        letters,
        paths: paths.to_vec(),
        behind,
    };
    let starts: [&[&str]; 6] = [
        &["/"],
        &["/soft", "/d/e", "/many/", "/none"],
        &["/d"],
        &["/d", "/d/e"],
        &["/soft/"],
        &["/dangling"],
    ];
    let mut all = Vec::new();
    for start in starts {
        all.extend(FIND.iter().map(|asked| line("find", vec![], start, words(asked))));
        all.extend(DU.iter().map(|asked| line("du", words(asked), start, vec![])));
        all.extend(LS.iter().map(|asked| line("ls", words(asked), start, vec![])));
    }
    for format in STAT {
        all.push(line("stat", vec!["-c", format], &STATED, vec![]));
        let there: Vec<_> = STATED.into_iter().filter(|path| *path != "/dangling").collect();
        // A name alone says where a link leads, which here is below a mount.
        all.push(line("stat", vec!["-L", "-c", format], &there, vec![]));
    }
    all.push(line("stat", vec!["-c", "%N"], &["/it's", "/a\"b", "/n\nl", "/a b"], vec![]));
    all
}

/// What a command says, in lines: those that find and du have in no order of their own sorted.
fn said(mut command: Command, line: &Line, root: &str) -> (bool, Vec<String>) {
    let output = command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").output().unwrap();
    let text: String = output.stdout.iter().copied().map(char::from).collect();
    let text = match root {
        "" => text,
        root => text.replace(&format!("{root}/"), "/").replace(root, "/"),
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if matches!(line.command, "find" | "du") {
        lines.sort_unstable();
    }
    (output.status.success(), lines)
}

fn theirs(line: &Line, root: &str) -> (bool, Vec<String>) {
    let mut command = Command::new(line.command);
    command.args(&line.letters);
    command.args(line.paths.iter().map(|path| format!("{root}{path}"))).args(&line.behind);
    said(command, line, root)
}

fn ours(line: &Line, image: &Path) -> (bool, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_untorn"));
    command.arg(line.command).args(&line.letters).arg(image).args(&line.paths).args(&line.behind);
    said(command, line, "")
}

#[test]
fn reading_commands_say_what_those_of_gnu_say_of_the_mounted_volume_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("volume.img");
    make_volume(&image, 512 << 20, &MkfsOptions::default()).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    lay_out(&mounted.root());
    // Times of access stay from here on.
    mounted.sync().unwrap();
    let root = mounted.root().display().to_string();
    let all = lines();
    // Twice: the first time may change times of access.
    all.iter().for_each(|line| drop(theirs(line, &root)));
    let expected: Vec<_> = all.iter().map(|line| theirs(line, &root)).collect();
    mounted.unmount().unwrap();
    for (line, expected) in all.iter().zip(expected) {
        let Line { command, letters, paths, behind } = line;
        assert_eq!(ours(line, &image), expected, "{command} {letters:?} {paths:?} {behind:?}");
    }
}
