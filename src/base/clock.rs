//! The clock of the appliance. This and `time.rs` are the only places that read a clock of the machine.
//!
//! The machine has a clock that people set, and an uptime that nobody can set. Both advance together. If they differ by
//! more than before, the clock was set:
//!
//! ```text
//! set forward   the appliance follows at once. Over a minute: [`Clock::step`] reports it.
//! set back      the appliance continues its own time, as if nothing had happened, until [`Clock::accept`]. Before that,
//!               one transaction moves every end and due time back by the same amount (`crate::clock`). So nothing lives
//!               longer or waits longer, and no request sees a time that goes back before the rows do.
//! back, < 2 s   (a leap second) the appliance follows at once: no end is exact to two seconds.
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Timestamp, minutes};

/// A difference that counts as a step when the clock was set forward.
const FORWARD_MIN_MILLIS: i64 = 60_000;
/// A difference that counts as a step when the clock was set back. A smaller one is followed.
const BACK_MIN_MILLIS: i64 = 2_000;
/// How often a difference is read before it counts. The two clocks are read one after the other, and if the thread has to
/// wait in between, the clock seems to be set back. The smallest of several differences is right.
const READINGS: usize = 5;

/// How the clock of the machine was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStep {
    /// It was set forward by this much.
    Forward(Duration),
    /// It was set back by this much.
    Back(Duration),
}

impl ClockStep {
    /// A step of this many milliseconds; a negative number is a step back.
    pub fn from_millis(millis: i64) -> Self {
        let by = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { Self::Back(by) } else { Self::Forward(by) }
    }

    /// The step in milliseconds, negative for a step back.
    pub fn millis(self) -> i64 {
        let signed = |by: Duration| i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        match self {
            Self::Forward(by) => signed(by),
            Self::Back(by) => -signed(by),
        }
    }

    /// Whether an operator should know: it is more than a minute.
    pub fn is_notable(self) -> bool {
        let (Self::Forward(by) | Self::Back(by)) = self;
        by > minutes(1)
    }
}

/// The clock of the appliance. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<State>);

#[derive(Debug)]
struct State {
    source: Source,
    /// The time of the appliance minus the uptime of the machine, in milliseconds.
    offset: AtomicI64,
    /// By how much the clock was set forward in steps that are not accepted yet, in milliseconds.
    jumped: AtomicI64,
    /// How often a step back was accepted.
    returns: AtomicU64,
}

#[derive(Debug)]
enum Source {
    Machine,
    /// Stands still until a test moves it.
    Manual {
        wall: AtomicI64,
        uptime: AtomicI64,
    },
}

