//! An eye on inputs: which fails, which takes too long, which never ends.

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Time that one input may take on a processor: thousands of times the usual.
const SLOW: Duration = Duration::from_secs(10);
/// Looks, one a second, that find the same input. Time would count what a machine that was paused
/// did not do.
const ENDLESS: u32 = 120;

/// What runs, with its number.
type Running = Mutex<Option<(u64, Vec<u8>)>>;

/// Runs inputs and looks at how long they take.
pub struct Watch {
    running: Arc<Running>,
    number: u64,
    slowest: Duration,
}

impl Watch {
    /// A watch with a thread that looks for what does not end.
    pub fn new() -> Self {
        let running = Arc::<Running>::default();
        let seen = Arc::downgrade(&running);
        std::thread::spawn(move || look(&seen));
        Self { running, number: 0, slowest: Duration::ZERO }
    }

    /// Gives `target` an input.
    pub fn run(&mut self, input: &[u8], target: fn(&[u8])) {
        let _shown = Shown(input);
        self.number += 1;
        *self.running.lock() = Some((self.number, input.to_vec()));
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

/// Ends the process when an input does not end.
fn look(running: &Weak<Running>) {
    let (mut last, mut looks) = (0, 0);
    while let Some(running) = running.upgrade() {
        if let Some((number, input)) = &*running.lock() {
            looks = if *number == last { looks + 1 } else { 0 };
            last = *number;
            if looks > ENDLESS {
                // Past the test runner, which keeps what its macros print until a test ends.
                let _ = writeln!(std::io::stderr(), "this does not end: {}", hexadecimal(input));
                std::process::abort();
            }
        }
        drop(running);
        std::thread::sleep(Duration::from_secs(1));
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
