//! A key in exchange for a token: verified on this thread, with a write only when a signing key is due.

use std::sync::Arc;

use super::error::TokenError;
use super::model::{Asked, Issued};
use super::ops;
use crate::api_keys::{self, Door, Verifier};
use crate::app::App;
use crate::base::Rng;

/// Exchanges a good key for a token (RFC 8693). Nothing is written: what an exchange gives, the key gives already; it counts as
/// a use of the key.
///
/// # Errors
/// [`TokenError`].
pub async fn exchange(app: &Arc<App>, verifier: &Verifier, asked: Asked) -> Result<Issued, TokenError> {
    keep_keys(app).await?;
    let desk = app.query_inline(ops::desk)?;
    let (site, now) = (app.store().site(), app.now());
    let wanted = asked.scope.as_deref().and_then(|names| site.config.scopes.wanted(names)).unwrap_or_default();
    let Asked { address, agent, .. } = &asked;
    let question = api_keys::Asked { door: Door::Token, address: *address, agent, wanted };
    let verified = verifier.verify_at(asked.key.expose(), &question)?.map_err(TokenError::BadKey)?;
    ops::issue(site, &desk, &mut Rng::system(), &verified, &asked.audience, asked.scope.as_deref(), now)
}

/// Makes the first signing key, or the next one, where it is due; where it is not, nothing is written.
///
/// # Errors
/// [`TokenError::Db`].
pub async fn keep_keys(app: &Arc<App>) -> Result<(), TokenError> {
    if app.query_inline(ops::is_due)? {
        app.write(ops::rotate_when_due).await?;
    }
    Ok(())
}
