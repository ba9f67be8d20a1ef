//! XFS_IOC_EXCHANGE_RANGE through a child, because an ioctl is unsafe code here.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A child that exchanges ranges; ends when dropped.
#[derive(Debug)]
pub struct Exchanger {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Exchanger {
    /// Starts the child; needs python3.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new("python3")
            .args(["-c", include_str!("exchange.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = child.stdin.take();
        let answers = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, requests, answers: BufReader::new(answers) })
    }

    /// Swaps `length` bytes at the offsets of the two files.
    pub fn exchange(
        &mut self,
        first: (&Path, u64),
        second: (&Path, u64),
        length: u64,
    ) -> io::Result<()> {
        let requests = self.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let (one, two) = (hexadecimal(first.0), hexadecimal(second.0));
        writeln!(requests, "{one} {two} {} {} {length}", first.1, second.1)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.trim().parse() {
            Ok(0) => Ok(()),
            Ok(errno) => Err(io::Error::from_raw_os_error(errno)),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Exchanger {
    fn drop(&mut self) {
        // The end of its input ends the child.
        self.requests = None;
        let _ = self.child.wait();
    }
}

fn hexadecimal(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
