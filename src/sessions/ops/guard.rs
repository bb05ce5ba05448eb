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
/// let guard = Guard::new(actor, account)                 a code, a password typed once more
/// if let Some(throttled) = guard.must_wait(tx)? { .. }  before the proof is looked at
/// guard.note_failure(tx)?                               it was wrong; commit this
/// Guard::clear(tx, account, names)?                     somebody is in: with the session, not with one of two factors
/// ```
/// Where a proof is checked outside the transaction, ask before and once more inside, and take a turn
/// (`PasswordPool::turn`), so that tries at the same moment are no more than tries in a row.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What tries at the same moment take turns about.
    about: String,
    /// The lane beside the door, where the visitor may use it.
    inside: Option<String>,
    /// The lane of the account's second factors, for proofs that are one.
    factor: Option<String>,
    /// The lanes of whoever typed a name. `None`: nobody did.
    door: Option<Door>,
    /// `None`: the visitor's network is not known, or nobody waits for it.
    network: Option<String>,
}

/// What is counted about a name that was typed.
#[derive(Clone, Debug)]
struct Door {
    /// Folded.
    typed: String,
    /// The lane of the account, or of the name that has none.
    account: String,
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
        let inside = match (account, actor.visitor()) {
            (Some(account), Some(visitor)) if is_known_device(view, account, visitor)? => Some(inside_lane(account)),
            _ => None,
        };
        let account = account.map_or_else(|| nobody_lane(&typed), account_lane);
        let about = account.clone();
        Ok(Self { about, inside, factor: None, door: Some(Door { typed, account }), network: network(actor) })
    }

    /// A proof about an account by somebody of whom we know something already: they are signed in, or signed up with this
    /// browser, or their first factor was right. Strangers who guess at the account do not hold them up.
    pub fn new(account: AccountId) -> Self {
        Self {
            about: account_lane(account),
            inside: Some(inside_lane(account)),
            factor: None,
            door: None,
            network: None,
        }
    }

    /// As [`Guard::new`], for a second factor that is typed. In a lane of its own besides, which only somebody who is in
    /// empties: a mailbox that sets a new password each quarter of an hour must not buy as many guesses at codes.
    pub fn of_factor(account: AccountId) -> Self {
        Self { factor: Some(factor_lane(account)), ..Self::new(account) }
    }

    /// A proof that is too long to be guessed and about nobody who is known before it is found right, such as a link.
    pub fn of_network(actor: &Actor) -> Self {
        Self { about: String::new(), inside: None, factor: None, door: None, network: network(actor) }
    }

    /// What tries at the same moment take turns about.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// How long this visitor must wait, as they may be told. `None`: go on, and ask [`Guard::is_silent`].
    ///
    /// What an unknown browser is told hangs on the name that was typed and its own network alone, so that it tells nothing
    /// about which names and addresses belong together, or to anybody.
    ///
    /// # Errors
    /// [`Error`].
    pub fn must_wait(&self, view: &View<'_>) -> Result<Option<Throttled>, Error> {
        let inside = self.wait_inside(view)?;
        if self.inside.is_some() && inside.is_none() {
            return Ok(None);
        }
        let network = wait_in(view, self.network.as_deref())?;
        let Some(door) = &self.door else { return Ok(inside.max(network).map(told)) };
        let at_the_door = wait_in(view, Some(&name_lane(&door.typed)))?.max(network);
        if self.inside.is_none() {
            return Ok(at_the_door.map(told));
        }
        // A known browser may do what an unknown one may, too; and is told about the account, which is its person's.
        let at_the_door = at_the_door.max(wait_in(view, Some(&door.account))?);
        Ok(inside.zip(at_the_door).map(|(inside, at_the_door)| inside.min(at_the_door)).map(told))
    }

    /// Whether a proof by this visitor is not looked at, and is answered as if it were wrong: too many were tried at the
    /// account under its other names.
    ///
    /// # Errors
    /// [`Error`].
    pub fn is_silent(&self, view: &View<'_>) -> Result<bool, Error> {
        match &self.door {
            Some(door) if self.inside.is_none() => Ok(wait_in(view, Some(&door.account))?.is_some()),
            _ => Ok(false),
        }
    }

    fn wait_inside(&self, view: &View<'_>) -> Result<Option<Duration>, Error> {
        Ok(wait_in(view, self.inside.as_deref())?.max(wait_in(view, self.factor.as_deref())?))
    }

    /// Counts a wrong proof: beside the door where the visitor may use that, else at the door. As many statements for a name
    /// that nobody has, and for a proof that was not looked at: that one says nothing about the account, whose lane would
    /// else be closed for a day by whoever goes through its names.
    ///
    /// # Errors
    /// [`Error`].
    pub fn note_failure(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let is_inside = self.inside.is_some() && (self.door.is_none() || self.wait_inside(tx)?.is_none());
        if is_inside {
            count_in(tx, self.inside.as_deref(), Pace::PROOF)?;
            return count_in(tx, self.factor.as_deref(), Pace::PROOF);
        }
        if let Some(door) = &self.door {
            let unseen = self.is_silent(tx)?.then(|| nobody_lane(&door.typed));
            count_in(tx, Some(&name_lane(&door.typed)), Pace::PROOF)?;
            count_in(tx, Some(unseen.as_ref().unwrap_or(&door.account)), Pace::PROOF)?;
        }
        count_in(tx, self.network.as_deref(), Pace::NETWORK)
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
        forget(tx, &factor_lane(account))?;
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
            forget(tx, &name_lane(&folded(name)))?;
        }
        forget(tx, &inside_lane(account))?;
        forget(tx, &account_lane(account))
    }
}

fn name_lane(folded: &str) -> String {
    format!("name:{folded}")
}

fn account_lane(account: AccountId) -> String {
    format!("account:{account}")
}

fn inside_lane(account: AccountId) -> String {
    format!("inside:{account}")
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

/// `None`: the lane is open, or there is none.
fn wait_in(view: &View<'_>, lane: Option<&str>) -> Result<Option<Duration>, Error> {
    let Some(lane) = lane else { return Ok(None) };
    let until = store::find_throttle(view, &bucket(view, lane))?;
    let wait = until.map(|until| until.since(view.now()));
    // No pause is longer: one that seems to be is from before the clock was set back.
    Ok(wait.filter(|wait| !wait.is_zero() && *wait <= PAUSE_MAX))
}

fn count_in(tx: &mut Tx<'_>, lane: Option<&str>, pace: Pace) -> Result<(), Error> {
    let Some(lane) = lane else { return Ok(()) };
    let bucket = bucket(tx, lane);
    let failures = store::count_failure(tx, &bucket, pace.forgets)?;
    let until = tx.now().plus(pace.pause_after(failures));
    store::update_throttle(tx, &bucket, until)
}

fn forget(tx: &mut Tx<'_>, lane: &str) -> Result<(), Error> {
    let bucket = bucket(tx, lane);
    store::delete_throttle(tx, &bucket)
}

/// Whether tries of `what`, which is no proof of an account, must wait. `None`: go on.
///
/// # Errors
/// [`Error`].
pub fn throttled(view: &View<'_>, what: &str) -> Result<Option<Throttled>, Error> {
    Ok(wait_in(view, Some(what))?.map(told))
}

/// Counts a try of `what`.
///
/// # Errors
/// [`Error`].
pub fn note_failure(tx: &mut Tx<'_>, what: &str) -> Result<(), Error> {
    count_in(tx, Some(what), Pace::ASKING)
}
