//! The manifest of the archive, signed by the appliance, and the page that links its files.

use askama::Template;
use serde_json::{Value, json};

use crate::accounts::Account;
use crate::audit::Digest;
use crate::base::size_in_words;
use crate::crypto::Keyring;
use crate::db::SiteStamp;

/// A file of the archive, for the manifest.
#[derive(Debug)]
pub(super) struct Entry {
    pub path: String,
    pub title: &'static str,
    pub kind: &'static str,
    pub media: &'static str,
    /// The number of rows; 1 for a single object.
    pub rows: u64,
    pub bytes: u64,
    pub sha256: Digest,
}

impl Entry {
    fn to_json(&self) -> Value {
        json!({
            "path": self.path,
            "kind": self.kind,
            "media": self.media,
            "rows": self.rows,
            "bytes": self.bytes,
            "sha256": hex::encode(self.sha256),
        })
    }
}

/// The manifest. `signature.value` is an Ed25519 signature of this object without its member `signature`, serialized
/// without spaces and with the members of every object in alphabetical order (for these values the same as RFC 8785).
pub(super) fn signed(
    keyring: &Keyring,
    site: &SiteStamp,
    public_url: &str,
    person: &Account,
    created: &str,
    entries: &[Entry],
) -> Value {
    let mut manifest = json!({
        "format": "domicile.export",
        "schema": "1.0",
        "created": created,
        "region": site.region,
        "site": {
            "id": site.site_id,
            "url": public_url,
            "public_key": hex::encode(keyring.verifying_key().as_bytes()),
        },
        "subject": {"account": person.id.to_string(), "username": person.username},
        "parts": entries.iter().map(Entry::to_json).collect::<Vec<_>>(),
    });
    let signature = keyring.sign(manifest.to_string().as_bytes());
    manifest["signature"] = json!({"algorithm": "Ed25519", "value": hex::encode(signature)});
    manifest
}

#[derive(Template)]
#[template(path = "privacy/archive_index.html")]
struct Index<'i> {
    display_name: &'i str,
    region: &'i str,
    public_url: &'i str,
    created: &'i str,
    files: Vec<File<'i>>,
}

struct File<'i> {
    path: &'i str,
    title: &'i str,
    rows: u64,
    size: String,
}

/// The index page. It needs no network and no scripts.
pub(super) fn index(
    person: &Account,
    public_url: &str,
    created: &str,
    entries: &[Entry],
) -> Result<String, askama::Error> {
    let files = entries
        .iter()
        .map(|entry| File { path: &entry.path, title: entry.title, rows: entry.rows, size: size_in_words(entry.bytes) })
        .collect();
    Index { display_name: &person.display_name, region: &person.region, public_url, created, files }.render()
}
