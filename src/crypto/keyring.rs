//! The keyring: every secret of the appliance in one file outside the data folder, so that a copied database alone opens
//! nothing.

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
    /// Places of the pepper and the data key that new digests and ciphertexts are made with: the newest, until
    /// [`Keyring::use_only`] says otherwise.
    in_use: (AtomicUsize, AtomicUsize),
}

/// Names one pepper and one data key of a keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIds {
    /// For look-up digests.
    pub pepper: u32,
    /// For sealed values.
    pub data_key: u32,
}

/// The keyring lacks a key that the database was written with: it is older than the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keyring lacks pepper {} or data key {}", .0.pepper, .0.data_key)]
pub struct TooOld(pub KeyIds);

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
    /// Another command is writing it.
    #[error("another command is changing {}", .0.display())]
    Busy(PathBuf),
}

impl Keyring {
    /// A new keyring with one key of each kind.
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

    /// Adds a new pepper and a new data key to the keyring file, which is replaced whole: beside it, synced, renamed. Every old
    /// one stays, so nothing that was written with it is lost. Owner and mode stay as they are. Answers the keyring as it is
    /// then.
    ///
    /// # Errors
    /// [`KeyringError`]; the file is as it was then.
    pub fn rotate(path: &Path, rng: &mut Rng) -> Result<Self, KeyringError> {
        let io = |source: std::io::Error| KeyringError::Io { path: path.to_owned(), source };
        // What a link leads to is replaced, not the link.
        let path = &std::fs::canonicalize(path).map_err(io)?;
        // Two commands at once would each lose the other's keys.
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

        let unfinished = keyring.write_beside(path)?;
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

    /// Every pepper and every data key, the oldest first.
    pub fn all_ids(&self) -> (Vec<u32>, Vec<u32>) {
        let peppers = self.peppers.iter().map(|(id, _)| *id).collect();
        (peppers, self.data_keys.iter().map(|(id, _)| *id).collect())
    }

    /// Makes new digests and ciphertexts with these keys, though there may be newer ones: a server that was started before a
    /// rotation knows only them, and what is written beside it must be good for it too.
    ///
    /// # Errors
    /// [`TooOld`] when the keyring lacks one of them; nothing changes then.
    pub fn use_only(&self, ids: KeyIds) -> Result<(), TooOld> {
        let pepper = self.peppers.iter().position(|(id, _)| *id == ids.pepper).ok_or(TooOld(ids))?;
        let data_key = self.data_keys.iter().position(|(id, _)| *id == ids.data_key).ok_or(TooOld(ids))?;
        self.in_use.0.store(pepper, Ordering::SeqCst);
        self.in_use.1.store(data_key, Ordering::SeqCst);
        Ok(())
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

    /// Writes a new keyring with mode 0600, durable when this returns. Never overwrites.
    ///
    /// # Errors
    /// [`KeyringError::Exists`], [`KeyringError::Io`].
    pub fn write_new(&self, path: &Path) -> Result<(), KeyringError> {
        let io = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AlreadyExists => KeyringError::Exists(path.to_owned()),
            _ => KeyringError::Io { path: path.to_owned(), source },
        };
        let unfinished = self.write_beside(path)?;
        // A second name instead of a new one: a rename would replace a keyring that is there.
        let named = std::fs::hard_link(&unfinished, path);
        std::fs::remove_file(&unfinished).map_err(io)?;
        named.map_err(io)?;
        sync_folder_of(path).map_err(io)
    }

    /// Writes the whole text beside `path`, on the disk when this returns.
    fn write_beside(&self, path: &Path) -> Result<PathBuf, KeyringError> {
        let io = |source: std::io::Error| KeyringError::Io { path: path.to_owned(), source };
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
        Ok(unfinished)
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

    /// The look-up digest of a secret: HMAC-SHA-256 (RFC 2104) under the pepper in use.
    pub fn lookup(&self, secret: &[u8]) -> [u8; 32] {
        digest(&self.pepper_in_use().1, secret)
    }

    /// The digests under every pepper, that in use first, then the newest: an older key is found until it is
    /// rewritten, and so is one that was written beside a server that does not know the newest yet.
    pub fn lookups(&self, secret: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        let (first, _) = *self.pepper_in_use();
        let others = self.peppers.iter().rev().filter(move |(id, _)| *id != first);
        std::iter::once(self.pepper_in_use()).chain(others).map(move |(_, pepper)| digest(pepper, secret))
    }

    /// Which pepper [`Keyring::lookup`] uses.
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

    /// The data key of an id. `None`: it was rotated out.
    pub(super) fn data_key(&self, id: u32) -> Option<&Key> {
        self.data_keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }

    /// A key for one purpose, derived from the data key in use.
    pub fn derive(&self, purpose: &str) -> Key {
        let (_, key) = self.data_key_in_use();
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

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all())
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
    fn a_keyring_is_there_whole_or_not_at_all() {
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
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert_ne!(after.lookup(b"key"), before.lookup(b"key"));
        assert!(after.lookups(b"key").any(|digest| digest == before.lookup(b"key")));
        // As long as a server runs that has never heard of the new ones, digests are made with what it knows.
        after.use_only(before.newest()).unwrap();
        assert_eq!((after.lookup(b"key"), after.pepper_id()), (before.lookup(b"key"), 1));
        assert_eq!(before.use_only(after.newest()), Err(TooOld(after.newest())));
        assert_eq!(before.pepper_id(), 1);
    }

    #[test]
    fn a_rotation_that_cannot_be_written_leaves_the_keyring_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        keyring().write_new(&path).unwrap();
        let text = std::fs::read(&path).unwrap();
        // A folder where the new one would be written.
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
