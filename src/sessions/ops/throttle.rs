//! The throttle with its counters in the database: ask it before a proof is checked, and tell it when the proof was wrong.
//! `model/rules.rs` has the table of what is counted.

use super::super::error::TooManyMails;
use super::super::model::{
    Bucket, CODE, CONFIRMATION, FACTOR, LoginThrottle, MAILS_ALL, MAILS_OF, MAILS_TO, NAME, NETWORK, NamedAttempt,
    REDEEM, REDEEM_OF, RetryAfter, Verdict, folded, network_of, of_browser, of_session, of_terminal,
};
use super::counters::{count, forget, wait_of};
use super::devices::{is_known_device, is_proved_device};
use crate::base::{AccountId, Actor, EmailAddress};
use crate::db::{Error, Tx, View};

impl LoginThrottle {
    /// The throttle for a typed name. `account`: the account that has the name. `None`: no account has it; the visitor
    /// cannot see the difference.
    ///
    /// # Errors
    /// [`Error`].
    pub fn for_name(view: &View<'_>, actor: &Actor, typed: &str, account: Option<AccountId>) -> Result<Self, Error> {
        let own = account.map_or(Ok(None), |account| known_browser(view, actor, account))?;
        let named = NamedAttempt::new(typed, account);
        let network = actor.visitor().and_then(|visitor| network_of(&visitor.address));
        let network = network.map(|network| Bucket::new(&NETWORK, network));
        Ok(Self { serial_key: named.account.key().to_owned(), own, only: None, named: Some(named), network })
    }

