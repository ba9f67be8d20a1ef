//! An eye on inputs: which fails, which takes too long, which never ends.

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time that one input may take on a processor: thousands of times the usual.
const SLOW: Duration = Duration::from_secs(10);
/// Time after which an input counts as one that never ends.
const ENDLESS: Duration = Duration::from_secs(120);

/// What runs since when.
type Running = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Runs inputs and looks at how long they take.
pub struct Watch {
    running: Running,
    slowest: Duration,
}

impl Watch {
    /// A watch with a thread that looks for what does not end.
    pub fn new() -> Self {
        let running = Running::default();
        let seen = Arc::downgrade(&running);
        std::thread::spawn(move || {
            while let Some(running) = seen.upgrade() {
                end_the_endless(&running);
                drop(running);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self { running, slowest: Duration::ZERO }
    }

    /// Gives `target` an input.
    pub fn run(&mut self, input: &[u8], target: fn(&[u8])) {
        let _shown = Shown(input);
        *self.running.lock() = Some((Instant::now(), input.to_vec()));
        let start = processor_time();
        target(input);
        let took = processor_time().saturating_sub(start);
        *self.running.lock() = None;
        assert!(took < SLOW, "this took {took:?}");
        self.slowest = self.slowest.max(took);
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the slowest took {:?}", self.slowest)
    }
}

fn end_the_endless(running: &Running) {
    if let Some((since, input)) = &*running.lock()
        && since.elapsed() > ENDLESS
    {
        eprintln!("this does not end: {}", hexadecimal(input));
        std::process::abort();
    }
}

/// Shows an input if it fails.
struct Shown<'i>(&'i [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this failed: {}", hexadecimal(self.0));
        }
    }
}

fn hexadecimal(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
