//! The guard against guesses (safety P7): asked before a proof is looked at, told when it was wrong. See `model/pauses.rs`.

use std::time::Duration;

use super::super::model::{PAUSE_MAX, Pace, Throttled, network_of};
use super::super::store;
use super::devices::is_known_device;
use crate::base::{AccountId, Actor};
use crate::db::{Error, Tx, View};

/// Who tries to prove what, as far as it decides about waiting.
///
/// ```text
/// let guard = Guard::of(tx, actor, account)?;          a code, a passkey, a password typed once more
/// if let Some(throttled) = guard.must_wait(tx)? { .. } before the proof is looked at
/// guard.note_failure(tx)?                               it was wrong; commit this
/// guard.clear(tx)?                                      somebody is in: with the session, not with one of two factors
/// ```
/// Where a proof is checked outside the transaction, ask before and once more inside, and take a turn
/// (`PasswordPool::turn`), so that tries at the same moment are no more than tries in a row.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What was typed by somebody who is nobody yet, folded.
    typed: Option<String>,
    /// The lane of the account, or of the name that has none. `None`: a proof that says by itself whose it is.
    account: Option<String>,
    /// The lane beside it, where the visitor may use it.
    known: Option<String>,
    /// The lane of the account's second factors, for proofs that are one.
    factor: Option<String>,
    network: Option<String>,
}

fn folded(typed: &str) -> String {
    typed.trim().to_lowercase()
}

impl Guard {
    /// Somebody typed a name. `account`: whose it is; `None`: nobody's, which is answered alike.
    ///
    /// # Errors
    /// [`Error`].
    pub fn at_the_door(view: &View<'_>, actor: &Actor, typed: &str, account: Option<AccountId>) -> Result<Self, Error> {
        let typed = folded(typed);
        let guard = match account {
            Some(account) => Self::of(view, actor, account)?,
            None => Self {
                typed: None,
                account: Some(nobody_lane(&typed)),
                known: None,
                factor: None,
                network: network(actor),
            },
        };
        Ok(Self { typed: Some(typed), ..guard })
    }

    /// A proof about an account that is known already: by a session, or by the first of two factors.
    ///
    /// # Errors
    /// [`Error`].
    pub fn of(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Self, Error> {
        let is_known = match actor {
            Actor::SignedIn { account: own, .. } => *own == account,
            Actor::Stranger(visitor) => is_known_device(view, account, visitor)?,
            Actor::KeyHolder { .. } | Actor::Service { .. } | Actor::Operator | Actor::House => false,
        };
        let guard = Self::of_known(actor, account);
        Ok(Self { known: guard.known.filter(|_| is_known), ..guard })
    }

    /// A proof by somebody who is on the way in and of whom we know something already, such as that they signed up with this
    /// browser: strangers who guess at the account do not hold them up.
    pub fn of_known(actor: &Actor, account: AccountId) -> Self {
        let known = Some(format!("known:{account}"));
        Self { typed: None, account: Some(format!("account:{account}")), known, factor: None, network: network(actor) }
    }

    /// A second factor that is typed: by somebody whose first one was right, or who is signed in, or at the command line. In a
    /// lane of its own besides, which only somebody who is in empties: a mailbox that sets a new password each quarter of an
    /// hour must not buy as many guesses at codes.
    pub fn of_factor(actor: &Actor, account: AccountId) -> Self {
        Self { factor: Some(factor_lane(account)), ..Self::of_known(actor, account) }
    }

    /// A proof that is too long to be guessed and about nobody who is known before it is found right, such as a link.
    pub fn of_network(actor: &Actor) -> Self {
        Self { typed: None, account: None, known: None, factor: None, network: network(actor) }
    }

    /// What tries at the same moment take turns about.
    pub fn about(&self) -> &str {
        self.account.as_deref().unwrap_or_default()
    }

    /// How long this visitor must wait, as they may be told. `None`: go on, and ask [`Guard::is_silent`].
    ///
    /// What somebody who typed a name is told hangs on that name and their own network alone, so that it tells nothing about
    /// which names and addresses belong together, or to anybody.
    ///
    /// # Errors
    /// [`Error`].
    pub fn must_wait(&self, view: &View<'_>) -> Result<Option<Throttled>, Error> {
        let account = self.wait_for_account(view)?;
        if let Some(known) = &self.known {
            let beside = wait_in(view, known)?;
            let both = account.zip(beside).map(|(account, beside)| account.min(beside));
            let factor = self.factor.as_deref().map(|factor| wait_in(view, factor)).transpose()?.flatten();
            return Ok(both.max(factor).map(told));
        }
        let network = self.network.as_deref().map(|network| wait_in(view, network)).transpose()?.flatten();
        let own = match &self.typed {
            Some(typed) => wait_in(view, &name_lane(typed))?,
            None => account,
        };
        Ok(own.max(network).map(told))
    }

    /// Whether a proof by this visitor is not looked at, and is answered as if it were wrong: too many were tried at the
    /// account under its other names.
    ///
    /// # Errors
    /// [`Error`].
    pub fn is_silent(&self, view: &View<'_>) -> Result<bool, Error> {
        Ok(self.typed.is_some() && self.known.is_none() && self.wait_for_account(view)?.is_some())
    }

    fn wait_for_account(&self, view: &View<'_>) -> Result<Option<Duration>, Error> {
        Ok(self.account.as_deref().map(|account| wait_in(view, account)).transpose()?.flatten())
    }

    /// Counts a wrong proof, in every lane at once. As many statements for a name that nobody has, and for a proof that was
    /// not looked at: that one says nothing about the account, whose lane would else be closed for a day by whoever goes
    /// through its names.
    ///
    /// # Errors
    /// [`Error`].
    pub fn note_failure(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let name = self.typed.as_deref().map(name_lane);
        let is_unseen = self.is_silent(tx)?;
        let unseen = self.typed.as_deref().filter(|_| is_unseen).map(nobody_lane);
        let lanes = [
            (name.as_deref(), Pace::PROOF),
            (unseen.as_deref().or(self.account.as_deref()), Pace::PROOF),
            (self.known.as_deref(), Pace::KNOWN),
            (self.factor.as_deref(), Pace::PROOF),
            (self.network.as_deref(), Pace::NETWORK),
        ];
        lanes.into_iter().try_for_each(|(lane, pace)| lane.map_or(Ok(()), |lane| count_in(tx, lane, pace)))
    }

    /// Forgets the failures of the account, because somebody proved all that is asked of them. `names`: what they can type
    /// at the door. The network's are not forgotten, or whoever guesses would come in as themselves in between.
    ///
    /// # Errors
    /// [`Error`].
    pub fn clear<'n>(
        tx: &mut Tx<'_>,
        account: AccountId,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), Error> {
        clear_failures(tx, &factor_lane(account))?;
        Self::forgive(tx, account, names)
    }