    /// The throttle for a proof of a person who is signed in: this browser, or else this session, has a bucket of its own.
    /// At the command line of the machine, the second operator has one too.
    ///
    /// # Errors
    /// [`Error`].
    pub fn for_step_up(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Self, Error> {
        let own = match (known_browser(view, actor, account)?, actor.session()) {
            (Some(browser), _) => browser,
            (None, Some(session)) => of_session(account, session),
            (None, None) => of_terminal(account),
        };
        Ok(Self::without_name(account, Some(own), None))
    }

    /// The throttle for a second factor of a sign-in. Guesses in other browsers never slow down a browser in which the
    /// person completed a sign-in before. A browser that is only known by a mailed link is not such one: otherwise an
    /// attacker with the mailbox would get new guesses at codes with each link.
    ///
    /// # Errors
    /// [`Error`].
    pub fn for_factor(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Self, Error> {
        if !matches!(actor, Actor::Anonymous(_)) {
            return Self::for_step_up(view, actor, account);
        }
        let is_proved = actor.visitor().map_or(Ok(false), |visitor| is_proved_device(view, account, visitor))?;
        let own = if is_proved { known_browser(view, actor, account)? } else { None };
        let only = own.is_none().then(|| Bucket::new(&FACTOR, account));
        Ok(Self::without_name(account, own, only))
    }

    /// The throttle for the mailed code of a sign-up: only its own browser can enter one.
    pub fn for_sign_up_code(account: AccountId) -> Self {
        Self::without_name(account, None, Some(Bucket::new(&CODE, account)))
    }

    fn without_name(account: AccountId, own: Option<Bucket>, only: Option<Bucket>) -> Self {
        let serial_key = NamedAttempt::new("", Some(account)).account.key().to_owned();
        Self { serial_key, own, only, named: None, network: None }
    }

    /// What may be done with the attempt.
    ///
    /// # Errors
    /// [`Error`].
    pub fn verdict(&self, view: &View<'_>) -> Result<Verdict, Error> {
        self.judge(|bucket| wait_of(view, bucket))
    }

    /// Refuses an attempt that has to wait. For proofs of people who are not asked for a name.
    ///
    /// # Errors
    /// [`RetryAfter`] as `E`, and what the store refuses.
    pub fn check<E: From<RetryAfter> + From<Error>>(&self, view: &View<'_>) -> Result<(), E> {
        match self.verdict(view)? {
            Verdict::Wait(wait) => Err(wait.into()),
            Verdict::Check | Verdict::Slow | Verdict::Confirm { .. } => Ok(()),
        }
    }

    /// Counts a wrong proof.
    ///
    /// # Errors
    /// [`Error`].
    pub fn note_failure(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        for bucket in self.buckets_of_failure(|bucket| wait_of(tx, bucket))? {
            count(tx, &bucket)?;
        }
        Ok(())
    }

    /// Forgets the wrong proofs of this browser, because its person proved everything that is required. If it was an
    /// unknown one, they were counted with those of other unknown browsers. `names`: the names with which the person can
    /// sign in. The count of the network stays: otherwise an attacker could sign in to their own account between guesses
    /// to clear it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn clear<'n>(
        tx: &mut Tx<'_>,
        actor: &Actor,
        account: AccountId,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), Error> {
        if let Some(session) = actor.session() {
            forget(tx, &of_session(account, session))?;
        }
        if let Some(browser) = known_browser(tx, actor, account)? {
            return forget(tx, &browser);
        }
        if actor.session().is_some() {
            return Ok(());
        }
        for name in names {
            forget(tx, &Bucket::new(&NAME, folded(name)))?;
        }
        forget(tx, &NamedAttempt::new("", Some(account)).account)?;
        forget(tx, &Bucket::new(&FACTOR, account))
    }
}

/// The bucket of the visitor's browser. `None`: the account was never signed in to with it.
fn known_browser(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Option<Bucket>, Error> {
    let Some(visitor) = actor.visitor() else { return Ok(None) };
    let is_known = is_known_device(view, account, visitor)?;
    Ok(visitor.device.as_ref().filter(|_| is_known).map(|device| of_browser(account, device.expose())))
}

fn confirmation_of(name: &str) -> Bucket {
    Bucket::new(&CONFIRMATION, folded(name))
}

/// Whether a link that confirms a browser may be mailed for this name or account now.
///
/// # Errors
/// [`Error`].
pub fn may_mail_confirmation(view: &View<'_>, name: &str) -> Result<bool, Error> {
    Ok(wait_of(view, &confirmation_of(name))?.is_none())
}

/// Counts such a mail.
///
/// # Errors
/// [`Error`].
pub fn count_confirmation(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    count(tx, &confirmation_of(name))
}

/// Forgets such a mail, because its link was used.
///
/// # Errors
/// [`Error`].
pub fn forget_confirmation(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    forget(tx, &confirmation_of(name))
}

/// What a full bucket of mails says.
type MailRefusal = fn(RetryAfter) -> TooManyMails;

/// The buckets of a mail that somebody asked for who is not signed in, with the refusal of each. `is_known`: this browser is
/// known to the account.
fn mail_buckets(actor: &Actor, address: &EmailAddress, is_known: bool) -> Vec<(Bucket, MailRefusal)> {
    let mut buckets: Vec<(_, MailRefusal)> =
        vec![(Bucket::new(&MAILS_TO, address.folded()), TooManyMails::ToThisAddress)];
    if !is_known {
        if let Some(network) = actor.visitor().and_then(|visitor| network_of(&visitor.address)) {
            buckets.push((Bucket::new(&MAILS_OF, network), TooManyMails::FromThisNetwork));
        }
        buckets.push((Bucket::new(&MAILS_ALL, ""), TooManyMails::OfTheSite));
    }
    buckets
}

/// Refuses a mail with a code or a link, if there were too many to this address, from this network, or of the site.
/// `account`: the one that the mail is about, if it is known.
///
/// # Errors
/// [`TooManyMails`] as `E`, and what the store refuses.
pub fn check_mail<E: From<TooManyMails> + From<Error>>(
    view: &View<'_>,
    actor: &Actor,
    address: &EmailAddress,
    account: Option<AccountId>,
) -> Result<(), E> {
    let is_known = account.map_or(Ok(None), |account| known_browser(view, actor, account))?.is_some();
    // The address last: the others say more about the one who asks.
    for (bucket, refusal) in mail_buckets(actor, address, is_known).into_iter().rev() {
        if let Some(wait) = wait_of(view, &bucket)? {
            return Err(refusal(RetryAfter::from_wait(wait)).into());
        }
    }
    Ok(())
}

/// Counts such a mail, after [`check_mail`] in the same transaction.
///
/// # Errors
/// As [`check_mail`].
// No permission: people who are not signed in ask for these mails.
// No event: the caller records the mail.
pub fn count_mail<E: From<TooManyMails> + From<Error>>(
    tx: &mut Tx<'_>,
    actor: &Actor,
    address: &EmailAddress,
    account: Option<AccountId>,
) -> Result<(), E> {
    check_mail::<E>(tx, actor, address, account)?;
    let is_known = account.map_or(Ok(None), |account| known_browser(tx, actor, account))?.is_some();
    for (bucket, _) in mail_buckets(actor, address, is_known) {
        count(tx, &bucket)?;
    }
    Ok(())
}

/// Where a wrong code for credit counts: for the account, and for the network that it comes from.
fn redemption_buckets(actor: &Actor, account: AccountId) -> impl Iterator<Item = Bucket> {
    let network = actor.visitor().and_then(|visitor| network_of(&visitor.address));
    let network = network.map(|network| Bucket::new(&REDEEM_OF, network));
    std::iter::once(Bucket::new(&REDEEM, account)).chain(network)
}

/// Refuses to look at a code for credit, because this account or its network has typed too many wrong ones.
///
/// # Errors
/// [`RetryAfter`] as `E`, and what the store refuses.
pub fn check_redemption<E: From<RetryAfter> + From<Error>>(
    view: &View<'_>,
    actor: &Actor,
    account: AccountId,
) -> Result<(), E> {
    let mut longest = None;
    for bucket in redemption_buckets(actor, account) {
        longest = longest.max(wait_of(view, &bucket)?);
    }
    longest.map_or(Ok(()), |wait| Err(RetryAfter::from_wait(wait).into()))
}

/// Counts a wrong code for credit.
///
/// # Errors
/// [`Error`].
// No permission: it only makes the actor wait.
// No event: the caller records the wrong code.
pub fn count_wrong_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), Error> {
    redemption_buckets(actor, account).try_for_each(|bucket| count(tx, &bucket))
}
