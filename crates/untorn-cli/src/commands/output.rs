//! Standard output, and what becomes of a command when it fails.
//!
//! ```text
//! reader gone, command reads:   the command ends at once, well, and says nothing
//! reader gone, command works:   the rest is swallowed; the work goes on and says how it ends
//! anything else (a full disk):  an error; who works ends the work first
//! ```
//! Invariants: where work goes on, no write fails. Whoever has lost its reader never learns more.

use crate::failure::{self, End, Outcome};
use std::io::{self, ErrorKind, Write};

/// What a command is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What it prints: without a reader nothing is left to do.
    Words,
    /// What it does or finds out, of which its exit status tells.
    Work,
}

/// An output that knows what the command is there for.
pub struct Output<W> {
    to: W,
    purpose: Purpose,
    failed: Option<io::Error>,
}

impl<W: Write> Output<W> {
    /// Writes to `to`.
    pub fn new(to: W, purpose: Purpose) -> Self {
        Self { to, purpose, failed: None }
    }

    /// How the command ends, where all else ends with `done`.
    pub fn end(self, done: Outcome) -> Outcome {
        match self.failed {
            None => done,
            Some(error) if error.kind() == ErrorKind::BrokenPipe => match self.purpose {
                Purpose::Words => match done {
                    Err(error) if !is_of_pipe(&error) => Err(error),
                    done => Ok(done.unwrap_or(End::Well)),
                },
                Purpose::Work => done,
            },
            Some(error) => {
                let error = anyhow::Error::from(error).context("standard output");
                if let (Err(of_work), Purpose::Work) = (done, self.purpose) {
                    failure::tell(&of_work);
                }
                Err(error)
            }
        }
    }

    /// What becomes of a failure: the first is kept, and those who work never see it.
    fn keep<T>(&mut self, error: io::Error, swallowed: T) -> io::Result<T> {
        let kind = error.kind();
        if kind == ErrorKind::Interrupted {
            return Err(error);
        }
        self.failed.get_or_insert(error);
        match self.purpose {
            Purpose::Words => Err(kind.into()),
            Purpose::Work => Ok(swallowed),
        }
    }
}

/// Whether an error says no more than that the reader is gone.
fn is_of_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |kind: Option<ErrorKind>| kind == Some(ErrorKind::BrokenPipe);
    error.chain().any(|cause| {
        let json = cause.downcast_ref::<serde_json::Error>();
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        is_pipe(kind.or_else(|| json?.io_error_kind()))
    })
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (&self.failed, self.purpose) {
            (Some(_), Purpose::Work) => Ok(bytes.len()),
            _ => self.to.write(bytes).or_else(|error| self.keep(error, bytes.len())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match (&self.failed, self.purpose) {
            (Some(_), Purpose::Work) => Ok(()),
            _ => self.to.flush().or_else(|error| self.keep(error, ())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then fails.
    struct Failing(usize, ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(self.1.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(purpose: Purpose, kind: ErrorKind) -> Output<Failing> {
        Output::new(Failing(2, kind), purpose)
    }

    #[test]
    fn who_reads_ends_at_once_and_well_without_a_reader() {
        let mut out = output(Purpose::Words, ErrorKind::BrokenPipe);
        let error = out.write_all(b"line").unwrap_err();
        assert_eq!(out.end(Err(error.into())).unwrap(), End::Well);
        let mut out = output(Purpose::Words, ErrorKind::BrokenPipe);
        out.write_all(b"line").unwrap_err();
        assert!(out.end(Err(anyhow::anyhow!("of the work"))).is_err());
        let mut out = output(Purpose::Words, ErrorKind::StorageFull);
        let error = out.write_all(b"line").unwrap_err();
        assert!(out.end(Err(error.into())).is_err());
    }

    #[test]
    fn who_works_goes_on_and_ends_as_the_work_does() {
        for done in [End::Well, End::Found] {
            let mut out = output(Purpose::Work, ErrorKind::BrokenPipe);
            out.write_all(b"line").unwrap();
            out.write_all(b"more").unwrap();
            assert_eq!(out.end(Ok(done)).unwrap(), done);
        }
        let mut out = output(Purpose::Work, ErrorKind::BrokenPipe);
        out.write_all(b"line").unwrap();
        assert!(out.end(Err(anyhow::anyhow!("of the work"))).is_err());
        let mut out = output(Purpose::Work, ErrorKind::StorageFull);
        out.write_all(b"line").unwrap();
        assert!(out.end(Ok(End::Well)).is_err());
    }
}
