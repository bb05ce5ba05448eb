//! A typed password: what it is for, which hash it is checked against, and what a right or wrong one does. The only flow
//! that checks one is [`crate::signin::flows::prove_password`].

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::step_up::step_up_options;
use crate::accounts::{self, Account, AccountState};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor};
use crate::db::{self, Decided, Decision, Tx, View};
use crate::sessions::{LoginThrottle, Verdict};

/// What a password is typed for. It decides whether the password counts, and how a wrong one is recorded and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    SignIn,
    /// Only of a person without a second factor.
    StepUp,
    /// Every person who has a password types it to delete the account.
    Deletion,
}

impl Purpose {
    const fn failure(self) -> SigninEvent {
        match self {
            Self::SignIn => SigninEvent::Failed,
            Self::StepUp | Self::Deletion => SigninEvent::StepUpFailed,
        }
    }

    const fn refusal(self) -> SigninError {
        match self {
            Self::SignIn => SigninError::BadCredentials,
            Self::StepUp | Self::Deletion => SigninError::NotProved,
        }
    }

    /// The answer to a person who was erased or suspended while the password was checked.
    const fn person_gone(self) -> SigninError {
        match self {
            Self::SignIn => SigninError::BadCredentials,
            Self::StepUp | Self::Deletion => SigninError::SignedOut,
        }
    }
}

/// An attempt to prove a password.
#[derive(Clone)]
pub struct PasswordAttempt {
    /// Checked before the password is, and counts wrong passwords.
    throttle: LoginThrottle,
    /// What was typed. Empty: the person is signed in.
    name: String,
    /// `None`: no account that may sign in has the name.
    account: Option<AccountId>,
    purpose: Purpose,
}

impl PasswordAttempt {
    /// For a sign-in with a typed name. An address that nobody verified is the name of the newest account that waits for its
    /// code: anybody may have claimed it, but such an account only leads to the page that asks for the code. Suspended
    /// accounts do not count.
    pub(in crate::signin) fn for_sign_in(view: &View<'_>, actor: &Actor, name: &str) -> Result<Self, db::Error> {
        let account = accounts::find_by_sign_in_name(view, name)?.filter(may_sign_in).map(|account| account.id);
        let throttle = LoginThrottle::for_name(view, actor, name, account)?;
        Ok(Self { throttle, name: name.to_owned(), account, purpose: Purpose::SignIn })
    }

    /// For a step-up of a person who is signed in.
    pub(in crate::signin) fn for_step_up(
        view: &View<'_>,
        actor: &Actor,
        account: AccountId,
    ) -> Result<Self, db::Error> {
        let throttle = LoginThrottle::for_step_up(view, actor, account)?;
        Ok(Self { throttle, name: String::new(), account: Some(account), purpose: Purpose::StepUp })
    }

