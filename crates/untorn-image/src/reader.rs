//! Reads the bytes of files ahead of who writes them: a thread, and a few buffers that go round.
//!
//! A buffer holds a piece of a large file or many small files whole. Only what may be something
//! else than zeroes is read. The order is that of the files, so what is done with the buffers does
//! not depend on how fast anybody is.

use crate::contents::{Contents, Place, Run, change_time};
use crate::error::{Error, Result, at_host, shown};
use rustix::fs::{Mode, OFlags, SeekFrom, open, seek};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::ErrorKind;
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
/// Files of at most so many bytes are read without a look for their holes, and bytes beyond what
/// the host said a file has are read so many at a time.
const SMALL: u64 = 64 << 10;
/// Bytes that are asked for where a file should end.
const PROBE: usize = 4096;
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
    /// Bytes of the file, where it ends with it.
    pub size: u64,
}

/// Whether more of a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    No,
    /// None.
    Yes,
    /// None, and the file changed while it was read: what is there may be a mixture.
    YesButChanged,
    /// None, since the rest cannot be read: the load says why.
    Lost,
}

/// A buffer and what it holds.
pub(crate) struct Load {
    pub buffer: AlignedBuffer,
    pub parts: Vec<Part>,
    /// Why files of the load cannot be read, in order.
    pub lost: VecDeque<Error>,
}

/// The loads of all files, in order.
pub(crate) struct Loads {
    full: Receiver<Load>,
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
            // Files that cannot be read are told of in their loads; else nobody listens any more.
            let _ = reader.all(&files);
        });
        Self { full, empty }
    }

    /// The next load; `None` after the last.
    pub fn next(&self) -> Option<Load> {
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
    to_writer: SyncSender<Load>,
    load: Option<Load>,
    /// Bytes of the buffer that are taken.
    used: usize,
}

type Read<T = ()> = std::result::Result<T, Stop>;

impl Reader {
    fn all(&mut self, files: &[&Contents]) -> Read {
        for (file, contents) in files.iter().enumerate() {
            match self.one(file, contents) {
                Ok((last, size)) => self.end(file, size, last)?,
                Err(Stop::Failed(error)) => {
                    self.end(file, contents.size, Last::Lost)?;
                    let Some(load) = &mut self.load else { return Err(Stop::Unwanted) };
                    load.lost.push_back(error);
                }
                Err(Stop::Unwanted) => return Err(Stop::Unwanted),
            }
        }
        self.send()
    }

    /// Reads one file; how it ends, and how many bytes it has.
    fn one(&mut self, file: usize, contents: &Contents) -> Read<(Last, u64)> {
        match &contents.place {
            Place::Zeroes => Ok((Last::Yes, contents.size)),
            Place::Host(path) => self.host(file, contents, path),
            Place::Archive(archive, runs) => {
                self.windows(file, contents.size, &Archive { file: archive, runs })?;
                Ok((Last::Yes, contents.size))
            }
        }
    }

    /// Reads a file of the host to its end, wherever the host said that this is: hosts that make
    /// files up as they are read do not know.
    fn host(&mut self, file: usize, contents: &Contents, path: &Path) -> Read<(Last, u64)> {
        let (opened, before) = open_regular(path)?;
        let source = Host { path, file: &opened };
        let mut end = self.windows(file, contents.size, &source)?;
        if end == contents.size {
            end = self.tail(file, end, &source)?;
        }
        let after = opened.metadata().map_err(at_host(path))?;
        if after.len() < contents.size {
            // It was cut, maybe in a hole, which is not read.
            end = end.min(after.len());
        }
        let same = is_as_before(contents, (&before, &after), end);
        Ok((if same { Last::Yes } else { Last::YesButChanged }, end))
    }

    /// Reads a file window by window; returns where it ends, at `size` or before. What is read into
    /// which load depends on sizes and contents alone: whether zeroes were a hole of the source
    /// makes no difference.
    fn windows(&mut self, file: usize, size: u64, source: &dyn Source) -> Read<u64> {
        const WINDOW: u64 = BUFFER as u64;
        let last = size.saturating_sub(1) / WINDOW * WINDOW;
        // One call less for each of the many files that are small.
        let mut data = if size <= SMALL { 0 } else { source.next_data(0)?.unwrap_or(size) };
        let mut at = 0;
        while at < size {
            let end = size.min(at + WINDOW);
            if data < at {
                data = source.next_data(at)?.unwrap_or(size);
            }
            if data < end {
                at += self.window(file, at..end, source, Holds::Data)?;
                if at < end {
                    return Ok(at);
                }
                continue;
            }
            self.window(file, at..end, source, Holds::Zeroes)?;
            // Other windows in the same hole change nothing more, but for the last, a short one.
            at = end.max(last.min(data / WINDOW * WINDOW));
        }
        Ok(size)
    }

    /// Reads what there is from `at` on, where the file should end; returns where it does.
    fn tail(&mut self, file: usize, mut at: u64, source: &dyn Source) -> Read<u64> {
        while source.read(at, &mut [0; PROBE])? > 0 {
            let end = at + SMALL;
            at += self.window(file, at..end, source, Holds::Data)?;
            if at < end {
                break;
            }
        }
        Ok(at)
    }

