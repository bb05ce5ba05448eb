//! Randomness: the only place that asks the machine for it.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng, TryRng};

/// Gives random bytes: the operating system's, or a seeded sequence in tests, so that a failing test fails again.
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

    /// The same sequence for the same seed. For tests and demonstrations only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Box::new(StdRng::seed_from_u64(seed))))
    }

    /// A source for somebody else: independent of this one, and as predictable or unpredictable as it.
    pub fn split(&mut self) -> Self {
        match &mut self.0 {
            Source::System => Self::system(),
            Source::Seeded(rng) => Self::seeded(rng.next_u64()),
        }
    }

    /// Fills `buffer` with random bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing of ours may go on without.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        match &mut self.0 {
            // getrandom(2) fails only where the kernel lacks it; a key made without randomness would be worse than a stop.
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

    /// A number in `0..limit`, each equally likely: values that would favour the low ones are drawn again.
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
    fn a_seed_repeats_and_the_machine_does_not() {
        assert_eq!(Rng::seeded(7).bytes::<16>(), Rng::seeded(7).bytes::<16>());
        assert_ne!(Rng::system().bytes::<16>(), Rng::system().bytes::<16>());
        assert!((0..1000).all(|_| Rng::system().below(6) < 6));
    }
}
