//! The face of `parking_lot`, as far as this project uses it, over locks of `shuttle`: wherever a
//! thread takes a lock, waits or wakes others, a scheduler chooses who goes on.
//!
//! Never here: anything that production code links. The packages beside this one build the sources
//! of `untorn-store` and `untorn` once more, with this crate under the name `parking_lot`.

use lock_api::MutexGuard as Guard;
use std::time::{Duration, Instant};

pub use shuttle_parking_lot::{
    ArcRwLockReadGuard, ArcRwLockWriteGuard, Mutex, MutexGuard, RawMutex, RawRwLock, RwLock,
    RwLockReadGuard, RwLockWriteGuard,
};

/// A condition to wait for, as that of `parking_lot`.
#[derive(Default)]
pub struct Condvar {
    /// Held from before a waiter lets go of its own lock until it waits, and by whoever wakes it:
    /// so no call is missed.
    gate: shuttle::sync::Mutex<()>,
    called: shuttle::sync::Condvar,
}

/// How a wait ended that has a limit.
#[derive(Clone, Copy, Debug)]
pub struct WaitTimeoutResult;

impl WaitTimeoutResult {
    /// Always: there is no time here.
    pub fn timed_out(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for Condvar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Condvar")
    }
}

impl Condvar {
    /// A condition that nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets go of the lock, waits to be woken, takes the lock again.
    pub fn wait<T>(&self, guard: &mut Guard<'_, RawMutex, T>) {
        let Ok(gate) = self.gate.lock() else { unreachable!("nobody panics with it") };
        Guard::unlocked(guard, || drop(self.called.wait(gate)));
    }

    /// As [`Condvar::wait`], for a time that is over once others have had their turn.
    pub fn wait_for<T>(
        &self,
        guard: &mut Guard<'_, RawMutex, T>,
        _: Duration,
    ) -> WaitTimeoutResult {
        Guard::unlocked(guard, shuttle::thread::yield_now);
        WaitTimeoutResult
    }

    /// As [`Condvar::wait_for`], to a moment that comes once others have had their turn.
    pub fn wait_until<T>(
        &self,
        guard: &mut Guard<'_, RawMutex, T>,
        _: Instant,
    ) -> WaitTimeoutResult {
        self.wait_for(guard, Duration::ZERO)
    }

    /// Wakes one who waits.
    pub fn notify_one(&self) {
        let _gate = self.gate.lock();
        self.called.notify_one();
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        let _gate = self.gate.lock();
        self.called.notify_all();
    }
}
