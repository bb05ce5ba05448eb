//! The keyring: all secrets of the appliance in one file outside the data folder, so that a copy of the database alone
//! is useless.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::base::{Rng, Secret, Timestamp};

type Key = Secret<[u8; 32]>;
type HmacSha256 = Hmac<Sha256>;

const HEADER: &str = "\
# The keyring of a Domicile appliance. Without it, its database, snapshots and backups can never be read again.
# Keep a copy in a safe place, but never together with a copy of the database: each alone is useless to a thief.
";

/// The secrets. They are never printed and never stored in the database.
pub struct Keyring {
    database_key: Key,
    /// Newest last.
    peppers: Vec<(u32, HmacSha256)>,
    pepper_bytes: Vec<(u32, Key)>,
    /// Newest last.
    data_keys: Vec<(u32, Key)>,
    signing_key: SigningKey,
    created_at: String,
    /// Indexes of the pepper and the data key for new digests and ciphertexts: the newest ones, until
    /// [`Keyring::use_only`] sets others.
    in_use: (AtomicUsize, AtomicUsize),
}

/// The ids of one pepper and one data key of a keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIds {
    /// The pepper for look-up digests.
    pub pepper: u32,
    /// The data key for sealed values.
    pub data_key: u32,
}

/// The keyring does not have a key that the database was written with, so it is older than the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keyring lacks pepper {} or data key {}", .0.pepper, .0.data_key)]
pub struct TooOld(pub KeyIds);

/// Why a keyring cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum KeyringError {
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A keyring is never overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("{} can be read by others than its owner (mode {mode:04o})", path.display())]
    ReadableByOthers { path: PathBuf, mode: u32 },
    #[error("{} is not a keyring: line {line} is not readable", path.display())]
    NotAKeyring {
        path: PathBuf,
        /// Counted from 1. 0: a key is missing.
        line: usize,
    },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("another command is changing {}", .0.display())]
    Busy(PathBuf),
}

impl Keyring {
    /// Generates a new keyring with one key of each kind.
    pub fn generate(rng: &mut Rng, now: Timestamp) -> Self {
        let pepper = rng.bytes::<32>();
        Self {
            database_key: Secret::new(rng.bytes()),
            peppers: vec![(1, hmac_of(&pepper))],
            pepper_bytes: vec![(1, Secret::new(pepper))],
            data_keys: vec![(1, Secret::new(rng.bytes()))],
            signing_key: SigningKey::from_bytes(&rng.bytes()),
            created_at: now.rfc3339(),
            in_use: Default::default(),
        }
    }

    /// Adds a new pepper and a new data key to the keyring file. The file is replaced as a whole: a temporary file is
    /// written next to it, synced and renamed. All old keys stay, so nothing that was written with them is lost. Owner
    /// and mode do not change. Answers the new keyring.
    ///
    /// # Errors
    /// [`KeyringError`]; the file is unchanged then.
    pub fn rotate(path: &Path, rng: &mut Rng) -> Result<Self, KeyringError> {
        let io = |source: std::io::Error| KeyringError::Io { path: path.to_owned(), source };
        // Replace the target of a link, not the link.
        let path = &std::fs::canonicalize(path).map_err(io)?;
        // Two rotations at the same time would each lose the keys of the other.
        let held = std::fs::File::open(path).map_err(io)?;
        held.try_lock().map_err(|_| KeyringError::Busy(path.to_owned()))?;
        let (held_file, named_file) = (held.metadata().map_err(io)?, std::fs::metadata(path).map_err(io)?);
        if held_file.ino() != named_file.ino() {
            return Err(KeyringError::Busy(path.to_owned()));
        }
        let mut keyring = Self::load(path, false)?;
        let (pepper, data_key) = (rng.bytes::<32>(), rng.bytes::<32>());
        let next = |ids: Vec<u32>| ids.into_iter().max().unwrap_or(0).saturating_add(1);
        let pepper_id = next(keyring.peppers.iter().map(|(id, _)| *id).collect());
        let data_key_id = next(keyring.data_keys.iter().map(|(id, _)| *id).collect());
        keyring.peppers.push((pepper_id, hmac_of(&pepper)));
        keyring.pepper_bytes.push((pepper_id, Secret::new(pepper)));
        keyring.data_keys.push((data_key_id, Secret::new(data_key)));

        let unfinished = keyring.write_unfinished(path)?;
        std::os::unix::fs::chown(&unfinished, Some(held_file.uid()), Some(held_file.gid())).map_err(io)?;
        std::fs::rename(&unfinished, path).map_err(io)?;
        sync_folder_of(path).map_err(io)?;
        Ok(Self::parse(keyring.text().expose()).unwrap_or(keyring))
    }

