//! Keep signing keys, make tokens, examine them, tell what ended.

use serde_json::json;

use super::claims::Claims;
use super::error::TokenError;
use super::jwt;
use super::model::{
    Audience, Due, FEED_KEPT, FEED_PAGE_MAX, Issued, KEEP_AFTER, LIFE_MAX, News, PUBLISH_AHEAD, PublishedKey, TokenKey,
    due, signer,
};
use super::store;
use crate::api_keys::Verified;
use crate::audit::{self, Event};
use crate::base::{Actor, Rng, Secret, Timestamp};
use crate::crypto::seal;
use crate::db::{self, Site, Tx, View};

/// Rows of the feed one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1_000;

/// Makes the first signing key, or the next one where its time has come, and puts away those whose time is over. Answers
/// whether a key was made. Doing it twice is the same as once.
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

/// Publishes the next signing key before its time; it signs a day later. Answers it. Where one waits already, that one.
///
/// # Errors
/// [`TokenError::NotAllowed`] for anybody but the operator and the house.
pub fn rotate(tx: &mut Tx<'_>, actor: &Actor) -> Result<PublishedKey, TokenError> {
    operator_only(actor)?;
    let now = tx.now();
    match store::list_keys(tx)?.into_iter().next() {
        Some(waiting) if waiting.not_before > now => Ok(shown(&waiting)),
        Some(_) => add(tx, actor, now.plus(PUBLISH_AHEAD), "asked"),
        None => add(tx, actor, now, "asked"),
    }
}

/// Withdraws every signing key and makes one that signs at once: for a secret that got out. All tokens are dead with it,
/// at introspection at once, elsewhere when the kept key set is too old. Whoever has a key exchanges it again.
///
/// # Errors
/// [`TokenError::NotAllowed`] for anybody but the operator and the house.
pub fn replace_compromised(tx: &mut Tx<'_>, actor: &Actor) -> Result<PublishedKey, TokenError> {
    operator_only(actor)?;
    store::delete_keys(tx)?;
    let now = tx.now();
    add(tx, actor, now, "compromised")
}

fn operator_only(actor: &Actor) -> Result<(), TokenError> {
    if matches!(actor, Actor::Operator | Actor::System) { Ok(()) } else { Err(TokenError::NotAllowed) }
}

fn add(tx: &mut Tx<'_>, actor: &Actor, not_before: Timestamp, why: &str) -> Result<PublishedKey, TokenError> {
    let seed = Secret::new(tx.rng().bytes::<32>());
    let (public_key, kid) = jwt::public_half(&seed);
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &place_of(&kid), seed.expose());
    store::insert_key(tx, &kid, &public_key, &sealed, not_before)?;
    store::update_succeeded(tx, &kid, not_before, not_before.plus(KEEP_AFTER))?;
    let event = Event::new("site.token_key_made")
        .target(&kid)
        .data(json!({"kid": kid, "signs_from": not_before.rfc3339(), "why": why}));
    audit::record(tx, actor, event)?;
    Ok(PublishedKey { kid, public_key, not_before })
}

fn place_of(kid: &str) -> String {
    format!("jwt_key|sealed_secret|{kid}")
}

/// The keys that verify tokens, the newest first: the one that signs, the one before it while its tokens live, and the next one.
///
/// # Errors
/// [`db::Error`].
pub fn published(view: &View<'_>) -> Result<Vec<PublishedKey>, db::Error> {
    Ok(store::list_keys(view)?.iter().map(shown).collect())
}

fn shown(key: &TokenKey) -> PublishedKey {
    PublishedKey { kid: key.kid.clone(), public_key: key.public_key, not_before: key.not_before }
}

/// Whether [`rotate_when_due`] has a key to make.
pub(super) fn is_due(view: &View<'_>) -> Result<bool, db::Error> {
    let newest = store::list_keys(view)?.first().map(|key| key.not_before);
    Ok(due(newest, view.site().config.tokens.rotate_every, view.now()) != Due::Nothing)
}

/// What a token is signed with, and the feed's last number.
pub(super) struct Desk {
    pub keys: Vec<TokenKey>,
    pub epoch: i64,
}

/// Taken before the key is verified: whatever ends it later has a later number.
pub(super) fn desk(view: &View<'_>) -> Result<Desk, db::Error> {
    Ok(Desk { epoch: store::find_last(view)?, keys: store::list_keys(view)? })
}

/// Makes a token of a key that was just found good. It lives as long as the settings say, and no longer than the key.
///
/// # Errors
/// [`TokenError::Scope`] when more is asked for than the key may do; [`TokenError::Ended`]; [`TokenError::SigningKey`].
pub(super) fn issue(
    site: &Site,
    desk: &Desk,
    rng: &mut Rng,
    verified: &Verified,
    audience: &Audience,
    scope: Option<&str>,
    now: Timestamp,
) -> Result<Issued, TokenError> {
    let table = &site.config.scopes;
    let rights = match scope {
        None => verified.rights,
        Some(names) => table.wanted(names).filter(|wanted| verified.rights.grant(*wanted)).ok_or(TokenError::Scope)?,
    };
    let life = site.config.tokens.life.min(LIFE_MAX);
    // Whole seconds, rounded toward an earlier end.
    let until = now.plus(life).min(verified.expires_at.unwrap_or(now.plus(life))).unix_seconds();
    let since = now.unix_seconds();
    if until <= since {
        return Err(TokenError::Ended);
    }
    let key = signer(&desk.keys, now).ok_or_else(|| TokenError::SigningKey("there is none".into()))?;
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
        epoch: desk.epoch,
    };
    let sealed = key.sealed_secret.as_deref().unwrap_or_default();
    let seed = seal::open(&site.keyring, &place_of(&key.kid), sealed)
        .map_err(|error| TokenError::SigningKey(error.to_string()))?;
    let seed = <[u8; 32]>::try_from(seed.expose().as_slice())
        .map_err(|_| TokenError::SigningKey("its secret has another length".into()))?;
    let token = jwt::sign(&claims, &key.kid, &Secret::new(seed)).map_err(TokenError::SigningKey)?;
    Ok(Issued { token, expires_in_seconds: until - since, scope })
}

/// What a token of ours says, if it is good now for one of `audiences`: signed by a published key for this site, within its
/// time, and nothing that it hangs on ended since. `None`: not one of ours, or not good; which is nobody's business.
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
    if !is_in_time || !audiences.contains(&claims.aud.as_str()) {
        return Ok(None);
    }
    // A number that the feed has not reached is from before a restored backup: what ended since is not known.
    let is_of_this_feed = claims.epoch <= store::find_last(view)?;
    let is_ended = store::is_named_since(view, claims.epoch, &claims.client_id, &claims.sub)?;
    Ok(Some(claims).filter(|_| is_of_this_feed && !is_ended))
}

/// What ended after `after`, a thousand rows at most. `None`: the feed has not come that far, because a backup was restored:
/// whoever asks begins anew and forgets what it verified before.
///
/// # Errors
/// [`db::Error`].
pub fn news(view: &View<'_>, after: i64, limit: u32) -> Result<Option<News>, db::Error> {
    let revocations = store::list_after(view, after, limit.min(FEED_PAGE_MAX))?;
    match revocations.last() {
        Some(last) => Ok(Some(News { next: last.seq, revocations })),
        None => Ok((after <= store::find_last(view)?).then_some(News { next: after, revocations })),
    }
}

/// Deletes rows of the feed that are older than a day.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    let before = tx.now().minus(FEED_KEPT);
    store::purge(tx, before, PURGE_BATCH_MAX)
}
