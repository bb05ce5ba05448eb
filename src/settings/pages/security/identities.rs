//! Disconnecting an account at another provider. Connecting one is part of the sign-in at the provider.

use actix_web::web::Path;

use super::page::IDENTITIES;
use crate::base::{IdentityId, Problem};
use crate::http::page::AppData;
use crate::http::{Answer, Form, SignedIn, redirect_with_flash};
use crate::signin::SigninFlash;
use crate::signin::oauth;

/// `POST /settings/security/identities/{id}/disconnect`.
pub async fn disconnect(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let id = IdentityId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write_deciding(move |tx| oauth::disconnect(tx, &actor, account, session, id)).await?;
    Ok(redirect_with_flash(IDENTITIES, SigninFlash::Disconnected))
}
