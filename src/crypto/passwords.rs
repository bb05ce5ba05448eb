//! Passwords on threads of their own, at low priority and with a bounded queue, so that a rush of sign-ins neither eats the
//! memory nor slows key verification: hashing (Argon2id) and the check of new ones.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;

use super::turns::{Turn, Turns};
use super::{Password, PasswordFault, Strength};
use crate::base::{Problem, Rng, Secret};
use crate::threads;

/// What a hash costs whoever makes one (RFC 9106 §3.1), on one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl HashCost {
    /// OWASP's least for Argon2id: 19 MiB, two passes.
    pub const LEAST: Self = Self { memory_kib: 19 * 1024, passes: 2 };

    /// Blocks of memory that are filled, which is what takes the time.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }
}

const LANES: u32 = 1;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// The salt of a person without an account or a password: the same work, never a match.
const NOBODYS_SALT: &[u8; SALT_BYTES] = b"nobody's salt...";
/// Passwords that are rated at once while somebody types: they leave the queue to those who sign in.
const RATED_AT_ONCE_MAX: usize = 8;

/// The queue is full: the caller is told to come back in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub struct HashingBusy;

impl From<HashingBusy> for Problem {
    fn from(_: HashingBusy) -> Self {
        Problem::busy("signin_busy", "Too many people are signing in at this moment. Try again in a few seconds.", 2)
    }
}

/// How a password was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is another one, or there is none.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, and its hash is weaker than the site now wants: the PHC string of a better one.
    RightAndRenewed(String),
}

impl Checked {
    /// Whether it is the one.
    pub fn is_right(&self) -> bool {
        !matches!(self, Self::Wrong)
    }
}

/// What there is to do, with the tools of a thread.
type Work = Box<dyn FnOnce(&mut Bench) + Send>;

/// What a hashing thread works with.
struct Bench {
    cost: HashCost,
    rng: Rng,
    // Taken with the first hash, so that a server where nobody signs in does without; then kept for the thread's life,
    // because fresh memory costs a third of the time in page faults.
    memory: Vec<Block>,
    filled_kib: Arc<AtomicU64>,
}

/// The threads that hash.
pub struct PasswordPool {
    queue: SyncSender<Work>,
    turns: Turns,
    filled_kib: Arc<AtomicU64>,
    rated: Arc<AtomicUsize>,
}

impl PasswordPool {
    /// Starts `threads` threads with room for `queue_max` waiting callers; new hashes cost `cost`.
    pub fn start(threads: usize, queue_max: usize, cost: HashCost) -> Self {
        let (queue, waiting) = sync_channel(queue_max);
        let waiting = Arc::new(Mutex::new(waiting));
        let filled_kib = Arc::new(AtomicU64::new(0));
        for number in 0..threads.max(1) {
            let (waiting, filled_kib) = (waiting.clone(), filled_kib.clone());
            let bench = Bench { cost, rng: Rng::system(), memory: Vec::new(), filled_kib };
            let work = move || work(&waiting, bench);
            let started = std::thread::Builder::new().name(format!("hash-{number}")).spawn(work);
            if let Err(error) = started {
                tracing::error!(%error, "A hashing thread could not be started.");
            }
        }
        let turns = Turns::new(queue_max + threads.max(1));
        Self { queue, turns, filled_kib, rated: Arc::new(AtomicUsize::new(0)) }
    }

    /// A turn to have a proof of `about` checked: waits until no other one is under way, so that tries at the same moment are
    /// no more than tries in a row. Take it before looking whether somebody must wait, and keep it until the outcome is written.
    ///
    /// # Errors
    /// [`HashingBusy`] when as many as the pool takes have turns or wait for one: nothing more is read, or remembered, of
    /// those who are told to come back.
    pub async fn turn(&self, about: &str) -> Result<Turn, HashingBusy> {
        self.turns.take(about).await
    }

    /// Checks a new password; see [`Password::parse`].
    ///
    /// # Errors
    /// [`HashingBusy`]; the inner result is the password's own.
    pub async fn parse(
        &self,
        text: Secret<String>,
        min_length: usize,
        context: Vec<String>,
    ) -> Result<Result<Password, PasswordFault>, HashingBusy> {
        let parse = move |_: &mut Bench| Password::parse(text, min_length, &borrowed(&context));
        self.submit(parse)?.await.map_err(|_| HashingBusy)
    }