impl Source {
    /// The clock of the machine and its uptime, in milliseconds. The clock is read first, so that a pause between the two
    /// can look like a step back, which is checked again, and never like a step forward, which is followed at once.
    fn read(&self) -> (i64, i64) {
        match self {
            Self::Machine => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let wall = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
                // Unlike `Instant`, this counts the time in which the machine sleeps.
                let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                (wall, uptime.tv_sec * 1000 + uptime.tv_nsec / 1_000_000)
            }
            Self::Manual { wall, uptime } => (wall.load(Ordering::SeqCst), uptime.load(Ordering::SeqCst)),
        }
    }
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self::new(Source::Machine)
    }

    /// A clock that shows `at` and stands still until a test moves it.
    pub fn manual_at(at: Timestamp) -> Self {
        Self::new(Source::Manual { wall: AtomicI64::new(at.millis()), uptime: AtomicI64::new(0) })
    }

    fn new(source: Source) -> Self {
        let (wall, uptime) = source.read();
        let (jumped, returns) = Default::default();
        Self(Arc::new(State { source, offset: AtomicI64::new(wall - uptime), jumped, returns }))
    }

    /// The time of the appliance. It goes back by two seconds or more only when a step back is accepted.
    pub fn now(&self) -> Timestamp {
        let state = &*self.0;
        loop {
            let (wall, uptime) = state.source.read();
            let offset = state.offset.load(Ordering::SeqCst);
            let ahead = wall - uptime - offset;
            if ahead <= -BACK_MIN_MILLIS {
                return Timestamp::from_millis(uptime + offset);
            }
            if ahead <= 0 {
                return Timestamp::from_millis(wall);
            }
            // Another thread may have followed the clock meanwhile.
            let followed = state.offset.compare_exchange(offset, offset + ahead, Ordering::SeqCst, Ordering::SeqCst);
            if followed.is_ok() {
                if ahead >= FORWARD_MIN_MILLIS {
                    state.jumped.fetch_add(ahead, Ordering::SeqCst);
                }
                return Timestamp::from_millis(wall);
            }
        }
    }

    /// How long the machine has been running.
    pub fn uptime(&self) -> Duration {
        let (_, uptime) = self.0.source.read();
        Duration::from_millis(uptime.unsigned_abs())
    }

    /// How the clock of the machine was set since the last accepted step. `None`: it was not. Call it every second: it also
    /// forgets small differences.
    pub fn step(&self) -> Option<ClockStep> {
        self.now();
        let state = &*self.0;
        let jumped = state.jumped.load(Ordering::SeqCst);
        if jumped > 0 {
            return Some(ClockStep::from_millis(jumped));
        }
        let behind = || {
            let (wall, uptime) = state.source.read();
            uptime + state.offset.load(Ordering::SeqCst) - wall
        };
        let behind = (0..READINGS).map(|_| behind()).min().unwrap_or(0);
        if behind >= BACK_MIN_MILLIS {
            return Some(ClockStep::from_millis(-behind));
        }
        if behind > 0 {
            state.offset.fetch_sub(behind, Ordering::SeqCst);
        }
        None
    }

    /// Whether the clock was set forward and the step is not accepted yet.
    pub fn has_jumped(&self) -> bool {
        self.0.jumped.load(Ordering::SeqCst) > 0
    }

    /// Accepts a step that [`Clock::step`] reported. After a step back, the clock shows the time of the machine again.
    pub fn accept(&self, step: ClockStep) {
        match step {
            ClockStep::Forward(_) => {
                self.0.jumped.fetch_sub(step.millis(), Ordering::SeqCst);
            }
            ClockStep::Back(_) => {
                self.0.offset.fetch_add(step.millis(), Ordering::SeqCst);
                self.0.returns.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Takes [`Clock::accept`] back, because the step could not be recorded.
    pub fn refuse(&self, step: ClockStep) {
        match step {
            ClockStep::Forward(_) => {
                self.0.jumped.fetch_add(step.millis(), Ordering::SeqCst);
            }
            ClockStep::Back(_) => {
                self.0.offset.fetch_sub(step.millis(), Ordering::SeqCst);
            }
        }
    }

    /// How often a step back was accepted. A time that was kept to compare with is worthless after the next one.
    pub fn returns(&self) -> u64 {
        self.0.returns.load(Ordering::SeqCst)
    }

    /// Lets time pass on a manual clock. Does nothing to the clock of the machine.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { wall, uptime } = &self.0.source {
            let millis = ClockStep::Forward(by).millis();
            // The uptime first: a reader in between sees a step back that is gone when it reads again.
            uptime.fetch_add(millis, Ordering::SeqCst);
            wall.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock without letting time pass. Does nothing to the clock of the machine.
    pub fn set(&self, step: ClockStep) {
        if let Source::Manual { wall, .. } = &self.0.source {
            wall.fetch_add(step.millis(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{days, hours, seconds};
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_777_000_000_000);

    #[test]
    fn time_passes_without_a_step() {
        let clock = Clock::manual_at(START);
        clock.advance(days(400));

        assert_eq!((clock.now(), clock.step()), (START.plus(days(400)), None));
    }

    #[test]
    fn a_clock_that_is_set_forward_is_followed_and_reported_until_the_step_is_accepted() {
        let clock = Clock::manual_at(START);
        clock.set(ClockStep::Forward(hours(2)));

        assert_eq!(clock.now(), START.plus(hours(2)));
        assert!(clock.has_jumped());
        let step = clock.step().unwrap();
        assert_eq!(step, ClockStep::Forward(hours(2)));
        clock.accept(step);
        assert_eq!((clock.step(), clock.has_jumped(), clock.now()), (None, false, START.plus(hours(2))));
    }

    #[test]
    fn a_clock_that_is_set_back_continues_until_the_step_is_accepted() {
        let clock = Clock::manual_at(START);
        clock.set(ClockStep::Back(hours(1)));
        clock.advance(seconds(3));

        assert_eq!(clock.now(), START.plus(seconds(3)));
        let step = clock.step().unwrap();
        assert_eq!((step, clock.returns()), (ClockStep::Back(hours(1)), 0));
        clock.accept(step);
        assert_eq!((clock.now(), clock.step()), (START.plus(seconds(3)).minus(hours(1)), None));
        assert_eq!(clock.returns(), 1);
    }

    #[test]
    fn leap_seconds_do_not_add_up_to_a_step() {
        let clock = Clock::manual_at(START);
        for second in 1..5 {
            clock.set(ClockStep::Back(seconds(1)));
            assert_eq!((clock.now(), clock.step()), (START.minus(seconds(second)), None));
        }
        assert_eq!(clock.returns(), 0);
    }

    #[test]
    fn the_clock_of_the_machine_has_no_steps_by_itself() {
        let clock = Clock::system();
        let readings: Vec<_> = (0..10_000).map(|_| clock.now()).collect();

        assert!(readings.is_sorted());
        assert_eq!((clock.step(), clock.has_jumped()), (None, false));
    }
}