    /// Reads a window; returns how many bytes of it there are.
    fn window(
        &mut self,
        file: usize,
        range: Range<u64>,
        source: &dyn Source,
        holds: Holds,
    ) -> Read<u64> {
        let mut length = usize::try_from(range.end - range.start).unwrap_or(BUFFER);
        let used = self.room(length)?;
        let Some(load) = &mut self.load else { return Err(Stop::Unwanted) };
        if holds == Holds::Data {
            length = source.read(range.start, &mut load.buffer[used..used + length])?;
            let bytes = used..used + length;
            if !is_zero(&load.buffer[bytes.clone()]) {
                let offset = range.start;
                load.parts.push(Part { file, offset, bytes, last: Last::No, size: 0 });
            }
        }
        // A load without anything in it is as good as new.
        let empty = load.parts.is_empty() && length == BUFFER;
        self.used = if empty { 0 } else { (used + length).next_multiple_of(ALIGN) };
        Ok(length as u64)
    }

    /// Where in a buffer there is room for `length` bytes.
    fn room(&mut self, length: usize) -> Read<usize> {
        if self.load.is_some() && BUFFER - self.used.min(BUFFER) < length {
            self.send()?;
        }
        if self.load.is_none() {
            let buffer = self.from_writer.recv().map_err(|_| Stop::Unwanted)?;
            self.load = Some(Load { buffer, parts: Vec::new(), lost: VecDeque::new() });
            self.used = 0;
        }
        Ok(self.used)
    }

    fn end(&mut self, file: usize, size: u64, last: Last) -> Read {
        let at = self.room(0)?.min(BUFFER);
        let Some(load) = &mut self.load else { return Err(Stop::Unwanted) };
        match load.parts.last_mut().filter(|part| part.file == file) {
            Some(part) => (part.last, part.size) = (last, size),
            None => load.parts.push(Part { file, offset: size, bytes: at..at, last, size }),
        }
        Ok(())
    }

    /// Hands the load on; one with nothing in it is kept.
    fn send(&mut self) -> Read {
        match self.load.take() {
            Some(load) if load.parts.is_empty() => {
                self.load = Some(load);
                self.used = 0;
                Ok(())
            }
            Some(load) => self.to_writer.send(load).map_err(|_| Stop::Unwanted),
            None => Ok(()),
        }
    }
}

/// Opens what was a regular file when it was looked at. What stands there now may be another's: a
/// link is not followed, a pipe not waited for.
fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let shown = || shown(path.as_os_str().as_bytes());
    let opened = match open(path, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NXIO) => {
            return Err(changed(&shown(), "is no regular file any more"));
        }
        opened => File::from(opened.map_err(|error| at_host(path)(error.into()))?),
    };
    let found = opened.metadata().map_err(at_host(path))?;
    match found.is_file() {
        true => Ok((opened, found)),
        false => Err(changed(&shown(), "is no regular file any more")),
    }
}

/// Whether a file that was read is what it was when it was looked at: as long, and as old. One
/// whose bytes end elsewhere than its size says was made up by the host as it was opened, and has
/// the times of that moment.
fn is_as_before(contents: &Contents, (before, after): (&Metadata, &Metadata), end: u64) -> bool {
    let sizes = [before.len(), after.len()] == [contents.size; 2];
    let read_alone = change_time(before) == change_time(after);
    let old = contents.changed == Some(change_time(before)) || end != contents.size;
    sizes && read_alone && old
}

/// Whether a window may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Data,
    Zeroes,
}

/// Where the bytes of one file come from.
trait Source {
    /// The first byte from `at` on that may be no zero.
    fn next_data(&self, at: u64) -> Result<Option<u64>>;

    /// Fills `bytes` from byte `at` of the file; returns how many there are before its end.
    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<usize>;
}

struct Host<'f> {
    path: &'f Path,
    file: &'f File,
}

impl Source for Host<'_> {
    fn next_data(&self, at: u64) -> Result<Option<u64>> {
        match seek(self.file, SeekFrom::Data(at)) {
            Ok(start) => Ok(Some(start)),
            Err(Errno::NXIO) => Ok(None),
            // A host that does not know holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(at)),
            Err(error) => Err(at_host(self.path)(error.into())),
        }
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(at_host(self.path)(error)),
            }
        }
        Ok(filled)
    }
}

struct Archive<'f> {
    file: &'f File,
    runs: &'f [Run],
}

impl Archive<'_> {
    /// The runs that end behind byte `at`.
    fn from(&self, at: u64) -> &[Run] {
        let first = self.runs.partition_point(|run| run.offset + run.length <= at);
        self.runs.get(first..).unwrap_or_default()
    }
}

impl Source for Archive<'_> {
    fn next_data(&self, at: u64) -> Result<Option<u64>> {
        Ok(self.from(at).first().map(|run| run.offset.max(at)))
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<usize> {
        let end = at + bytes.len() as u64;
        let mut filled = at;
        let lost = |_| changed("the archive", "became shorter while it was read");
        for run in self.from(at).iter().take_while(|run| run.offset < end) {
            let (from, to) = (run.offset.max(at), (run.offset + run.length).min(end));
            bytes[(filled - at) as usize..(from - at) as usize].fill(0);
            let place = &mut bytes[(from - at) as usize..(to - at) as usize];
            self.file.read_exact_at(place, run.at + (from - run.offset)).map_err(lost)?;
            filled = to;
        }
        bytes[(filled - at) as usize..].fill(0);
        Ok(bytes.len())
    }
}

fn changed(path: &str, what: &str) -> Error {
    Error::Source { path: path.to_owned(), what: what.to_owned() }
}

/// Whether all of `bytes` are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    chunks.iter().all(|chunk| chunk == &[0; 64]) && rest.iter().all(|&byte| byte == 0)
}
