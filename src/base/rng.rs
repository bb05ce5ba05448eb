//! Randomness. This is the only place that asks the operating system for it.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng, TryRng};
use zeroize::Zeroize;

/// How much is asked of the system at once by a source that is used more than once: a call costs as much as hundreds of
/// bytes.
const RESERVE_BYTES: usize = 512;

/// A source of random bytes: the operating system, or a seeded sequence in tests, so that a failing test can be
/// repeated.
pub struct Rng(Source);

enum Source {
    System(Reserve),
    Seeded(Box<StdRng>),
}

/// Bytes of the operating system that were not given out yet. What was given out is overwritten.
#[derive(Default)]
struct Reserve {
    bytes: Option<Box<[u8; RESERVE_BYTES]>>,
    left: usize,
    is_used: bool,
}

impl Reserve {
    fn fill(&mut self, buffer: &mut [u8]) {
        // Most sources are made for one key and dropped.
        if !std::mem::replace(&mut self.is_used, true) || buffer.len() > RESERVE_BYTES / 4 {
            return ask_system(buffer);
        }
        let bytes = self.bytes.get_or_insert_with(|| Box::new([0; RESERVE_BYTES]));
        if self.left < buffer.len() {
            ask_system(bytes.as_mut_slice());
            self.left = RESERVE_BYTES;
        }
        let given = &mut bytes[self.left - buffer.len()..self.left];
        buffer.copy_from_slice(given);
        given.zeroize();
        self.left -= buffer.len();
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Some(bytes) = &mut self.bytes {
            bytes.zeroize();
        }
    }
}

/// Fills `buffer`.
///
/// # Panics
/// If the operating system gives no random bytes.
fn ask_system(buffer: &mut [u8]) {
    // getrandom(2) fails only if the kernel lacks it. A key without randomness would be worse than a crash.
    #[allow(clippy::expect_used)]
    SysRng.try_fill_bytes(buffer).expect("the operating system gives randomness");
}

impl Rng {
    /// The operating system's randomness.
    pub fn system() -> Self {
        Self(Source::System(Reserve::default()))
    }

    /// A source that gives the same sequence for the same seed. For tests and demonstrations only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Box::new(StdRng::seed_from_u64(seed))))
    }

    /// A second source for another owner: independent of this one, and of the same kind.
    pub fn split(&mut self) -> Self {
        match &mut self.0 {
            Source::System(_) => Self::system(),
            Source::Seeded(rng) => Self::seeded(rng.next_u64()),
        }
    }

    /// Fills `buffer` with random bytes.
    ///
    /// # Panics
    /// If the operating system gives no random bytes: no operation may continue without them.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        match &mut self.0 {
            Source::System(reserve) => reserve.fill(buffer),
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

    #[test]
    fn a_source_never_gives_the_same_bytes_twice_and_keeps_none_that_it_gave() {
        let mut rng = Rng::system();
        let mut drawn: Vec<[u8; 16]> = (0..200).map(|_| rng.bytes()).collect();
        let Source::System(reserve) = &rng.0 else { unreachable!() };
        let bytes = reserve.bytes.as_ref().unwrap();
        assert!(bytes[reserve.left..].iter().all(|byte| *byte == 0));
        assert_eq!(rng.bytes::<200>().len(), 200);

        drawn.sort_unstable();
        drawn.dedup();

        assert_eq!(drawn.len(), 200);
        assert!(!drawn.contains(&[0; 16]));
    }
}
