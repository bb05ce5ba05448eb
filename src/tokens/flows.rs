//! The exchange of a key for a token. It runs on this thread and writes only if a signing key is due.

use std::sync::Arc;

use super::error::TokenError;
use super::model::{ExchangeRequest, IssuedToken};
use super::ops;
use crate::api_keys::Channel;
use crate::app::App;
use crate::base::Rng;
use crate::verification::{Verifier, VerifyRequest};

/// Exchanges a valid key for a token (RFC 8693). An exchange writes nothing, because a token grants no more than the
/// key. It counts as a use of the key.
///
/// # Errors
/// [`TokenError`].
pub async fn exchange(
    app: &Arc<App>,
    verifier: &Verifier,
    request: ExchangeRequest,
) -> Result<IssuedToken, TokenError> {
    ensure_signing_key(app).await?;
    let signing_context = app.query_inline(ops::signing_context)?;
    let (site, now) = (app.store().site(), app.now());
    let required = request.scope.as_deref().and_then(|names| site.config.scopes.parse(names)).unwrap_or_default();
    let ExchangeRequest { address, agent, workspaces, .. } = &request;
    let workspaces = workspaces.as_deref();
    let verify_request = VerifyRequest { channel: Channel::Token, address: *address, agent, required, workspaces };
    let verified =
        verifier.verify_request(request.key.expose(), &verify_request)?.into_result().map_err(TokenError::BadKey)?;
    ops::issue(site, &signing_context, &mut Rng::system(), &verified, &request.audience, request.scope.as_deref(), now)
}

/// Makes the first or the next signing key if it is due. Otherwise writes nothing.
///
/// # Errors
/// [`TokenError::Db`].
pub async fn ensure_signing_key(app: &Arc<App>) -> Result<(), TokenError> {
    if app.query_inline(ops::is_due)? {
        app.write(ops::rotate_when_due).await?;
    }
    Ok(())
}
