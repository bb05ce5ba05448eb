//! The keyring: every secret of the appliance in one file outside the data folder, so that a copied database alone opens
//! nothing.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::base::{Chance, Secret, Timestamp};

type Key = Secret<[u8; 32]>;
type HmacSha256 = Hmac<Sha256>;

const HEADER: &str = "\
# The keyring of a Domicile appliance. Without it the database, its snapshots and its backups are unreadable for ever.
# Keep a copy in a safe place, but never beside a copy of the database: each alone is useless, both together are not.
";

/// The secrets. Never printed, never in the database.
pub struct Keyring {
    database_key: Key,
    /// Newest last.
    peppers: Vec<(u32, HmacSha256)>,
    pepper_bytes: Vec<(u32, Key)>,
    /// Newest last.
    data_keys: Vec<(u32, Key)>,
    signing_key: SigningKey,
    created_at: String,
}

/// Why a keyring is not usable.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no such file.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// It exists already, and is never overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// People other than its owner may read it.
    #[error("{} can be read by others than its owner (mode {mode:04o})", path.display())]
    ReadableByOthers {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a keyring.
    #[error("{} is not a keyring: line {line} is not readable", path.display())]
    NotAKeyring {
        /// Which file.
        path: PathBuf,
        /// Counted from 1; 0: something is missing.
        line: usize,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Keyring {
    /// A new keyring with one key of each kind.
    pub fn generate(chance: &mut Chance, now: Timestamp) -> Self {
        let pepper = chance.bytes::<32>();
        Self {
            database_key: Secret::new(chance.bytes()),
            peppers: vec![(1, hmac_of(&pepper))],
            pepper_bytes: vec![(1, Secret::new(pepper))],
            data_keys: vec![(1, Secret::new(chance.bytes()))],
            signing_key: SigningKey::from_bytes(&chance.bytes()),
            created_at: now.rfc3339(),
        }
    }

    /// Where the keyring is: a systemd credential of that name if there is one, else the configured path.
    pub fn locate(configured: &Path, credentials_directory: Option<&Path>) -> PathBuf {
        credentials_directory
            .map(|folder| folder.join("keyring"))
            .filter(|credential| credential.exists())
            .unwrap_or_else(|| configured.to_owned())
    }

    /// Reads a keyring. A systemd credential (`is_credential`) is protected by its folder, so its own mode may be 0440.
    ///
    /// # Errors
    /// [`KeyringError`]; the file is never changed.
    pub fn load(path: &Path, is_credential: bool) -> Result<Self, KeyringError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => KeyringError::Missing(path.to_owned()),
            _ => KeyringError::Io { path: path.to_owned(), source },
        };
        let mode = std::fs::metadata(path).map_err(io)?.mode() & 0o7777;
        let forbidden = if is_credential { 0o007 } else { 0o077 };
        if mode & forbidden != 0 {
            return Err(KeyringError::ReadableByOthers { path: path.to_owned(), mode });
        }
        let text = Secret::new(std::fs::read_to_string(path).map_err(io)?);
        Self::parse(text.expose()).map_err(|line| KeyringError::NotAKeyring { path: path.to_owned(), line })
    }

    fn parse(text: &str) -> Result<Self, usize> {
        let (mut database_key, mut signing_key, mut created_at) = (None, None, String::new());
        let (mut pepper_bytes, mut data_keys) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let bad = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("created"), Some(at), None, None) => created_at = at.to_owned(),
                (Some(kind), Some(id), Some(hexadecimal), None) => {
                    let id: u32 = id.parse().map_err(|_| bad)?;
                    let mut bytes = [0u8; 32];
                    hex::decode_to_slice(hexadecimal, &mut bytes).map_err(|_| bad)?;
                    match kind {
                        "database-key" => database_key = Some(Secret::new(bytes)),
                        "signing-key" => signing_key = Some(SigningKey::from_bytes(&bytes)),
                        "pepper" => pepper_bytes.push((id, Secret::new(bytes))),
                        "data-key" => data_keys.push((id, Secret::new(bytes))),
                        _ => return Err(bad),
                    }
                }
                _ => return Err(bad),
            }
        }
        if pepper_bytes.is_empty() || data_keys.is_empty() {
            return Err(0);
        }
        let peppers = pepper_bytes.iter().map(|(id, bytes)| (*id, hmac_of(bytes.expose()))).collect();
        Ok(Self {
            database_key: database_key.ok_or(0usize)?,
            peppers,
            pepper_bytes,
            data_keys,
            signing_key: signing_key.ok_or(0usize)?,
            created_at,
        })
    }

    /// Writes a new keyring with mode 0600, durable when this returns. Never overwrites.
    ///
    /// # Errors
    /// [`KeyringError::Exists`], [`KeyringError::Io`].
    pub fn write_new(&self, path: &Path) -> Result<(), KeyringError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AlreadyExists => KeyringError::Exists(path.to_owned()),
            _ => KeyringError::Io { path: path.to_owned(), source },
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let unfinished = unfinished(path);
        // What was killed while it wrote this left secrets that nothing was ever sealed with.
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(io)?;
        // An odd umask must not make the file unreadable for us or readable for others.
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        file.write_all(self.text().expose().as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        // A second name instead of a new one: a rename would replace a keyring that is there.
        let named = std::fs::hard_link(&unfinished, path);
        std::fs::remove_file(&unfinished).map_err(io)?;
        named.map_err(io)?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
    }

    fn text(&self) -> Secret<String> {
        let mut text = format!("{HEADER}created {}\n", self.created_at);
        let mut line = |kind: &str, id: u32, bytes: &[u8; 32]| {
            text.push_str(&format!("{kind} {id} {}\n", hex::encode(bytes)));
        };
        line("database-key", 1, self.database_key.expose());
        self.pepper_bytes.iter().for_each(|(id, key)| line("pepper", *id, key.expose()));
        self.data_keys.iter().for_each(|(id, key)| line("data-key", *id, key.expose()));
        line("signing-key", 1, self.signing_key.as_bytes());
        Secret::new(text)
    }

    /// Names the keyring without telling it: eight hexadecimal digits that an error message may show.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"domicile/keyring/1");
        hash.update(self.database_key.expose());
        hex::encode(&hash.finalize()[..4])
    }

    /// SQLCipher's raw key form.
    pub fn database_key_pragma(&self) -> Secret<String> {
        Secret::new(format!("x'{}'", hex::encode(self.database_key.expose())))
    }

    /// The database key for an independent reader, 64 hexadecimal digits.
    pub fn database_key_hex(&self) -> Secret<String> {
        Secret::new(hex::encode(self.database_key.expose()))
    }

    /// The look-up digest of a secret: HMAC-SHA-256 (RFC 2104) under the newest pepper.
    pub fn lookup(&self, secret: &[u8]) -> [u8; 32] {
        digest(&self.newest_pepper().1, secret)
    }

    /// The digests under every pepper, the newest first: an older key is found until it is rewritten.
    pub fn lookups(&self, secret: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.peppers.iter().rev().map(move |(_, pepper)| digest(pepper, secret))
    }

    /// Which pepper [`Keyring::lookup`] uses.
    pub fn pepper_id(&self) -> u32 {
        self.newest_pepper().0
    }

    fn newest_pepper(&self) -> &(u32, HmacSha256) {
        &self.peppers[self.peppers.len() - 1]
    }

    /// The data key for new ciphertexts, with its id.
    pub(super) fn newest_data_key(&self) -> (u32, &Key) {
        let (id, key) = &self.data_keys[self.data_keys.len() - 1];
        (*id, key)
    }

    /// The data key of an id. `None`: it was rotated out.
    pub(super) fn data_key(&self, id: u32) -> Option<&Key> {
        self.data_keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    /// A key for one purpose, derived from the newest data key.
    pub fn derive(&self, purpose: &str) -> Key {
        let (_, key) = self.newest_data_key();
        Secret::new(digest(&hmac_of(key.expose()), format!("domicile/derive/1/{purpose}").as_bytes()))
    }

    /// HMAC-SHA-256 (RFC 2104) of `text` under the key of one purpose, in hexadecimal: for tokens that only we can make and
    /// that hold for that purpose alone.
    pub fn mark(&self, purpose: &str, text: &str) -> String {
        hex::encode(digest(&hmac_of(self.derive(purpose).expose()), text.as_bytes()))
    }

    /// An Ed25519 signature (RFC 8032) by the appliance.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key.sign(message).to_bytes()
    }

    /// The public half of [`Keyring::sign`].
    pub fn verifying_key(&self) -> VerifyingKey {
        self.signing_key.verifying_key()
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.id())
    }
}

