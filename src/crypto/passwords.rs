//! Hashes passwords (Argon2id) and checks new ones, on separate threads with low priority and a bounded queue, so that
//! many sign-ins at once neither exhaust the memory nor slow down key verification.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;

use super::permits::{Permit, Permits};
use super::{Password, PasswordFault, Strength};
use crate::base::{Problem, Rng, Secret};
use crate::threads;

/// The cost of a hash (RFC 9106 §3.1). The degree of parallelism is always 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl HashCost {
    /// The minimum that OWASP recommends for Argon2id: 19 MiB, two passes.
    pub const LEAST: Self = Self { memory_kib: 19 * 1024, passes: 2 };

    /// Memory that is filled, in KiB. The time of a hash is proportional to it.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }
}

const PARALLELISM: u32 = 1;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// The salt for an unknown account or one without a password: the same work, and never a match.
const DUMMY_SALT: &[u8; SALT_BYTES] = b"nobody's salt...";
/// Ratings of passwords at once, while people type. The rest of the queue is for people who sign in.
const CONCURRENT_RATINGS_MAX: usize = 8;

/// The queue is full. The caller is asked to try again in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub struct HashingBusy;

impl From<HashingBusy> for Problem {
    fn from(_: HashingBusy) -> Self {
        Problem::busy("signin_busy", "Too many people are signing in at the moment. Try again in a few seconds.", 2)
    }
}

/// The result of a password check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// The password is wrong, or the account has none.
    Wrong,
    /// The password is correct.
    Correct,
    /// The password is correct, and its stored hash costs less than the settings now require: the PHC string of a new
    /// hash.
    CorrectRehashed(String),
}

/// Why a new password was not accepted.
#[derive(Debug)]
pub enum NewPasswordError {
    /// It breaks a rule for new passwords.
    Fault(PasswordFault),
    /// It was not checked.
    Busy(HashingBusy),
}

impl PasswordCheck {
    /// Whether the password is correct.
    pub fn is_correct(&self) -> bool {
        !matches!(self, Self::Wrong)
    }
}

/// A task for a hashing thread.
type Work = Box<dyn FnOnce(&mut Hasher) + Send>;

/// The state of a hashing thread.
struct Hasher {
    cost: HashCost,
    rng: Rng,
    // Allocated with the first hash, so that a server without sign-ins does not need it. Then kept as long as the
    // thread runs, because page faults in new memory would take a third of the time of a hash.
    memory: Vec<Block>,
    filled_kib: Arc<AtomicU64>,
}

/// The threads that hash passwords.
pub struct PasswordPool {
    queue: SyncSender<Work>,
    permits: Permits,
    filled_kib: Arc<AtomicU64>,
    ratings: Arc<AtomicUsize>,
}

impl PasswordPool {
    /// Starts `threads` threads and a queue for at most `queue_max` waiting callers. New hashes cost `cost`.
    pub fn start(threads: usize, queue_max: usize, cost: HashCost) -> Self {
        let (queue, waiting) = sync_channel(queue_max);
        let waiting = Arc::new(Mutex::new(waiting));
        let filled_kib = Arc::new(AtomicU64::new(0));
        for number in 0..threads.max(1) {
            let (waiting, filled_kib) = (waiting.clone(), filled_kib.clone());
            let hasher = Hasher { cost, rng: Rng::system(), memory: Vec::new(), filled_kib };
            let run = move || run(&waiting, hasher);
            let started = std::thread::Builder::new().name(format!("hash-{number}")).spawn(run);
            if let Err(error) = started {
                tracing::error!(%error, "Could not start a hashing thread.");
            }
        }
        let permits = Permits::new(queue_max + threads.max(1));
        Self { queue, permits, filled_kib, ratings: Arc::new(AtomicUsize::new(0)) }
    }

    /// A permit to check a proof for `subject`. Waits until no other check for the same subject is running, so that
    /// attempts at the same moment count like attempts one after another. Acquire it before the throttle is read, and
    /// keep it until the result is stored.
    ///
    /// # Errors
    /// [`HashingBusy`] when as many callers as the pool accepts have a permit or wait for one. Nothing is read or stored for a
    /// caller that is refused.
    pub async fn permit(&self, subject: &str) -> Result<Permit, HashingBusy> {
        self.permits.acquire(subject).await
    }

    /// Checks a new password; see [`Password::parse`].
    ///
    /// # Errors
    /// [`NewPasswordError`].
    pub async fn parse(
        &self,
        text: Secret<String>,
        min_length: usize,
        context: Vec<String>,
    ) -> Result<Password, NewPasswordError> {
        let parse = move |_: &mut Hasher| Password::parse(text, min_length, &borrowed(&context));
        let parsed = self.submit(parse).map_err(NewPasswordError::Busy)?.await;
        parsed.map_err(|_| NewPasswordError::Busy(HashingBusy))?.map_err(NewPasswordError::Fault)
    }

