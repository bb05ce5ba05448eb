//! Who somebody is at GitHub, which has no ID token: its API is asked.

use serde::Deserialize;
use serde_json::Value;

use super::super::error::{OauthError, Refusal};
use super::super::json::{object, text};
use super::super::model::{ExternalIdentity, is_authoritative};
use super::exchange::status_error;
use super::{check_allowed_domain, unavailable};
use crate::app::App;
use crate::base::EmailAddress;
use crate::config::Provider;
use crate::outbound::Reply;

/// Domains of GitHub's no-reply addresses begin with this, also at Enterprise servers. They accept no mail.
const NO_MAIL: &str = "users.noreply.";

/// The members of `/user` that we read, each as it was sent.
#[derive(Deserialize)]
struct User {
    id: Option<Value>,
    login: Option<Value>,
    name: Option<Value>,
}

/// The person. The subject is the numeric id, because another person can take a login later.
pub(super) async fn identity(
    app: &App,
    provider: &Provider,
    access_token: &str,
) -> Result<ExternalIdentity, OauthError> {
    let base = provider.api_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let url = format!("{base}/user");
    let reply = get(app, provider, &url, access_token).await?;
    if reply.status != 200 {
        return Err(unavailable(provider, status_error(&url, &reply)));
    }
    let user: Option<User> = object(&reply.body);
    let id = user.as_ref().and_then(|user| user.id.as_ref()?.as_u64()).ok_or_else(|| {
        tracing::warn!(provider = provider.name, member = "id", "GitHub's answer has no usable id of the person.");
        OauthError::Refused(Refusal::Answer)
    })?;
    let email = primary_email(app, provider, base, access_token).await;
    check_allowed_domain(provider, email.as_ref(), email.is_some(), None)?;
    let part = |value: fn(&User) -> &Option<Value>| {
        user.as_ref().and_then(|user| text(value(user).as_ref())).unwrap_or_default().to_owned()
    };
    Ok(ExternalIdentity {
        provider: provider.name.clone(),
        issuer: provider.issuer.clone(),
        subject: id.to_string(),
        is_verified: email.is_some(),
        is_authoritative: email.as_ref().is_some_and(|email| is_authoritative(provider, email, true, None)),
        email,
        name: part(|user| &user.name),
        login: part(|user| &user.login),
        proved_at: None,
    })
}

/// The address that is primary and verified and accepts mail. `None`: there is none, or it cannot be read. Then the person
/// is known all the same, and types one, unless `allowed_domains` needs it.
async fn primary_email(app: &App, provider: &Provider, base: &str, access_token: &str) -> Option<EmailAddress> {
    let emails = match get(app, provider, &format!("{base}/user/emails"), access_token).await {
        Ok(reply) if reply.status == 200 => serde_json::from_slice::<Vec<Value>>(&reply.body).unwrap_or_default(),
        // What GitHub answers to an app without the permission, and to a token without the scope.
        Ok(Reply { status: status @ (401 | 403 | 404), .. }) => {
            tracing::warn!(
                provider = provider.name,
                status,
                "GitHub does not tell e-mail addresses to this registration. A GitHub App needs the account permission \
                 \"Email addresses: read-only\"; people who installed it before must accept it. An OAuth App needs the \
                 scope user:email."
            );
            return None;
        }
        Ok(Reply { status, .. }) => {
            tracing::warn!(provider = provider.name, status, "GitHub did not tell the e-mail addresses of a person.");
            return None;
        }
        Err(error) => {
            let cause = error.to_string();
            tracing::warn!(provider = provider.name, cause, "GitHub did not tell the e-mail addresses of a person.");
            return None;
        }
    };
    let is_true = |one: &Value, member: &str| one.get(member) == Some(&Value::Bool(true));
    let primary = emails.iter().find(|one| is_true(one, "primary") && is_true(one, "verified"))?;
    let address = EmailAddress::parse(text(primary.get("email"))?).ok()?;
    Some(address).filter(|email| !email.domain().starts_with(NO_MAIL))
}

async fn get(app: &App, provider: &Provider, url: &str, access_token: &str) -> Result<Reply, OauthError> {
    let bearer = format!("Bearer {access_token}");
    let headers = [("Authorization", bearer.as_str()), ("X-GitHub-Api-Version", "2022-11-28")];
    app.http_client().get(url, &headers).await.map_err(|error| unavailable(provider, error))
}