    /// As [`Guard::clear`], for somebody who proved enough for a first factor: wrong second ones still count.
    ///
    /// # Errors
    /// [`Error`].
    pub fn forgive<'n>(
        tx: &mut Tx<'_>,
        account: AccountId,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), Error> {
        for name in names {
            clear_failures(tx, &name_lane(&folded(name)))?;
        }
        clear_failures(tx, &format!("known:{account}"))?;
        clear_failures(tx, &format!("account:{account}"))
    }
}

fn name_lane(folded: &str) -> String {
    format!("name:{folded}")
}

fn factor_lane(account: AccountId) -> String {
    format!("factor:{account}")
}

fn nobody_lane(folded: &str) -> String {
    format!("nobody:{folded}")
}

fn network(actor: &Actor) -> Option<String> {
    network_of(&actor.visitor()?.address).map(|network| format!("network:{network}"))
}

fn told(wait: Duration) -> Throttled {
    Throttled { wait_seconds: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
}

fn bucket(view: &View<'_>, lane: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("throttle:{lane}").as_bytes())
}

fn wait_in(view: &View<'_>, lane: &str) -> Result<Option<Duration>, Error> {
    let until = store::find_throttle(view, &bucket(view, lane))?;
    let wait = until.map(|until| until.since(view.now()));
    // No pause is longer: one that seems to be is from before the clock was set back.
    Ok(wait.filter(|wait| !wait.is_zero() && *wait <= PAUSE_MAX))
}

fn count_in(tx: &mut Tx<'_>, lane: &str, pace: Pace) -> Result<(), Error> {
    let bucket = bucket(tx, lane);
    let failures = store::count_failure(tx, &bucket, pace.forgets)?;
    let until = tx.now().plus(pace.pause_after(failures));
    store::update_throttle(tx, &bucket, until)
}

/// Whether tries of `what`, which is no proof of an account, must wait. `None`: go on.
///
/// # Errors
/// [`Error`].
pub fn throttled(view: &View<'_>, what: &str) -> Result<Option<Throttled>, Error> {
    Ok(wait_in(view, what)?.map(told))
}

/// Counts a try of `what`.
///
/// # Errors
/// [`Error`].
pub fn note_failure(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    count_in(tx, what, Pace::ASKING)
}

/// Forgets the tries of `what`.
///
/// # Errors
/// [`Error`].
pub fn clear_failures(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    let bucket = bucket(tx, what);
    store::delete_throttle(tx, &bucket)
}