    /// Rates a password while it is typed; see [`Password::rate`]. Runs only a few ratings at once.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn rate(
        &self,
        text: Secret<String>,
        min_length: usize,
        context: Vec<String>,
    ) -> Result<Strength, HashingBusy> {
        let _slot = RatingSlot::take(&self.ratings)?;
        let rate = move |_: &mut Hasher| Password::rate(&text, min_length, &borrowed(&context));
        self.submit(rate)?.await.map_err(|_| HashingBusy)
    }

    /// Hashes a new password. Answers the PHC string.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn hash(&self, password: &Password) -> Result<String, HashingBusy> {
        let password = password.normalised().clone();
        self.submit(move |hasher| hasher.hash(password.expose()))?.await.map_err(|_| HashingBusy)
    }

    /// Whether `typed` is the password of the hash `stored`. `None` takes the same time and is never a match. Text that
    /// is too long for a password is refused at once, for every account alike.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn verify(&self, typed: &Secret<String>, stored: Option<String>) -> Result<bool, HashingBusy> {
        let Some(typed) = super::password_rules::normalise(typed) else { return Ok(false) };
        self.submit(move |hasher| hasher.verify(typed.expose(), stored.as_deref()))?.await.map_err(|_| HashingBusy)
    }

    /// As [`PasswordPool::verify`]. If the password is correct and its hash costs less than the settings now require, a
    /// new hash is made: the password is known only at this moment.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn check(&self, typed: &Secret<String>, stored: Option<String>) -> Result<PasswordCheck, HashingBusy> {
        let Some(typed) = super::password_rules::normalise(typed) else { return Ok(PasswordCheck::Wrong) };
        let check = move |hasher: &mut Hasher| match (hasher.verify(typed.expose(), stored.as_deref()), stored) {
            (false, _) => PasswordCheck::Wrong,
            (true, Some(phc)) if hasher.is_weak(&phc) => PasswordCheck::CorrectRehashed(hasher.hash(typed.expose())),
            (true, _) => PasswordCheck::Correct,
        };
        self.submit(check)?.await.map_err(|_| HashingBusy)
    }

    /// As [`PasswordPool::hash`], for the command line.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub fn hash_and_wait(&self, password: &Password) -> Result<String, HashingBusy> {
        let password = password.normalised().clone();
        self.submit(move |hasher| hasher.hash(password.expose()))?.blocking_recv().map_err(|_| HashingBusy)
    }

    /// Memory that hashing has filled since the start, in KiB. Tests compare the cost of two requests with it, on any
    /// machine.
    pub fn filled_kib(&self) -> u64 {
        self.filled_kib.load(Ordering::Relaxed)
    }

    /// As [`PasswordPool::verify`], for the command line.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub fn verify_and_wait(&self, typed: &Secret<String>, stored: Option<String>) -> Result<bool, HashingBusy> {
        let Some(typed) = super::password_rules::normalise(typed) else { return Ok(false) };
        let verify = move |hasher: &mut Hasher| hasher.verify(typed.expose(), stored.as_deref());
        self.submit(verify)?.blocking_recv().map_err(|_| HashingBusy)
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, HashingBusy> {
        let (reply, result) = oneshot::channel();
        let work: Work = Box::new(move |hasher| drop(reply.send(work(hasher))));
        match self.queue.try_send(work) {
            Ok(()) => Ok(result),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(HashingBusy),
        }
    }
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// One of the slots for ratings. It is free again when it is dropped, also when the caller has gone away.
struct RatingSlot(Arc<AtomicUsize>);

impl RatingSlot {
    fn take(taken: &Arc<AtomicUsize>) -> Result<Self, HashingBusy> {
        let slot = Self(taken.clone());
        if taken.fetch_add(1, Ordering::Relaxed) < CONCURRENT_RATINGS_MAX { Ok(slot) } else { Err(HashingBusy) }
    }
}

impl Drop for RatingSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run(waiting: &Mutex<Receiver<Work>>, mut hasher: Hasher) {
    // Hashing uses only the processor time that verification leaves.
    threads::lower_priority(threads::LOWEST);
    loop {
        let next = match waiting.lock() {
            Ok(waiting) => waiting.recv(),
            Err(_) => return,
        };
        match next {
            Ok(work) => work(&mut hasher),
            Err(_) => return,
        }
    }
}

impl Hasher {
    fn hash(&mut self, password: &str) -> String {
        let salt: [u8; SALT_BYTES] = self.rng.bytes();
        let HashCost { memory_kib, passes } = self.cost;
        let digest = self.argon2id(password, &salt, (memory_kib, passes, PARALLELISM)).unwrap_or_default();
        let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={PARALLELISM}${salt}${digest}")
    }

