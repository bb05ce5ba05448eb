//! Rotates signing keys, issues and verifies tokens, and reads the revocation feed.

use serde_json::json;

use super::claims::Claims;
use super::error::TokenError;
use super::events::TokenEvent;
use super::jwt;
use super::model::{
    Audience, Due, FEED_KEPT, FEED_PAGE_MAX, FeedPage, IssuedToken, KEEP_AFTER, LIFE_MAX, PUBLISH_AHEAD, PublishedKey,
    TokenKey, due, signer,
};
use super::store;
use crate::audit::{self, Event};
use crate::base::{Actor, Rng, Secret, Timestamp};
use crate::crypto::seal;
use crate::db::{self, Site, Tx, View};
use crate::verification::VerifiedKey;

/// The maximum number of rows of the feed that one purge deletes.
const PURGE_BATCH_MAX: u32 = 1_000;

/// Makes the first signing key, or the next one if it is due, and retires keys that are no longer needed. Returns
/// whether a key was made. Calling it twice is the same as once.
///
/// # Errors
/// [`TokenError::Db`].
pub fn rotate_when_due(tx: &mut Tx<'_>) -> Result<bool, TokenError> {
    store::retire_keys(tx)?;
    let newest = store::list_keys(tx)?.first().map(|key| key.not_before);
    match due(newest, tx.site().config.tokens.rotate_every, tx.now()) {
        Due::Nothing => Ok(false),
        Due::Successor(not_before) => add(tx, &Actor::System, not_before, "due").map(|_| true),
    }
}

/// Publishes the next signing key now; it signs a day later. Returns the key. If a key is waiting to sign already,
/// returns that one.
///
/// # Errors
/// [`TokenError::NotAllowed`] for every actor except the operator and the system.
pub fn rotate(tx: &mut Tx<'_>, actor: &Actor) -> Result<PublishedKey, TokenError> {
    require_operator(actor)?;
    let now = tx.now();
    match store::list_keys(tx)?.into_iter().next() {
        Some(waiting) if waiting.not_before > now => Ok(published_key(&waiting)),
        Some(_) => add(tx, actor, now.plus(PUBLISH_AHEAD), "asked"),
        None => add(tx, actor, now, "asked"),
    }
}

/// Withdraws every signing key and makes one that signs at once, for the case that a private key leaked. This ends all
/// tokens: introspection refuses them at once, verifiers when their cached key set expires. Programs exchange their
/// keys again.
///
/// # Errors
/// [`TokenError::NotAllowed`] for every actor except the operator and the system.
pub fn replace_compromised(tx: &mut Tx<'_>, actor: &Actor) -> Result<PublishedKey, TokenError> {
    require_operator(actor)?;
    store::delete_keys(tx)?;
    let now = tx.now();
    add(tx, actor, now, "compromised")
}

fn require_operator(actor: &Actor) -> Result<(), TokenError> {
    if matches!(actor, Actor::Operator | Actor::System) { Ok(()) } else { Err(TokenError::NotAllowed) }
}

fn add(tx: &mut Tx<'_>, actor: &Actor, not_before: Timestamp, why: &str) -> Result<PublishedKey, TokenError> {
    let seed = Secret::new(tx.rng().bytes::<32>());
    let (public_key, kid) = jwt::public_key_of(&seed);
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &sealing_context(&kid), seed.expose());
    store::insert_key(tx, &kid, &public_key, &sealed, not_before)?;
    store::update_succeeded(tx, &kid, not_before, not_before.plus(KEEP_AFTER))?;
    let event = Event::new(TokenEvent::SigningKeyMade)
        .target(&kid)
        .data(json!({"kid": kid, "signs_from": not_before.rfc3339(), "why": why}));
    audit::record(tx, actor, event)?;
    Ok(PublishedKey { kid, public_key, not_before })
}

fn sealing_context(kid: &str) -> String {
    format!("jwt_key|sealed_secret|{kid}")
}

/// The keys that verify tokens, the newest first: the one that signs, the previous one while its tokens are valid, and
/// the next one.
///
/// # Errors
/// [`db::Error`].
pub fn published(view: &View<'_>) -> Result<Vec<PublishedKey>, db::Error> {
    Ok(store::list_keys(view)?.iter().map(published_key).collect())
}

fn published_key(key: &TokenKey) -> PublishedKey {
    PublishedKey { kid: key.kid.clone(), public_key: key.public_key, not_before: key.not_before }
}

/// Whether [`rotate_when_due`] would make a key.
pub(super) fn is_due(view: &View<'_>) -> Result<bool, db::Error> {
    let newest = store::list_keys(view)?.first().map(|key| key.not_before);
    Ok(due(newest, view.site().config.tokens.rotate_every, view.now()) != Due::Nothing)
}

/// What is needed to sign a token: the signing keys, and the last number of the revocation feed.
pub(super) struct SigningContext {
    pub keys: Vec<TokenKey>,
    pub epoch: i64,
}

/// Reads the context. Must be called before the key is verified, so that a later revocation of the key has a higher
/// number.
pub(super) fn signing_context(view: &View<'_>) -> Result<SigningContext, db::Error> {
    Ok(SigningContext { epoch: store::find_last(view)?, keys: store::list_keys(view)? })
}

