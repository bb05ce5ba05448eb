//! The throttle for guesses (safety P7): ask it before a proof is checked, and tell it when the proof was wrong.
//! `model/backoff.rs` has the table of buckets.

use std::time::Duration;

use super::super::model::{BACKOFF_MAX, Backoff, Bucket, RetryAfter, network_of};
use super::super::store;
use super::devices::is_known_device;
use crate::base::{AccountId, Actor};
use crate::db::{Error, Tx, View};

/// The buckets that count for one attempt to prove something.
///
/// ```text
/// let throttle = LoginThrottle::new(account)                a code, or a password from a person who is signed in
/// throttle.check(tx)?                                       before the proof is checked
/// throttle.note_failure(tx)?                                the proof was wrong; commit this
/// LoginThrottle::clear(tx, account, names)?                 with the new session, not after one of two factors
/// ```
/// Where a proof is checked outside the transaction, ask before and once more inside, and serialize on
/// [`LoginThrottle::serial_key`], so that concurrent tries count like tries in a row.
#[derive(Clone, Debug)]
pub struct LoginThrottle {
    /// Attempts with the same key are serialized.
    serial_key: String,
    /// `None`: the visitor is not trusted.
    trusted: Option<Bucket>,
    /// `None`: the proof is not a typed second factor.
    factor: Option<Bucket>,
    /// `None`: no name was typed.
    named: Option<NamedAttempt>,
    /// `None`: the network is unknown, or does not count for this attempt.
    network: Option<Bucket>,
}

/// An attempt that began with a typed name.
#[derive(Clone, Debug)]
struct NamedAttempt {
    /// Trimmed and in lower case.
    name: String,
    /// The bucket of the account, or of the name when no account has it.
    account: Bucket,
}

fn folded(typed: &str) -> String {
    typed.trim().to_lowercase()
}

impl LoginThrottle {
    /// The throttle for a typed name. `account`: the account that has the name. `None`: no account has it; the visitor
    /// cannot see the difference.
    ///
    /// # Errors
    /// [`Error`].
    pub fn for_name(view: &View<'_>, actor: &Actor, typed: &str, account: Option<AccountId>) -> Result<Self, Error> {
        let name = folded(typed);
        let trusted = match (account, actor.visitor()) {
            (Some(account), Some(visitor)) if is_known_device(view, account, visitor)? => {
                Some(Bucket::trusted(account))
            }
            _ => None,
        };
        let account = account.map_or_else(|| Bucket::unknown_name(&name), Bucket::account);
        let serial_key = account.key().to_owned();
        let network = network(actor);
        Ok(Self { serial_key, trusted, factor: None, named: Some(NamedAttempt { name, account }), network })
    }

    /// The throttle for a proof by a trusted visitor: a person who is signed in, who signed up with this browser, or
    /// whose first factor was right. Guesses by untrusted visitors do not slow a trusted visitor down.
    pub fn new(account: AccountId) -> Self {
        Self {
            serial_key: Bucket::account(account).key().to_owned(),
            trusted: Some(Bucket::trusted(account)),
            factor: None,
            named: None,
            network: None,
        }
    }

    /// As [`LoginThrottle::new`], for a typed second factor. It has one more bucket, which only a complete sign-in
    /// clears: otherwise an attacker with the mailbox could set a new password each quarter of an hour and get as many
    /// new guesses at codes.
    pub fn for_factor(account: AccountId) -> Self {
        Self { factor: Some(Bucket::factor(account)), ..Self::new(account) }
    }

    /// For unguessable proofs with no known account, such as links: throttle by network only.
    pub fn for_network(actor: &Actor) -> Self {
        Self { serial_key: String::new(), trusted: None, factor: None, named: None, network: network(actor) }
    }

    /// The key on which concurrent attempts are serialized.
    pub fn serial_key(&self) -> &str {
        &self.serial_key
    }

    /// How long this visitor must wait, as they may be told. `None`: they need not wait; ask
    /// [`LoginThrottle::is_silently_refused`] next.
    ///
    /// The answer to an unknown browser depends only on the typed name and on its own network. So it does not tell
    /// whether an account has the name, or which names and addresses belong to the same account.
    ///
    /// # Errors
    /// [`Error`].
    pub fn must_wait(&self, view: &View<'_>) -> Result<Option<RetryAfter>, Error> {
        let trusted = self.trusted_wait(view)?;
        if self.trusted.is_some() && trusted.is_none() {
            return Ok(None);
        }
        let network = wait_of(view, self.network.as_ref())?;
        let Some(named) = &self.named else { return Ok(trusted.max(network).map(RetryAfter::from_wait)) };
        let untrusted = wait_of(view, Some(&Bucket::name(&named.name)))?.max(network);
        if self.trusted.is_none() {
            return Ok(untrusted.map(RetryAfter::from_wait));
        }
        // A known browser may also do what an unknown one may. It may be told about the account, which is its person's.
        let untrusted = untrusted.max(wait_of(view, Some(&named.account))?);
        Ok(trusted.zip(untrusted).map(|(trusted, untrusted)| trusted.min(untrusted)).map(RetryAfter::from_wait))
    }

