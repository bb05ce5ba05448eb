//! Passkeys (W3C WebAuthn Level 3): options for a browser, and the check of what it answers. The cryptography and the steps of
//! §7.1 and §7.2 are webauthn-rs; what it leaves to its caller (one use, owner, counter, uniqueness) is in `ops`.

use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url,
    Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::error::FactorError;
use super::model::CHALLENGE_LIFE;
use crate::config::Config;

/// What a browser can send at most: an answer has some hundred bytes, with a large key a few thousand.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The site as authenticators know it: the host name, and exactly the origin of `public_url`.
fn party(config: &Config) -> Result<Webauthn, FactorError> {
    let url = Url::parse(&config.public_url).map_err(|_| FactorError::NoPasskeysHere)?;
    let host = url.domain().ok_or(FactorError::NoPasskeysHere)?;
    let builder = WebauthnBuilder::new(host, &url).map_err(|_| FactorError::NoPasskeysHere)?;
    builder.rp_name("Domicile").timeout(CHALLENGE_LIFE).build().map_err(|_| FactorError::NoPasskeysHere)
}

/// Whether this site can have passkeys at all: they hang on a host name.
pub fn passkeys_are_possible(config: &Config) -> bool {
    party(config).is_ok()
}

fn refused(error: impl std::fmt::Display) -> FactorError {
    FactorError::PasskeyRefused(error.to_string())
}

/// Options for a new passkey, and the state to check the answer with. It must be discoverable, because it is also a way in
/// without a name, and verify its person, because it is then the only proof.
pub(super) fn start_adding(
    config: &Config,
    handle: [u8; 16],
    username: &str,
    display_name: &str,
    known: Vec<Vec<u8>>,
) -> Result<(Value, String), FactorError> {
    let (options, state) = party(config)?
        .start_passkey_registration(Uuid::from_bytes(handle), username, display_name, Some(known))
        .map_err(refused)?;
    let mut options = serde_json::to_value(&options).map_err(refused)?;
    let selection = &mut options["publicKey"]["authenticatorSelection"];
    selection["residentKey"] = json!("required");
    selection["requireResidentKey"] = json!(true);
    Ok((options, serde_json::to_string(&state).map_err(refused)?))
}

/// A passkey that was just made.
pub(super) struct Made {
    pub credential_id: Vec<u8>,
    pub credential_json: String,
    pub sign_count: u32,
    pub is_backed_up: bool,
}

pub(super) fn finish_adding(config: &Config, state: &str, answer: &str) -> Result<Made, FactorError> {
    let answer: RegisterPublicKeyCredential = parsed(answer)?;
    if answer.type_ != "public-key" {
        return Err(refused("another type of credential"));
    }
    let state: PasskeyRegistration = serde_json::from_str(state).map_err(refused)?;
    let made = party(config)?.finish_passkey_registration(&answer, &state).map_err(refused)?;
    if made.cred_id().as_slice() != answer.raw_id.as_slice() {
        return Err(refused("the answer names another credential than was made"));
    }
    let kept = serde_json::to_value(&made).map_err(refused)?;
    Ok(Made {
        credential_id: made.cred_id().to_vec(),
        sign_count: kept["cred"]["counter"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        is_backed_up: kept["cred"]["backup_state"].as_bool().unwrap_or(false),
        credential_json: kept.to_string(),
    })
}

/// Options for a signature. `allowed`: only these passkeys; none for whichever the browser has.
pub(super) fn start_asserting(config: &Config, allowed: &[Vec<u8>]) -> Result<(Value, String), FactorError> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (options, state) = party(config)?.start_discoverable_authentication().map_err(refused)?;
    let options = serde_json::to_value(&options).map_err(refused)?;
    let mut asked = json!({"publicKey": options["publicKey"]});
    let named = allowed.iter().map(|id| json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(id)}));
    asked["publicKey"]["allowCredentials"] = named.collect();
    Ok((asked, serde_json::to_string(&state).map_err(refused)?))
}

/// An answer, taken apart and not believed yet.
pub(super) struct Answer(PublicKeyCredential);

impl Answer {
    pub(super) fn parse(text: &str) -> Result<Self, FactorError> {
        let answer: PublicKeyCredential = parsed(text)?;
        if answer.type_ == "public-key" { Ok(Self(answer)) } else { Err(refused("another type of credential")) }
    }

    pub(super) fn credential_id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    pub(super) fn user_handle(&self) -> Option<&[u8]> {
        self.0.get_user_unique_id()
    }
}

/// What a right signature tells.
pub(super) struct Signed {
    pub sign_count: u32,
    pub is_backed_up: bool,
    pub credential_json: String,
}

/// Checks type, challenge, origin, rpIdHash, presence, verification, backup flags, signature and counter (§7.2).
pub(super) fn finish_asserting(
    config: &Config,
    state: &str,
    answer: &Answer,
    credential_json: &str,
) -> Result<Signed, FactorError> {
    refuse_framed(&answer.0.response.client_data_json)?;
    refuse_padded(&answer.0.response.authenticator_data)?;
    let state: DiscoverableAuthentication = serde_json::from_str(state).map_err(refused)?;
    let mut passkey: Passkey = serde_json::from_str(credential_json).map_err(|_| FactorError::Damaged)?;
    let checked = party(config)?.finish_discoverable_authentication_v2(&answer.0, state, &passkey);
    let signed = checked.map_err(|error| match error {
        WebauthnError::CredentialPossibleCompromise => FactorError::PasskeyCopied,
        other => refused(other),
    })?;
    if !signed.user_verified() {
        return Err(refused("the person was not verified"));
    }
    let _ = passkey.update_credential(&signed);
    Ok(Signed {
        sign_count: signed.counter(),
        is_backed_up: signed.backup_state(),
        credential_json: serde_json::to_string(&passkey).map_err(refused)?,
    })
}

/// Our pages are in no frame, so no answer comes from one (§7.2 steps 10 and 11): webauthn-rs looks at this in registrations
/// alone.
fn refuse_framed(client_data: &[u8]) -> Result<(), FactorError> {
    let said: Value = serde_json::from_slice(client_data).map_err(refused)?;
    let is_own = matches!(said.get("crossOrigin"), None | Some(Value::Null | Value::Bool(false)));
    if is_own && said.get("topOrigin").is_none() {
        Ok(())
    } else {
        Err(refused("it was signed in a frame of another site"))
    }
}

/// Authenticator data is 37 bytes, unless its flags announce more (§6.1); webauthn-rs passes over what is left.
fn refuse_padded(authenticator_data: &[u8]) -> Result<(), FactorError> {
    const LENGTH: usize = 37;
    const MORE: u8 = 0x40 | 0x80;
    let announces_more = authenticator_data.get(32).is_some_and(|flags| flags & MORE != 0);
    if announces_more || authenticator_data.len() == LENGTH {
        Ok(())
    } else {
        Err(refused("its data has another length"))
    }
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, FactorError> {
    if text.len() > ANSWER_BYTES_MAX {
        return Err(refused("the answer is too long"));
    }
    serde_json::from_str(text).map_err(refused)
}