/// Issues a token for a key that was just verified. The configuration sets its lifetime, and it never outlives the key.
///
/// # Errors
/// [`TokenError::Scope`] if the key does not have a wanted scope; [`TokenError::Ended`]; [`TokenError::SigningKey`].
pub(super) fn issue(
    site: &Site,
    signing_context: &SigningContext,
    rng: &mut Rng,
    verified: &VerifiedKey,
    audience: &Audience,
    scope: Option<&str>,
    now: Timestamp,
) -> Result<IssuedToken, TokenError> {
    let table = &site.config.scopes;
    let rights = match scope {
        None => verified.rights,
        Some(names) => {
            table.parse(names).filter(|wanted| verified.rights.contains(*wanted)).ok_or(TokenError::Scope)?
        }
    };
    let life = site.config.tokens.lifetime.min(LIFE_MAX);
    // In whole seconds, rounded down.
    let until = now.plus(life).min(verified.expires_at.unwrap_or(now.plus(life))).unix_seconds();
    let since = now.unix_seconds();
    if until <= since {
        return Err(TokenError::Ended);
    }
    let key = signer(&signing_context.keys, now).ok_or_else(|| TokenError::SigningKey("there is none".into()))?;
    let scope = table.names_within(rights);
    let claims = Claims {
        iss: site.config.public_url.clone(),
        sub: verified.account.to_string(),
        aud: audience.as_str().to_owned(),
        exp: until,
        iat: since,
        nbf: since,
        jti: hex::encode(rng.bytes::<16>()),
        client_id: verified.key.to_string(),
        scope: scope.clone(),
        workspace: verified.workspace.to_string(),
        role: verified.role.as_str().to_owned(),
        plan: verified.plan().to_string(),
        region: verified.region().to_string(),
        epoch: signing_context.epoch,
    };
    let sealed = key.sealed_secret.as_deref().unwrap_or_default();
    let seed = seal::open(&site.keyring, &sealing_context(&key.kid), sealed)
        .map_err(|error| TokenError::SigningKey(error.to_string()))?;
    let seed = <[u8; 32]>::try_from(seed.expose().as_slice())
        .map_err(|_| TokenError::SigningKey("its private key has the wrong length".into()))?;
    let token = jwt::sign(&claims, &key.kid, &Secret::new(seed)).map_err(TokenError::SigningKey)?;
    Ok(IssuedToken { token, expires_in_seconds: until - since, scope })
}

/// The claims of a token that is valid now for one of `audiences`: a published key signed it for this site, it has not
/// expired, and neither its key nor its account was revoked since. `None`: the token is not ours or not valid; callers
/// must not learn which.
///
/// # Errors
/// [`db::Error`].
pub fn examine(view: &View<'_>, token: &str, audiences: &[&str]) -> Result<Option<Claims>, db::Error> {
    let Some(kid) = Some(token).filter(|token| jwt::is_token_shaped(token)).and_then(jwt::kid_of) else {
        return Ok(None);
    };
    let Some(key) = store::find_key(view, &kid)? else { return Ok(None) };
    let Some(claims) = jwt::open(token, &key.public_key, &view.site().config.public_url) else { return Ok(None) };
    let now = view.now().unix_seconds();
    let is_in_time = claims.nbf <= now && now < claims.exp;
    // The names of services do not depend on the case of their letters.
    let is_for_one = audiences.iter().any(|audience| audience.eq_ignore_ascii_case(&claims.aud));
    if !is_in_time || !is_for_one {
        return Ok(None);
    }
    // A number that the feed has not reached yet means that an older backup was restored, and revocations since then
    // are unknown.
    let is_in_feed = claims.epoch <= store::find_last(view)?;
    // By a clock that was set back since, it would live longer than it may. Its program exchanges the key again.
    let is_in_time = claims.epoch >= store::find_first_valid(view)?;
    let is_ended = store::is_named_since(view, claims.epoch, &claims.client_id, &claims.sub)?;
    Ok(Some(claims).filter(|_| is_in_feed && is_in_time && !is_ended))
}

/// Begins the next number of the revocation feed without a row, and returns it. Every token that was issued before has a
/// lower one.
///
/// # Errors
/// [`db::Error`].
pub fn next_number(tx: &mut Tx<'_>) -> Result<i64, db::Error> {
    let next = store::find_last(tx)? + 1;
    store::raise_last(tx, next)?;
    Ok(next)
}

/// The rows of the feed after number `after`, at most `limit` and at most 1,000. `None`: the feed has not reached that
/// number, because a backup was restored. The caller must then forget what it verified and read the feed from the
/// start.
///
/// # Errors
/// [`db::Error`].
pub fn feed_page(view: &View<'_>, after: i64, limit: u32) -> Result<Option<FeedPage>, db::Error> {
    let limit = limit.min(FEED_PAGE_MAX);
    let revocations = store::list_after(view, after, limit)?;
    let has_more = revocations.len() == limit as usize;
    match revocations.last() {
        Some(last) => Ok(Some(FeedPage { next: last.seq, revocations, has_more })),
        None => Ok((after <= store::find_last(view)?).then_some(FeedPage { next: after, revocations, has_more })),
    }
}

/// Continues the numbers of the feed of revocations after all numbers that were ever used, also after those that a restored
/// database does not know: services have seen them, and tokens contain them. The time in milliseconds is such a number,
/// because the appliance revokes less than a thousand times a second. Calling it twice is the same as once.
///
/// # Errors
/// [`db::Error`].
pub fn skip_lost_numbers(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    let now = tx.now().millis();
    store::raise_last(tx, now)
}

/// Deletes rows of the feed that are older than a day. Returns how many.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    let before = tx.now().minus(FEED_KEPT);
    store::purge(tx, before, PURGE_BATCH_MAX)
}
