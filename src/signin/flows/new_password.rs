//! The check of a new password, and the words that it must not be built from.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::model::PasswordContext;
use crate::accounts::{self, Account, LinkPurpose};
use crate::app::App;
use crate::base::{EmailAddress, Secret};
use crate::config::Config;
use crate::crypto::{Password, Strength};
use crate::db::{self, View};

/// Rates a password by the rules for new passwords while it is typed. Stores and records nothing.
///
/// # Errors
/// [`SigninError::Busy`]; [`SigninError::Db`].
pub async fn rate_password(
    app: &Arc<App>,
    context: PasswordContext,
    password: Secret<String>,
) -> Result<Strength, SigninError> {
    let words = app.read_offloaded(move |view| personal_words(view, context)).await?;
    Ok(app.passwords().rate(password, app.config().passwords.min_length, words).await?)
}

/// The words that a new password must not be built from, as far as the person is known.
fn personal_words(view: &View<'_>, context: PasswordContext) -> Result<Vec<String>, db::Error> {
    let site = host_of(&view.site().config);
    let person = match context {
        PasswordContext::SignedIn(account) => accounts::find(view, account)?,
        PasswordContext::Resetting(token) => accounts::find_by_link(view, LinkPurpose::PasswordReset, &token)?,
        PasswordContext::SigningUp { email, username } => return Ok(vec![site, username, email]),
    };
    person.map_or(Ok(vec![site]), |person| account_words(view, &person))
}

/// Public words about an account, its addresses and the site. A new password must not be built from them.
pub(super) fn account_words(view: &View<'_>, person: &Account) -> Result<Vec<String>, db::Error> {
    let site = host_of(&view.site().config);
    let mut words = vec![site, person.username.clone(), person.display_name.clone(), person.company.clone()];
    words.extend(accounts::emails(view, person.id)?.into_iter().map(|email| email.address.to_string()));
    Ok(words)
}

/// As [`account_words`], for a person who signs up.
pub(super) fn sign_up_words(app: &App, username: &str, email: &str) -> Vec<String> {
    vec![host_of(app.config()), username.to_owned(), email.to_owned()]
}

fn host_of(config: &Config) -> String {
    config.public_url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Checks a new password on the hashing threads.
pub(super) async fn check_new_password(
    app: &App,
    password: Secret<String>,
    words: Vec<String>,
) -> Result<Password, SigninError> {
    let min_length = app.config().passwords.min_length;
    Ok(app.passwords().parse(password, min_length, words).await?)
}

/// Checks a new password as the flows do, but blocks; for the command line.
///
/// # Errors
/// [`SigninError::Password`].
pub fn new_password(
    app: &App,
    password: Secret<String>,
    username: &str,
    email: &EmailAddress,
) -> Result<Password, SigninError> {
    let words = sign_up_words(app, username, email.as_str());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Password::parse(password, app.config().passwords.min_length, &words).map_err(SigninError::Password)
}
