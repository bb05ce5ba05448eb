//! Password hashing: Argon2id on threads of its own, at low priority and with a bounded queue, so that a rush of sign-ins
//! neither eats the memory nor slows key verification.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;

use super::Password;
use crate::base::{Chance, Problem, Secret};

/// OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// The lowest priority: hashing takes what verification leaves over.
const NICE: i32 = 19;
/// What a person without an account or a password is compared with: the same work, never a match.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdC4u$bm9ib2R5IGhhcyB0aGlzIHBhc3N3b3JkIGF0IGFsbC4";

/// The queue is full: the caller is told to come back in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub struct HashingBusy;

impl From<HashingBusy> for Problem {
    fn from(_: HashingBusy) -> Self {
        Problem::busy("signin_busy", "Too many people are signing in at this moment. Try again in a few seconds.", 2)
    }
}

enum Work {
    Hash(Secret<String>, oneshot::Sender<String>),
    Verify(Secret<String>, Option<String>, oneshot::Sender<bool>),
}

/// The threads that hash.
pub struct PasswordPool {
    queue: SyncSender<Work>,
}

impl PasswordPool {
    /// Starts `threads` threads with room for `queue_max` waiting callers.
    pub fn start(threads: usize, queue_max: usize) -> Self {
        let (queue, waiting) = sync_channel(queue_max);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let waiting = waiting.clone();
            let started = std::thread::Builder::new().name(format!("hash-{number}")).spawn(move || work(&waiting));
            if let Err(error) = started {
                tracing::error!(%error, "A hashing thread could not be started.");
            }
        }
        Self { queue }
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn hash(&self, password: &Password) -> Result<String, HashingBusy> {
        let (reply, answer) = oneshot::channel();
        self.submit(Work::Hash(password.normalised().clone(), reply))?;
        answer.await.map_err(|_| HashingBusy)
    }

    /// Whether `typed` is the password behind `stored`. `None` costs as much and is never a match.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub async fn verify(&self, typed: &Secret<String>, stored: Option<String>) -> Result<bool, HashingBusy> {
        let (reply, answer) = oneshot::channel();
        self.submit(Work::Verify(super::password_rules::normalise(typed), stored, reply))?;
        answer.await.map_err(|_| HashingBusy)
    }

    /// As [`PasswordPool::hash`], for the command line.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub fn hash_and_wait(&self, password: &Password) -> Result<String, HashingBusy> {
        let (reply, answer) = oneshot::channel();
        self.submit(Work::Hash(password.normalised().clone(), reply))?;
        answer.blocking_recv().map_err(|_| HashingBusy)
    }

    /// As [`PasswordPool::verify`], for the command line.
    ///
    /// # Errors
    /// [`HashingBusy`].
    pub fn verify_and_wait(&self, typed: &Secret<String>, stored: Option<String>) -> Result<bool, HashingBusy> {
        let (reply, answer) = oneshot::channel();
        self.submit(Work::Verify(super::password_rules::normalise(typed), stored, reply))?;
        answer.blocking_recv().map_err(|_| HashingBusy)
    }

    fn submit(&self, work: Work) -> Result<(), HashingBusy> {
        self.queue.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => HashingBusy,
        })
    }
}

fn work(waiting: &Mutex<Receiver<Work>>) {
    // On Linux this is the priority of the calling thread alone. Without it hashing still works, only less politely.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "The hashing thread keeps its priority.");
    }
    let mut chance = Chance::system();
    // Taken with the first hash, so that a server where nobody signs in does without; then kept for the thread's life,
    // because fresh memory costs a third of the time in page faults.
    let mut memory = Vec::new();
    loop {
        let next = match waiting.lock() {
            Ok(waiting) => waiting.recv(),
            Err(_) => return,
        };
        match next {
            Ok(Work::Hash(password, reply)) => {
                let _ = reply.send(hash(password.expose(), &mut chance, &mut memory));
            }
            Ok(Work::Verify(typed, stored, reply)) => {
                let _ = reply.send(verify(typed.expose(), stored.as_deref(), &mut memory));
            }
            Err(_) => return,
        }
    }
}

fn hash(password: &str, chance: &mut Chance, memory: &mut Vec<Block>) -> String {
    let salt: [u8; SALT_BYTES] = chance.bytes();
    let digest = argon2id(password, &salt, (MEMORY_KIB, PASSES, LANES), memory).unwrap_or_default();
    format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(digest)
    )
}

fn verify(typed: &str, stored: Option<&str>, memory: &mut Vec<Block>) -> bool {
    let compare = |phc: &str, memory: &mut Vec<Block>| -> Option<bool> {
        let (cost, salt, expected) = parse(phc)?;
        let digest = argon2id(typed, &salt, cost, memory)?;
        Some(Secret::new(digest.to_vec()).matches(&expected))
    };
    match stored {
        Some(phc) => compare(phc, memory).unwrap_or(false),
        None => {
            compare(NOBODYS, memory);
            false
        }
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

    #[test]
    fn a_password_is_known_again_and_nobody_has_one() {
        let pool = PasswordPool::start(1, 4);
        let stored = pool.hash_and_wait(&password("correct horse battery")).unwrap();
        let mut memory = Vec::new();

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse battery", Some(&stored), &mut memory));
        assert!(!verify("correct horse batterz", Some(&stored), &mut memory));
        assert!(!verify("correct horse battery", None, &mut memory));
        assert!(!verify("x", Some("$argon2i$nonsense"), &mut memory));
        assert!(parse(NOBODYS).is_some());
    }
}
