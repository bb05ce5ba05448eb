//! Randomness. This is the only place that asks the operating system for it.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng, TryRng};

/// A source of random bytes: the operating system, or a seeded sequence in tests, so that a failing test can be
/// repeated.
pub struct Rng(Source);

enum Source {
    System,
    Seeded(Box<StdRng>),
}

impl Rng {
    /// The operating system's randomness.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A source that gives the same sequence for the same seed. For tests and demonstrations only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Box::new(StdRng::seed_from_u64(seed))))
    }

    /// A second source for another owner: independent of this one, and of the same kind.
    pub fn split(&mut self) -> Self {
        match &mut self.0 {
            Source::System => Self::system(),
            Source::Seeded(rng) => Self::seeded(rng.next_u64()),
        }
    }

    /// Fills `buffer` with random bytes.
    ///
    /// # Panics
    /// If the operating system gives no random bytes: no operation may continue without them.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        match &mut self.0 {
            // getrandom(2) fails only if the kernel lacks it. A key without randomness would be worse than a crash.
            #[allow(clippy::expect_used)]
            Source::System => SysRng.try_fill_bytes(buffer).expect("the operating system gives randomness"),
            Source::Seeded(rng) => rng.fill_bytes(buffer),
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0u8; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A uniformly distributed number in `0..limit`: draws again when a value would favour low numbers.
    pub fn below(&mut self, limit: u32) -> u32 {
        let limit = limit.max(1);
        let fair_end = u32::MAX - u32::MAX % limit;
        loop {
            let drawn = u32::from_be_bytes(self.bytes());
            if drawn < fair_end {
                return drawn % limit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_source_repeats_and_the_system_source_does_not() {
        assert_eq!(Rng::seeded(7).bytes::<16>(), Rng::seeded(7).bytes::<16>());
        assert_ne!(Rng::system().bytes::<16>(), Rng::system().bytes::<16>());
        assert!((0..1000).all(|_| Rng::system().below(6) < 6));
    }
}