    /// The newest pepper and data key of the keyring.
    pub fn newest(&self) -> KeyIds {
        let last = |ids: Option<u32>| ids.unwrap_or(0);
        KeyIds {
            pepper: last(self.peppers.last().map(|(id, _)| *id)),
            data_key: last(self.data_keys.last().map(|(id, _)| *id)),
        }
    }

    /// The ids of all peppers and of all data keys, the oldest first.
    pub fn all_ids(&self) -> (Vec<u32>, Vec<u32>) {
        let peppers = self.peppers.iter().map(|(id, _)| *id).collect();
        (peppers, self.data_keys.iter().map(|(id, _)| *id).collect())
    }

    /// Makes new digests and ciphertexts with these keys, even if there are newer ones: a server that was started
    /// before a rotation knows only these, and it must be able to read what a command writes.
    ///
    /// # Errors
    /// [`TooOld`] when the keyring does not have one of them; nothing is changed then.
    pub fn use_only(&self, ids: KeyIds) -> Result<(), TooOld> {
        let pepper = self.peppers.iter().position(|(id, _)| *id == ids.pepper).ok_or(TooOld(ids))?;
        let data_key = self.data_keys.iter().position(|(id, _)| *id == ids.data_key).ok_or(TooOld(ids))?;
        self.in_use.0.store(pepper, Ordering::SeqCst);
        self.in_use.1.store(data_key, Ordering::SeqCst);
        Ok(())
    }

    /// The path of the keyring: the systemd credential `keyring` if it exists, otherwise the configured path.
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

    pub(super) fn parse(text: &str) -> Result<Self, usize> {
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
        let peppers: Vec<_> = pepper_bytes.iter().map(|(id, bytes)| (*id, hmac_of(bytes.expose()))).collect();
        let in_use = (AtomicUsize::new(peppers.len() - 1), AtomicUsize::new(data_keys.len() - 1));
        Ok(Self {
            database_key: database_key.ok_or(0usize)?,
            peppers,
            pepper_bytes,
            data_keys,
            signing_key: signing_key.ok_or(0usize)?,
            created_at,
            in_use,
        })
    }

    /// Writes a new keyring with mode 0600. It is durable when this returns. Never overwrites a file.
    ///
    /// # Errors
    /// [`KeyringError::Exists`], [`KeyringError::Io`].
    pub fn write_new(&self, path: &Path) -> Result<(), KeyringError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AlreadyExists => KeyringError::Exists(path.to_owned()),
            _ => KeyringError::Io { path: path.to_owned(), source },
        };
        let unfinished = self.write_unfinished(path)?;
        // A hard link and not a rename, because a rename would replace an existing keyring.
        let named = std::fs::hard_link(&unfinished, path);
        std::fs::remove_file(&unfinished).map_err(io)?;
        named.map_err(io)?;
        sync_folder_of(path).map_err(io)
    }

    /// Writes the whole text to a temporary file next to `path`. It is on disk when this returns.
    fn write_unfinished(&self, path: &Path) -> Result<PathBuf, KeyringError> {
        let io = |source: std::io::Error| KeyringError::Io { path: path.to_owned(), source };
        let unfinished = unfinished(path);
        // A command that was killed may have left this file. Nothing was ever sealed with its secrets.
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(io)?;
        // An unusual umask must not make the file unreadable for its owner or readable for others.
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        file.write_all(self.text().expose().as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        Ok(unfinished)
    }

    pub(super) fn text(&self) -> Secret<String> {
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

    /// An identifier that reveals nothing of the secrets: eight hexadecimal digits, which an error message may show.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"domicile/keyring/1");
        hash.update(self.database_key.expose());
        hex::encode(&hash.finalize()[..4])
    }

    /// The database key in SQLCipher's raw key form.
    pub fn database_key_pragma(&self) -> Secret<String> {
        Secret::new(format!("x'{}'", hex::encode(self.database_key.expose())))
    }

    /// The database key for an independent reader: 64 hexadecimal digits.
    pub fn database_key_hex(&self) -> Secret<String> {
        Secret::new(hex::encode(self.database_key.expose()))
    }

    /// The look-up digest of a secret: HMAC-SHA-256 (RFC 2104) under the pepper in use.
    pub fn lookup(&self, secret: &[u8]) -> [u8; 32] {
        digest(&self.pepper_in_use().1, secret)
    }

    /// The look-up digests under every pepper: first the one in use, then from the newest to the oldest. So a
    /// credential is found under an older pepper until its digest is rewritten, and under a newer one that the running
    /// server does not use yet.
    pub fn lookups(&self, secret: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        let (first, _) = *self.pepper_in_use();
        let others = self.peppers.iter().rev().filter(move |(id, _)| *id != first);
        std::iter::once(self.pepper_in_use()).chain(others).map(move |(_, pepper)| digest(pepper, secret))
    }

    /// The id of the pepper that [`Keyring::lookup`] uses.
    pub fn pepper_id(&self) -> u32 {
        self.pepper_in_use().0
    }

    fn pepper_in_use(&self) -> &(u32, HmacSha256) {
        &self.peppers[self.in_use.0.load(Ordering::Relaxed)]
    }

    /// The data key for new ciphertexts, with its id.
    pub(super) fn data_key_in_use(&self) -> (u32, &Key) {
        let (id, key) = &self.data_keys[self.in_use.1.load(Ordering::Relaxed)];
        (*id, key)
    }

    /// The data key with this id. `None`: the keyring does not have it.
    pub(super) fn data_key(&self, id: u32) -> Option<&Key> {
        self.data_keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    /// A key for one purpose, derived from the data key in use.
    pub fn derive(&self, purpose: &str) -> Key {
        let (_, key) = self.data_key_in_use();
        Secret::new(digest(&hmac_of(key.expose()), format!("domicile/derive/1/{purpose}").as_bytes()))
    }

    /// HMAC-SHA-256 (RFC 2104) of `text` under the key of one purpose, in hexadecimal: for tokens that only this
    /// appliance can make and that are valid for that purpose only.
    pub fn mac(&self, purpose: &str, text: &str) -> String {
        hex::encode(digest(&hmac_of(self.derive(purpose).expose()), text.as_bytes()))
    }

    /// The key that signs checkpoints of the audit, and nothing else. It stays the same when peppers and data keys are
    /// added, because others keep its public part.
    pub fn checkpoint_key(&self) -> SigningKey {
        let seed = digest(&hmac_of(self.signing_key.as_bytes()), b"domicile/derive/1/audit.checkpoint");
        SigningKey::from_bytes(&seed)
    }

    /// Signs `message` with the Ed25519 key of the appliance (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key.sign(message).to_bytes()
    }

    /// The public key for the signatures of [`Keyring::sign`].
    pub fn verifying_key(&self) -> VerifyingKey {
        self.signing_key.verifying_key()
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.id())
    }
}

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all())
}