    /// Rates what somebody types; see [`Password::rate`]. A few at once only.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn rate(
        &self,
        text: Secret<String>,
        min_length: usize,
        context: Vec<String>,
    ) -> Result<Strength, HashingBusy> {
        let _place = Place::take(&self.rated)?;
        let rate = move |_: &mut Bench| Password::rate(&text, min_length, &borrowed(&context));
        self.submit(rate)?.await.map_err(|_| HashingBusy)
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn hash(&self, password: &Password) -> Result<String, HashingBusy> {
        let password = password.normalised().clone();
        self.submit(move |bench| bench.hash(password.expose()))?.await.map_err(|_| HashingBusy)
    }

    /// Whether `typed` is the password behind `stored`. `None` costs as much and is never a match. What is too long for a
    /// password costs nothing, whoever is asked about, and is none.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn verify(&self, typed: &Secret<String>, stored: Option<String>) -> Result<bool, HashingBusy> {
        let Some(typed) = super::password_rules::normalise(typed) else { return Ok(false) };
        self.submit(move |bench| bench.verify(typed.expose(), stored.as_deref()))?.await.map_err(|_| HashingBusy)
    }

    /// As [`PasswordPool::verify`]; where the password is right and its hash weaker than the site now wants, a better one is
    /// made from it, because nobody else ever knows the password.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn check(&self, typed: &Secret<String>, stored: Option<String>) -> Result<Checked, HashingBusy> {
        let Some(typed) = super::password_rules::normalise(typed) else { return Ok(Checked::Wrong) };
        let check = move |bench: &mut Bench| match (bench.verify(typed.expose(), stored.as_deref()), stored) {
            (false, _) => Checked::Wrong,
            (true, Some(phc)) if bench.is_weak(&phc) => Checked::RightAndRenewed(bench.hash(typed.expose())),
            (true, _) => Checked::Right,
        };
        self.submit(check)?.await.map_err(|_| HashingBusy)
    }

    /// As [`PasswordPool::hash`], for the command line.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub fn hash_and_wait(&self, password: &Password) -> Result<String, HashingBusy> {
        let password = password.normalised().clone();
        self.submit(move |bench| bench.hash(password.expose()))?.blocking_recv().map_err(|_| HashingBusy)
    }

    /// KiB of memory that hashing has filled since the start: to compare what two requests cost, on any machine.
    pub fn filled_kib(&self) -> u64 {
        self.filled_kib.load(Ordering::Relaxed)
    }

    /// As [`PasswordPool::verify`], for the command line.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub fn verify_and_wait(&self, typed: &Secret<String>, stored: Option<String>) -> Result<bool, HashingBusy> {
        let Some(typed) = super::password_rules::normalise(typed) else { return Ok(false) };
        let verify = move |bench: &mut Bench| bench.verify(typed.expose(), stored.as_deref());
        self.submit(verify)?.blocking_recv().map_err(|_| HashingBusy)
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Bench) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, HashingBusy> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |bench| drop(reply.send(work(bench))));
        match self.queue.try_send(work) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(HashingBusy),
        }
    }
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// One of the few places for ratings; free again when it is dropped, also where the caller went away.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Result<Self, HashingBusy> {
        let place = Self(taken.clone());
        if taken.fetch_add(1, Ordering::Relaxed) < RATED_AT_ONCE_MAX { Ok(place) } else { Err(HashingBusy) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn work(waiting: &Mutex<Receiver<Work>>, mut bench: Bench) {
    // Hashing takes what verification leaves over.
    threads::step_back(threads::LAST);
    loop {
        let next = match waiting.lock() {
            Ok(waiting) => waiting.recv(),
            Err(_) => return,
        };
        match next {
            Ok(work) => work(&mut bench),
            Err(_) => return,
        }
    }
}

impl Bench {
    fn hash(&mut self, password: &str) -> String {
        let salt: [u8; SALT_BYTES] = self.rng.bytes();
        let HashCost { memory_kib, passes } = self.cost;
        let digest = self.argon2id(password, &salt, (memory_kib, passes, LANES)).unwrap_or_default();
        let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={LANES}${salt}${digest}")
    }

    fn verify(&mut self, typed: &str, stored: Option<&str>) -> bool {
        let found = stored.and_then(parse);
        let Some((cost, salt, expected)) = found else {
            let HashCost { memory_kib, passes } = self.cost;
            self.argon2id(typed, NOBODYS_SALT, (memory_kib, passes, LANES));
            return false;
        };
        let digest = self.argon2id(typed, &salt, cost);
        let is_right = digest.is_some_and(|digest| Secret::new(digest.to_vec()).matches(&expected));
        if !is_right {
            self.fill_up(typed, cost);
        }
        is_right
    }

    /// A wrong password for a hash of earlier times costs what one for nobody costs, or the difference would tell who is here
    /// and has not signed in since the cost was raised.
    fn fill_up(&mut self, typed: &str, (memory_kib, passes, _): Cost) {
        let rest = self.cost.work().saturating_sub(HashCost { memory_kib, passes }.work());
        let memory = u32::try_from(rest / u64::from(self.cost.passes.max(1))).unwrap_or(0);
        // Below the least that Argon2 takes, there is nothing to make up for.
        self.argon2id(typed, NOBODYS_SALT, (memory, self.cost.passes, LANES));
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

/// A PHC string of ours: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. `None`: something else.
fn parse(phc: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let fields: Vec<&str> = phc.split('$').collect();
    let ["", "argon2id", "v=19", cost, salt, digest] = fields.as_slice() else { return None };
    let mut numbers =
        cost.split(',').zip(["m=", "t=", "p="]).map(|(field, name)| field.strip_prefix(name)?.parse().ok());
    let cost = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(digest).ok()?))
}

fn argon2id(password: &str, salt: &[u8], cost: Cost, memory: &mut Vec<Block>) -> Option<[u8; HASH_BYTES]> {
    let (kib, passes, lanes) = cost;
    let params = Params::new(kib, passes, lanes, Some(HASH_BYTES)).ok()?;
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

    fn bench(cost: HashCost) -> Bench {
        Bench { cost, rng: Rng::seeded(1), memory: Vec::new(), filled_kib: Arc::default() }
    }

    #[test]
    fn a_password_is_known_again_and_nobody_has_one() {
        let pool = PasswordPool::start(1, 4, HashCost::LEAST);
        let stored = pool.hash_and_wait(&password("correct horse battery")).unwrap();
        let mut bench = bench(HashCost::LEAST);

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(bench.verify("correct horse battery", Some(&stored)));
        assert!(!bench.verify("correct horse batterz", Some(&stored)));
        assert!(!bench.verify("correct horse battery", None));
        assert!(!bench.verify("x", Some("$argon2i$nonsense")));
        assert!(!bench.is_weak(&stored));
    }

    #[test]
    fn a_hash_of_earlier_times_is_weak_and_its_wrong_password_costs_as_much_as_nobodys() {
        let stored = bench(HashCost::LEAST).hash("correct horse battery");
        let mut dearer = bench(HashCost { memory_kib: 40 * 1024, passes: 3 });

        assert!(dearer.is_weak(&stored) && dearer.verify("correct horse battery", Some(&stored)));
        let mut costs = |stored: Option<&str>| {
            let before = dearer.filled_kib.load(Ordering::Relaxed);
            assert!(!dearer.verify("another one entirely", stored));
            dearer.filled_kib.load(Ordering::Relaxed) - before
        };
        let (known, nobody) = (costs(Some(&stored)), costs(None));

        // What is left over is less than a pass over one block more.
        assert!(nobody - known < 3, "{known} for a known person, {nobody} for nobody");
    }

    #[test]
    fn few_are_rated_at_once_and_each_gives_its_place_back() {
        let taken = Arc::new(AtomicUsize::new(0));
        let places: Vec<_> = (0..RATED_AT_ONCE_MAX).map(|_| Place::take(&taken).unwrap()).collect();

        assert!(Place::take(&taken).is_err());
        drop(places);
        assert_eq!(taken.load(Ordering::Relaxed), 0);
    }
}
