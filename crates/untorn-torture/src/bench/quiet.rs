//! Waits while others use the processors.
//!
//! A flush of the device and a request to a loop device are finished by threads of the kernel.
//! Where programs that compute have all processors, those threads wait for milliseconds, and
//! everybody who is measured seems to be equally slow.

use std::time::{Duration, Instant};

/// How long to look whether the processors are idle.
const LOOK: Duration = Duration::from_millis(40);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(160);

/// Share of the time of all processors that others may take.
const SHARE: f64 = 0.3;

/// Waits for the processors, in all not longer than its budget.
#[derive(Debug)]
pub(super) struct Quiet {
    budget: Duration,
    waited: Duration,
}

/// Time since the machine began, in ticks of all processors: all of it, and what was idle.
#[derive(Clone, Copy)]
struct Ticks {
    all: u64,
    idle: u64,
}

fn ticks() -> Option<Ticks> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let numbers = text.lines().next()?.strip_prefix("cpu ")?;
    let numbers: Vec<u64> =
        numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let idle = numbers.get(3)? + numbers.get(4)?;
    Some(Ticks { all: numbers.iter().take(8).sum(), idle })
}

/// The share of the processors that is used while this thread does nothing.
fn used() -> Option<f64> {
    let before = ticks()?;
    std::thread::sleep(LOOK);
    let after = ticks()?;
    let all = after.all.checked_sub(before.all).filter(|all| *all > 0)?;
    Some(1.0 - after.idle.saturating_sub(before.idle) as f64 / all as f64)
}

impl Quiet {
    /// Waits for so long at most, in all.
    pub fn new(budget: Duration) -> Self {
        Self { budget, waited: Duration::ZERO }
    }

    /// Returns when others leave the processors alone, or there is no more time to wait.
    pub fn wait(&mut self) {
        let began = Instant::now();
        while self.waited + began.elapsed() < self.budget && used().is_some_and(|used| used > SHARE)
        {
            std::thread::sleep(PAUSE);
        }
        self.waited += began.elapsed();
    }

    /// How long it waited in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}
