//! Passkeys (W3C WebAuthn Level 3): options for a browser, and the check of its response. webauthn-rs does the
//! cryptography and the steps of §7.1 and §7.2; the checks that it leaves to its caller (one use, owner, counter,
//! uniqueness) are in `ops`.

use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url,
    Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::error::FactorError;
use super::model::CHALLENGE_LIFE;
use crate::config::Config;

/// The largest response in bytes. A typical one has a few hundred, with a large key a few thousand.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// The longest id of a credential in bytes (§4, Credential ID; §7.1 step 25).
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// The site as authenticators know it: its host name, and exactly the origin of `public_url`.
fn relying_party(config: &Config) -> Result<Webauthn, FactorError> {
    let url = Url::parse(&config.public_url).map_err(|_| FactorError::NoPasskeysHere)?;
    let host = url.domain().ok_or(FactorError::NoPasskeysHere)?;
    let builder = WebauthnBuilder::new(host, &url).map_err(|_| FactorError::NoPasskeysHere)?;
    builder.rp_name(&config.site.name).timeout(CHALLENGE_LIFE).build().map_err(|_| FactorError::NoPasskeysHere)
}

/// Whether this site can have passkeys: they need a host name.
pub fn passkeys_are_possible(config: &Config) -> bool {
    relying_party(config).is_ok()
}

fn refused(error: impl std::fmt::Display) -> FactorError {
    FactorError::PasskeyRefused(error.to_string())
}

/// Options for a new passkey, and the state to check the response with. The passkey must be discoverable, because it
/// can sign in without a typed name, and it must verify the person, because it is then the only proof.
pub(super) fn start_registration(
    config: &Config,
    handle: [u8; 16],
    username: &str,
    display_name: &str,
    known: Vec<Vec<u8>>,
) -> Result<(Value, String), FactorError> {
    let (options, state) = relying_party(config)?
        .start_passkey_registration(Uuid::from_bytes(handle), username, display_name, Some(known))
        .map_err(refused)?;
    let mut options = serde_json::to_value(&options).map_err(refused)?;
    let selection = &mut options["publicKey"]["authenticatorSelection"];
    selection["residentKey"] = json!("required");
    selection["requireResidentKey"] = json!(true);
    Ok((options, serde_json::to_string(&state).map_err(refused)?))
}

/// A passkey whose registration was checked.
pub(super) struct NewCredential {
    pub credential_id: Vec<u8>,
    pub credential_json: String,
    pub sign_count: u32,
    pub is_backed_up: bool,
}

pub(super) fn finish_registration(config: &Config, state: &str, response: &str) -> Result<NewCredential, FactorError> {
    let response: RegisterPublicKeyCredential = parse(response)?;
    if response.type_ != "public-key" {
        return Err(refused("another type of credential"));
    }
    let state: PasskeyRegistration = serde_json::from_str(state).map_err(refused)?;
    let passkey = relying_party(config)?.finish_passkey_registration(&response, &state).map_err(refused)?;
    if passkey.cred_id().as_slice() != response.raw_id.as_slice() {
        return Err(refused("the response names a credential that was not created"));
    }
    if !(1..=CREDENTIAL_ID_BYTES_MAX).contains(&passkey.cred_id().as_slice().len()) {
        return Err(refused("the id of the credential is empty or too long"));
    }
    let stored = serde_json::to_value(&passkey).map_err(refused)?;
    Ok(NewCredential {
        credential_id: passkey.cred_id().to_vec(),
        sign_count: stored["cred"]["counter"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        is_backed_up: stored["cred"]["backup_state"].as_bool().unwrap_or(false),
        credential_json: stored.to_string(),
    })
}

/// Options for an assertion. `allowed`: the ids of the passkeys to use. Empty: any passkey that the browser has.
pub(super) fn start_assertion(config: &Config, allowed: &[Vec<u8>]) -> Result<(Value, String), FactorError> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (options, state) = relying_party(config)?.start_discoverable_authentication().map_err(refused)?;
    let options = serde_json::to_value(&options).map_err(refused)?;
    let mut request = json!({"publicKey": options["publicKey"]});
    let descriptors = allowed.iter().map(|id| json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(id)}));
    request["publicKey"]["allowCredentials"] = descriptors.collect();
    Ok((request, serde_json::to_string(&state).map_err(refused)?))
}

/// A parsed response that is not checked yet.
pub(super) struct AuthenticatorResponse(PublicKeyCredential);

impl AuthenticatorResponse {
    pub(super) fn parse(text: &str) -> Result<Self, FactorError> {
        let response: PublicKeyCredential = parse(text)?;
        if response.type_ == "public-key" { Ok(Self(response)) } else { Err(refused("another type of credential")) }
    }

    pub(super) fn credential_id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    pub(super) fn user_handle(&self) -> Option<&[u8]> {
        self.0.get_user_unique_id()
    }
}

/// The facts of an assertion that was checked.
pub(super) struct AssertionResult {
    pub sign_count: u32,
    pub is_backed_up: bool,
    pub credential_json: String,
}

/// Checks type, challenge, origin, rpIdHash, presence, verification, backup flags, signature and counter (§7.2).
pub(super) fn finish_assertion(
    config: &Config,
    state: &str,
    response: &AuthenticatorResponse,
    credential_json: &str,
) -> Result<AssertionResult, FactorError> {
    refuse_cross_origin(&response.0.response.client_data_json)?;
    refuse_trailing_bytes(&response.0.response.authenticator_data)?;
    let state: DiscoverableAuthentication = serde_json::from_str(state).map_err(refused)?;
    let mut passkey: Passkey = serde_json::from_str(credential_json).map_err(|_| FactorError::Damaged)?;
    let checked = relying_party(config)?.finish_discoverable_authentication_v2(&response.0, state, &passkey);
    let result = checked.map_err(|error| match error {
        WebauthnError::CredentialPossibleCompromise => FactorError::PasskeyCopied,
        other => refused(other),
    })?;
    if !result.user_verified() {
        return Err(refused("the person was not verified"));
    }
    let _ = passkey.update_credential(&result);
    Ok(AssertionResult {
        sign_count: result.counter(),
        is_backed_up: result.backup_state(),
        credential_json: serde_json::to_string(&passkey).map_err(refused)?,
    })
}

/// Refuses a response from a frame (§7.2 steps 10 and 11), because our pages are never in a frame. webauthn-rs checks
/// this for registrations only.
fn refuse_cross_origin(client_data: &[u8]) -> Result<(), FactorError> {
    let client_data: Value = serde_json::from_slice(client_data).map_err(refused)?;
    let is_same_origin = matches!(client_data.get("crossOrigin"), None | Some(Value::Null | Value::Bool(false)));
    if is_same_origin && client_data.get("topOrigin").is_none() {
        Ok(())
    } else {
        Err(refused("it was signed in a frame of another site"))
    }
}

/// Refuses trailing bytes, which webauthn-rs ignores: authenticator data has 37 bytes, unless its flags announce more
/// (§6.1).
fn refuse_trailing_bytes(authenticator_data: &[u8]) -> Result<(), FactorError> {
    const LENGTH: usize = 37;
    const MORE: u8 = 0x40 | 0x80;
    let announces_more = authenticator_data.get(32).is_some_and(|flags| flags & MORE != 0);
    if announces_more || authenticator_data.len() == LENGTH {
        Ok(())
    } else {
        Err(refused("the authenticator data has a wrong length"))
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, FactorError> {
    if text.len() > RESPONSE_BYTES_MAX {
        return Err(refused("the response is too long"));
    }
    serde_json::from_str(text).map_err(refused)
}