/// How a keyring is called before it is whole.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

fn hmac_of(key: &[u8; 32]) -> HmacSha256 {
    // HMAC takes keys of any length; 32 bytes are always right.
    #[allow(clippy::expect_used)]
    HmacSha256::new_from_slice(key).expect("HMAC takes any key")
}

fn digest(keyed: &HmacSha256, message: &[u8]) -> [u8; 32] {
    let mut mac = keyed.clone();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        Keyring::generate(&mut Chance::seeded(1), Timestamp::from_millis(0))
    }

    #[test]
    fn a_keyring_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        let keyring = keyring();
        keyring.write_new(&path).unwrap();

        let read = Keyring::load(&path, false).unwrap();

        assert_eq!((read.id(), read.lookup(b"x")), (keyring.id(), keyring.lookup(b"x")));
        assert_eq!(read.derive("csrf").expose(), keyring.derive("csrf").expose());
        assert!(matches!(keyring.write_new(&path), Err(KeyringError::Exists(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_keyring_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        std::fs::write(unfinished(&path), "half a key").unwrap();

        keyring().write_new(&path).unwrap();

        assert_eq!(Keyring::load(&path, false).unwrap().id(), keyring().id());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_keyring_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        keyring().write_new(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();

        assert!(matches!(Keyring::load(&path, false), Err(KeyringError::ReadableByOthers { mode: 0o640, .. })));
        assert!(Keyring::load(&path, true).is_ok());
    }

    #[test]
    fn a_damaged_keyring_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        std::fs::write(&path, "created now\npepper 1 abc\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();

        assert!(matches!(Keyring::load(&path, false), Err(KeyringError::NotAKeyring { line: 2, .. })));
        assert!(matches!(Keyring::load(&folder.path().join("none"), false), Err(KeyringError::Missing(_))));
    }
}