    /// For the deletion of the account by its person.
    ///
    /// # Errors
    /// [`db::Error`].
    pub fn for_deletion(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Self, db::Error> {
        Ok(Self { purpose: Purpose::Deletion, ..Self::for_step_up(view, actor, account)? })
    }

    /// Whether a link that confirms this browser may be mailed now; see [`super::mail_link`].
    pub(in crate::signin) fn may_mail_link(&self, view: &View<'_>) -> Result<bool, db::Error> {
        super::may_mail_link(view, &self.name, self.account)
    }

    /// Mails a link that confirms this browser.
    pub(in crate::signin) fn mail_link(&self, tx: &mut Tx<'_>, actor: &Actor) -> Result<(), SigninError> {
        super::mail_link(tx, actor, &self.name, self.account)
    }

    /// Whether the password is not checked, and the answer must not say so.
    fn is_silently_refused(&self, view: &View<'_>) -> Result<bool, SigninError> {
        match self.throttle.verdict(view)? {
            Verdict::Check | Verdict::Slow => Ok(false),
            Verdict::Confirm { is_told: false, .. } => Ok(true),
            // The flow has asked before. Only an attempt of the same moment in another process comes here.
            Verdict::Confirm { is_told: true, otherwise: wait } | Verdict::Wait(wait) => Err(wait.into()),
        }
    }

    pub(in crate::signin) fn throttle(&self) -> &LoginThrottle {
        &self.throttle
    }

    /// The hash to check. `None`: the account has no password that counts for this purpose, or the attempt is silently
    /// refused.
    ///
    /// # Errors
    /// [`SigninError::Throttled`].
    pub(in crate::signin) fn hash_to_check(&self, view: &View<'_>) -> Result<Option<String>, SigninError> {
        let is_silently_refused = self.is_silently_refused(view)?;
        let Some(account) = self.account else { return Ok(None) };
        let counts = match self.purpose {
            // An account is locked after a sign-in that its person reported.
            Purpose::SignIn => !is_silently_refused && accounts::keys_locked_at(view, account)?.is_none(),
            Purpose::StepUp => step_up_options(view, account)?.password,
            Purpose::Deletion => true,
        };
        Ok(if counts { accounts::password_hash(view, account)? } else { None })
    }

    /// Counts and records a wrong password. Where the password was not checked and the answer must not say so, the person gets
    /// a link that confirms this browser.
    ///
    /// # Errors
    /// [`SigninError::BadCredentials`] or [`SigninError::NotProved`], which are committed. [`SigninError::Throttled`]:
    /// wrong passwords of concurrent attempts were counted first. [`SigninError::SignedOut`]: the signed-in person was
    /// erased while the password was checked; then nothing is recorded.
    // No permission: it only counts and records a refusal.
    pub(in crate::signin) fn refuse<T>(&self, tx: &mut Tx<'_>, actor: &Actor) -> Decided<T, SigninError> {
        let is_silently_refused = self.is_silently_refused(tx)?;
        // A subject would give an erased person a new encryption key for private parts, which would stay forever.
        let known = self.find_person(tx)?;
        if known.is_none() && self.purpose != Purpose::SignIn {
            return Err(self.purpose.person_gone());
        }
        self.throttle.note_failure(tx)?;
        let mut event = Event::new(self.purpose.failure()).outcome(Outcome::Failure);
        if let Some(account) = known.map(|known| known.id) {
            event = event.target(account).subject(account);
        }
        audit::record(tx, actor, event)?;
        if is_silently_refused {
            self.mail_link(tx, actor)?;
        }
        Ok(Decision::Refused(self.purpose.refusal()))
    }

    /// The person, after a right password. `checked` is the hash that the password matched; it must still be the stored
    /// one. `renewed` is a stronger hash of the same password, to be stored.
    ///
    /// # Errors
    /// [`SigninError::Throttled`]: wrong passwords of concurrent attempts were counted first.
    /// [`SigninError::BadCredentials`] or [`SigninError::NotProved`]: while the password was checked, it was changed, or
    /// it ceased to count for this purpose. [`SigninError::SignedOut`] instead, if the signed-in person was suspended
    /// or erased.
    pub(in crate::signin) fn accept(
        &self,
        tx: &mut Tx<'_>,
        checked: Option<&str>,
        renewed: Option<&str>,
    ) -> Result<Account, SigninError> {
        let stored = self.hash_to_check(tx)?;
        let person = self.find_person(tx)?.filter(may_sign_in).ok_or(self.purpose.person_gone())?;
        let checked = checked.filter(|checked| stored.as_deref() == Some(checked)).ok_or(self.purpose.refusal())?;
        if let Some(renewed) = renewed {
            accounts::renew_password_hash(tx, person.id, checked, renewed)?;
        }
        Ok(person)
    }

    fn find_person(&self, view: &View<'_>) -> Result<Option<Account>, db::Error> {
        Ok(self.account.map(|account| accounts::find(view, account)).transpose()?.flatten())
    }
}

fn may_sign_in(account: &Account) -> bool {
    account.state != AccountState::Suspended
}