    fn verify(&mut self, typed: &str, stored: Option<&str>) -> bool {
        let Some((cost, salt, expected)) = stored.and_then(parse) else {
            let HashCost { memory_kib, passes } = self.cost;
            self.argon2id(typed, DUMMY_SALT, (memory_kib, passes, PARALLELISM));
            return false;
        };
        let digest = self.argon2id(typed, &salt, cost);
        let is_correct = digest.is_some_and(|digest| Secret::new(digest.to_vec()).matches(&expected));
        if !is_correct {
            self.equalize_cost(typed, cost);
        }
        is_correct
    }

    /// Does the rest of the work after a wrong password for an older, cheaper hash, so that it takes as long as for an
    /// unknown account. Otherwise the time would tell which accounts exist and have not signed in since the cost was
    /// raised.
    fn equalize_cost(&mut self, typed: &str, (memory_kib, passes, _): Cost) {
        let rest = self.cost.work().saturating_sub(HashCost { memory_kib, passes }.work());
        let memory = u32::try_from(rest / u64::from(self.cost.passes.max(1))).unwrap_or(0);
        // Less than the minimum of Argon2 does nothing; so small a difference is not visible.
        self.argon2id(typed, DUMMY_SALT, (memory, self.cost.passes, PARALLELISM));
    }

    fn is_weak(&self, phc: &str) -> bool {
        parse(phc)
            .is_none_or(|((memory_kib, passes, _), _, _)| HashCost { memory_kib, passes }.work() < self.cost.work())
    }

    fn argon2id(&mut self, password: &str, salt: &[u8], cost: Cost) -> Option<[u8; HASH_BYTES]> {
        let digest = argon2id(password, salt, cost, &mut self.memory)?;
        let (memory_kib, passes, _) = cost;
        self.filled_kib.fetch_add(HashCost { memory_kib, passes }.work(), Ordering::Relaxed);
        Some(digest)
    }
}

type Cost = (u32, u32, u32);

/// Parses a PHC string in our form: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. `None`: any other form.
fn parse(phc: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let fields: Vec<&str> = phc.split('$').collect();
    let ["", "argon2id", "v=19", cost, salt, digest] = fields.as_slice() else { return None };
    let mut numbers =
        cost.split(',').zip(["m=", "t=", "p="]).map(|(field, name)| field.strip_prefix(name)?.parse().ok());
    let cost = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(digest).ok()?))
}

fn argon2id(password: &str, salt: &[u8], cost: Cost, memory: &mut Vec<Block>) -> Option<[u8; HASH_BYTES]> {
    let (kib, passes, parallelism) = cost;
    let params = Params::new(kib, passes, parallelism, Some(HASH_BYTES)).ok()?;
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::new());
    }
    let mut digest = [0u8; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut digest, memory.as_mut_slice())
        .ok()?;
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(Secret::new(text.to_owned()), 15, &[]).unwrap()
    }

    fn hasher(cost: HashCost) -> Hasher {
        Hasher { cost, rng: Rng::seeded(1), memory: Vec::new(), filled_kib: Arc::default() }
    }

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let pool = PasswordPool::start(1, 4, HashCost::LEAST);
        let stored = pool.hash_and_wait(&password("correct horse battery")).unwrap();
        let mut hasher = hasher(HashCost::LEAST);

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hasher.verify("correct horse battery", Some(&stored)));
        assert!(!hasher.verify("correct horse batterz", Some(&stored)));
        assert!(!hasher.verify("correct horse battery", None));
        assert!(!hasher.verify("x", Some("$argon2i$nonsense")));
        assert!(!hasher.is_weak(&stored));
    }

    #[test]
    fn a_wrong_password_for_an_older_hash_costs_as_much_as_for_an_unknown_account() {
        let stored = hasher(HashCost::LEAST).hash("correct horse battery");
        let mut dearer = hasher(HashCost { memory_kib: 40 * 1024, passes: 3 });

        assert!(dearer.is_weak(&stored) && dearer.verify("correct horse battery", Some(&stored)));
        let mut costs = |stored: Option<&str>| {
            let before = dearer.filled_kib.load(Ordering::Relaxed);
            assert!(!dearer.verify("another one entirely", stored));
            dearer.filled_kib.load(Ordering::Relaxed) - before
        };
        let (known, unknown) = (costs(Some(&stored)), costs(None));

        // The remaining difference is less than one pass over one more block.
        assert!(unknown - known < 3, "{known} for a known account, {unknown} for an unknown one");
    }

    #[test]
    fn ratings_are_limited_and_each_frees_its_slot() {
        let taken = Arc::new(AtomicUsize::new(0));
        let slots: Vec<_> = (0..CONCURRENT_RATINGS_MAX).map(|_| RatingSlot::take(&taken).unwrap()).collect();

        assert!(RatingSlot::take(&taken).is_err());
        drop(slots);
        assert_eq!(taken.load(Ordering::Relaxed), 0);
    }
}