    /// Refuses a visitor who must wait; see [`LoginThrottle::must_wait`].
    ///
    /// # Errors
    /// [`RetryAfter`] as `E`, and what the store refuses.
    pub fn check<E: From<RetryAfter> + From<Error>>(&self, view: &View<'_>) -> Result<(), E> {
        self.must_wait(view)?.map_or(Ok(()), |wait| Err(wait.into()))
    }

    /// Whether a proof by this visitor is refused without a check and without saying so, because there were too many
    /// tries with other names of the account. The answer is the one for a wrong proof.
    ///
    /// # Errors
    /// [`Error`].
    pub fn is_silently_refused(&self, view: &View<'_>) -> Result<bool, Error> {
        match &self.named {
            Some(named) if self.trusted.is_none() => Ok(wait_of(view, Some(&named.account))?.is_some()),
            _ => Ok(false),
        }
    }

    fn trusted_wait(&self, view: &View<'_>) -> Result<Option<Duration>, Error> {
        Ok(wait_of(view, self.trusted.as_ref())?.max(wait_of(view, self.factor.as_ref())?))
    }

    /// Counts a wrong proof: in the trusted bucket where the visitor may use it, otherwise in the buckets of the name,
    /// the account and the network. A name without an account costs as many statements. A proof that was not checked
    /// counts in the bucket of an unknown name instead of the account's: it says nothing about the account, and
    /// otherwise an attacker who tries all names of a person could close the account's bucket for a day.
    ///
    /// # Errors
    /// [`Error`].
    pub fn note_failure(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let is_trusted = self.trusted.is_some() && (self.named.is_none() || self.trusted_wait(tx)?.is_none());
        if is_trusted {
            count_in(tx, self.trusted.as_ref(), Backoff::PROOF)?;
            return count_in(tx, self.factor.as_ref(), Backoff::PROOF);
        }
        if let Some(named) = &self.named {
            let unchecked = self.is_silently_refused(tx)?.then(|| Bucket::unknown_name(&named.name));
            count_in(tx, Some(&Bucket::name(&named.name)), Backoff::PROOF)?;
            count_in(tx, Some(unchecked.as_ref().unwrap_or(&named.account)), Backoff::PROOF)?;
        }
        count_in(tx, self.network.as_ref(), Backoff::NETWORK)
    }

    /// Forgets the failures of the account, because its person proved everything that is required. `names`: the names
    /// with which they can sign in. The failures of the network stay: otherwise an attacker could sign in to their own
    /// account between guesses to clear them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn clear<'n>(
        tx: &mut Tx<'_>,
        account: AccountId,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), Error> {
        forget(tx, &Bucket::factor(account))?;
        Self::clear_first_factor(tx, account, names)
    }

    /// As [`LoginThrottle::clear`], for a proof that replaces only the first factor: wrong second factors still count.
    ///
    /// # Errors
    /// [`Error`].
    pub fn clear_first_factor<'n>(
        tx: &mut Tx<'_>,
        account: AccountId,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), Error> {
        for name in names {
            forget(tx, &Bucket::name(&folded(name)))?;
        }
        forget(tx, &Bucket::trusted(account))?;
        forget(tx, &Bucket::account(account))
    }
}

fn network(actor: &Actor) -> Option<Bucket> {
    network_of(&actor.visitor()?.address).map(|network| Bucket::network(&network))
}

/// Buckets are stored by a keyed digest: the table names no person.
fn digest_of(view: &View<'_>, bucket: &Bucket) -> [u8; 32] {
    view.site().keyring.lookup(format!("throttle:{}", bucket.key()).as_bytes())
}

/// `None`: there is nothing to wait for, or no bucket.
fn wait_of(view: &View<'_>, bucket: Option<&Bucket>) -> Result<Option<Duration>, Error> {
    let Some(bucket) = bucket else { return Ok(None) };
    let until = store::find_throttle(view, &digest_of(view, bucket))?;
    let wait = until.map(|until| until.since(view.now()));
    // No wait is longer than the maximum: a longer one was stored before the clock was set back.
    Ok(wait.filter(|wait| !wait.is_zero() && *wait <= BACKOFF_MAX))
}

fn count_in(tx: &mut Tx<'_>, bucket: Option<&Bucket>, backoff: Backoff) -> Result<(), Error> {
    let Some(bucket) = bucket else { return Ok(()) };
    let digest = digest_of(tx, bucket);
    let failures = store::count_failure(tx, &digest, backoff.forgets_one_after)?;
    let until = tx.now().plus(backoff.wait_after(failures));
    store::update_throttle(tx, &digest, until)
}

fn forget(tx: &mut Tx<'_>, bucket: &Bucket) -> Result<(), Error> {
    let digest = digest_of(tx, bucket);
    store::delete_throttle(tx, &digest)
}

/// How long to wait before the next request of this kind, such as a request for a mail. `None`: it may be made now.
///
/// # Errors
/// [`Error`].
pub fn request_wait(view: &View<'_>, what: &str) -> Result<Option<RetryAfter>, Error> {
    Ok(wait_of(view, Some(&Bucket::request(what)))?.map(RetryAfter::from_wait))
}

/// Counts a request of this kind; see [`request_wait`].
///
/// # Errors
/// [`Error`].
pub fn count_request(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    count_in(tx, Some(&Bucket::request(what)), Backoff::REQUEST)
}
