//! The lines of the journal file: an entry as JSON, with its signature.

use ed25519_dalek::{Signature, Verifier};
use serde::{Deserialize, Serialize};

use super::model::{Entry, EntryKind};
use crate::base::{Digest, Timestamp};
use crate::crypto::Keyring;

/// A line as JSON. The line of an erasure has `erased_at` and `receipt`, all others have `event` and `at`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonLine {
    seq: i64,
    id: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    erased_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    receipt: Option<String>,
    prev_hash: String,
    hash: String,
    signature: String,
}

/// The line of an entry, with its line end.
pub fn write(entry: &Entry, keyring: &Keyring) -> String {
    let at = Some(entry.at.rfc3339());
    let (erased_at, at) = if entry.kind == EntryKind::Erasure { (at, None) } else { (None, at) };
    let line = JsonLine {
        seq: entry.seq,
        id: entry.target.clone(),
        kind: entry.kind.as_str().to_owned(),
        event: entry.event.clone(),
        account: entry.account.clone(),
        detail: entry.detail.clone(),
        at,
        erased_at,
        receipt: entry.receipt.clone(),
        prev_hash: hex::encode(entry.previous),
        hash: hex::encode(entry.hash),
        signature: hex::encode(keyring.sign(&entry.signed_bytes())),
    };
    // A structure of texts and numbers always has a form in JSON.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// An entry as a file has it. It is not checked whether it belongs there.
pub(super) struct ReadLine {
    pub entry: Entry,
    signature: [u8; 64],
}

impl ReadLine {
    /// Reads a line without its line end. `None`: it is not a line of a journal.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let line: JsonLine = serde_json::from_slice(text).ok()?;
        let kind = EntryKind::parse(&line.kind)?;
        let at = match (kind, &line.at, &line.erased_at) {
            (EntryKind::Erasure, None, Some(at)) => at,
            (EntryKind::Revocation | EntryKind::Reactivation, Some(at), None) => at,
            _ => return None,
        };
        let mut signature = [0u8; 64];
        hex::decode_to_slice(&line.signature, &mut signature).ok()?;
        let entry = Entry {
            seq: line.seq,
            kind,
            at: Timestamp::parse(at)?,
            event: line.event,
            target: line.id,
            account: line.account,
            detail: line.detail,
            receipt: line.receipt,
            previous: digest(&line.prev_hash)?,
            hash: digest(&line.hash)?,
        };
        // An erasure does not hash these, so they must not be there.
        let is_plain = entry.event.is_none() && entry.account.is_none() && entry.detail.is_none();
        let is_complete = match kind {
            EntryKind::Erasure => is_plain && entry.receipt.is_some(),
            EntryKind::Revocation | EntryKind::Reactivation => entry.event.is_some() && entry.receipt.is_none(),
        };
        is_complete.then_some(Self { entry, signature })
    }

    /// Whether the appliance of this keyring signed it.
    pub(super) fn is_signed_by(&self, keyring: &Keyring) -> bool {
        let signature = Signature::from_bytes(&self.signature);
        keyring.verifying_key().verify(&self.entry.signed_bytes(), &signature).is_ok()
    }
}

fn digest(text: &str) -> Option<Digest> {
    let mut bytes = Digest::default();
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}