/// The path of a keyring file before it is complete.
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
        Keyring::generate(&mut Rng::seeded(1), Timestamp::from_millis(0))
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
    fn a_keyring_file_is_complete_or_does_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        std::fs::write(unfinished(&path), "half a key").unwrap();

        keyring().write_new(&path).unwrap();

        assert_eq!(Keyring::load(&path, false).unwrap().id(), keyring().id());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn c4_rotation_adds_keys_and_keeps_every_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        let before = keyring();
        before.write_new(&path).unwrap();

        for times in 1..=3 {
            let rotated = Keyring::rotate(&path, &mut Rng::seeded(40 + u64::from(times))).unwrap();
            let newest = KeyIds { pepper: 1 + times, data_key: 1 + times };
            assert_eq!((rotated.newest(), Keyring::load(&path, false).unwrap().newest()), (newest, newest));
            assert_eq!((rotated.id(), rotated.verifying_key()), (before.id(), before.verifying_key()));
        }

        let after = Keyring::load(&path, false).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left in the folder");
        assert_ne!(after.lookup(b"key"), before.lookup(b"key"));
        assert!(after.lookups(b"key").any(|digest| digest == before.lookup(b"key")));
        // While a server runs that does not know the new keys, digests are made with the keys that it knows.
        after.use_only(before.newest()).unwrap();
        assert_eq!((after.lookup(b"key"), after.pepper_id()), (before.lookup(b"key"), 1));
        assert_eq!(before.use_only(after.newest()), Err(TooOld(after.newest())));
        assert_eq!(before.pepper_id(), 1);
    }

    #[test]
    fn a_rotation_that_cannot_be_written_leaves_the_keyring_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        keyring().write_new(&path).unwrap();
        let text = std::fs::read(&path).unwrap();
        // A folder blocks the path of the temporary file.
        std::fs::create_dir(unfinished(&path)).unwrap();

        assert!(matches!(Keyring::rotate(&path, &mut Rng::seeded(1)), Err(KeyringError::Io { .. })));
        let held = std::fs::File::open(&path).unwrap();
        held.lock().unwrap();
        assert!(matches!(Keyring::rotate(&path, &mut Rng::seeded(1)), Err(KeyringError::Busy(_))));

        assert_eq!(std::fs::read(&path).unwrap(), text);
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
