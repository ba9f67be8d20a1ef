//! Reads the bytes of files ahead of who writes them: a thread, and a few buffers that go round.
//!
//! A buffer holds a piece of a large file or many small files whole. Only what may be something
//! else than zeroes is read. The order is that of the files, so what is done with the buffers does
//! not depend on how fast anybody is.

use crate::contents::{Contents, Place, Run};
use crate::error::{Error, Result, at_host, shown};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;
use untorn_device::AlignedBuffer;

/// Bytes of a buffer.
const BUFFER: usize = 1 << 20;
/// Buffers that go round.
const BUFFERS: usize = 6;
/// Where each file begins in a buffer: multiples of this, which every device takes.
const ALIGN: usize = 4096;

/// A piece of a file in a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Which of the files.
    pub file: usize,
    /// Where the piece begins in the file.
    pub offset: u64,
    /// Where it lies in the buffer.
    pub bytes: Range<usize>,
    /// Whether the file ends with it.
    pub last: Last,
}

/// Whether more of a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    No,
    Yes,
}

/// A buffer and what it holds.
pub(crate) struct Load {
    pub buffer: AlignedBuffer,
    pub parts: Vec<Part>,
}

/// The loads of all files, in order.
pub(crate) struct Loads {
    full: Receiver<Result<Load>>,
    empty: SyncSender<AlignedBuffer>,
}

impl Loads {
    /// Begins to read `files`.
    pub fn begin<'s>(scope: &'s Scope<'s, '_>, files: Vec<&'s Contents>) -> Self {
        let (to_writer, full) = sync_channel(BUFFERS);
        let (empty, from_writer) = sync_channel(BUFFERS);
        for _ in 0..BUFFERS {
            let _ = empty.send(AlignedBuffer::zeroed(BUFFER, ALIGN));
        }
        scope.spawn(move || {
            let mut reader = Reader { from_writer, to_writer, load: None, used: 0 };
            let read = reader.all(&files);
            if let Err(Stop::Failed(error)) = read {
                let _ = reader.to_writer.send(Err(error));
            }
        });
        Self { full, empty }
    }

    /// The next load; `None` after the last.
    pub fn next(&self) -> Option<Result<Load>> {
        self.full.recv().ok()
    }

    /// Gives a buffer back.
    pub fn give_back(&self, load: Load) {
        let _ = self.empty.send(load.buffer);
    }
}

/// Why reading ends before the end.
enum Stop {
    /// Something failed.
    Failed(Error),
    /// Nobody listens any more.
    Unwanted,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

struct Reader {
    from_writer: Receiver<AlignedBuffer>,
    to_writer: SyncSender<Result<Load>>,
    load: Option<Load>,
    /// Bytes of the buffer that are taken.
    used: usize,
}

type Read = std::result::Result<(), Stop>;

impl Reader {
    fn all(&mut self, files: &[&Contents]) -> Read {
        for (file, contents) in files.iter().enumerate() {
            match &contents.place {
                Place::Zeroes => {}
                Place::Host(path) => self.host(file, path, contents.size)?,
                Place::Archive(archive, runs) => {
                    let lost = || changed("the archive", "became shorter while it was read");
                    runs.iter().try_for_each(|run| self.run(file, archive, *run, lost))?;
                }
            }
            self.end(file, contents.size)?;
        }
        self.send()
    }

    fn host(&mut self, file: usize, path: &Path, size: u64) -> Read {
        if size == 0 {
            return Ok(());
        }
        let opened = File::open(path).map_err(at_host(path))?;
        let lost =
            || changed(&shown(path.as_os_str().as_bytes()), "became shorter while it was copied");
        // One call less for each of the many that fit into a load.
        if size <= ALIGN as u64 * 16 {
            return self.run(file, &opened, Run { offset: 0, at: 0, length: size }, lost);
        }
        let mut at = 0;
        while let Some(data) = next_data(&opened, at..size).map_err(|e| at_host(path)(e.into()))? {
            at = data.end;
            let run = Run { offset: data.start, at: data.start, length: data.end - data.start };
            self.run(file, &opened, run, lost)?;
        }
        Ok(())
    }

    /// Reads a run into as many parts as it takes.
    fn run(&mut self, file: usize, from: &File, run: Run, lost: impl Fn() -> Error) -> Read {
        let mut done = 0;
        while done < run.length {
            let left = run.length - done;
            let used = self.room(left)?;
            let Some(load) = &mut self.load else { return Err(Stop::Unwanted) };
            let room = &mut load.buffer[used..];
            let want = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = from.read_exact_at(&mut room[..want], run.at + done);
            read.map_err(|_| lost())?;
            let (offset, bytes) = (run.offset + done, used..used + want);
            load.parts.push(Part { file, offset, bytes, last: Last::No });
            self.used = (used + want).next_multiple_of(ALIGN);
            done += want as u64;
        }
        Ok(())
    }

    /// Where in a buffer there is room for a piece of what has `left` bytes: small files go into
    /// one whole.
    fn room(&mut self, left: u64) -> std::result::Result<usize, Stop> {
        let wanted = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        if self.load.is_some() && BUFFER - self.used.min(BUFFER) < wanted {
            self.send()?;
        }
        if self.load.is_none() {
            let buffer = self.from_writer.recv().map_err(|_| Stop::Unwanted)?;
            self.load = Some(Load { buffer, parts: Vec::new() });
            self.used = 0;
        }
        Ok(self.used)
    }

    fn end(&mut self, file: usize, size: u64) -> Read {
        let at = self.room(0)?;
        let Some(load) = &mut self.load else { return Err(Stop::Unwanted) };
        match load.parts.last_mut().filter(|part| part.file == file) {
            Some(part) => part.last = Last::Yes,
            None => {
                let bytes = at.min(BUFFER)..at.min(BUFFER);
                load.parts.push(Part { file, offset: size, bytes, last: Last::Yes });
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Read {
        let Some(load) = self.load.take() else { return Ok(()) };
        self.to_writer.send(Ok(load)).map_err(|_| Stop::Unwanted)
    }
}

fn changed(path: &str, what: &str) -> Error {
    Error::Source { path: path.to_owned(), what: what.to_owned() }
}

/// The next bytes of `range` that are no hole.
fn next_data(file: &File, range: Range<u64>) -> rustix::io::Result<Option<Range<u64>>> {
    if range.is_empty() {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(range.start)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // A host that does not know holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(range)),
        Err(error) => return Err(error),
    };
    if start >= range.end {
        return Ok(None);
    }
    let end = seek(file, SeekFrom::Hole(start))?;
    Ok(Some(start..end.min(range.end)))
}
