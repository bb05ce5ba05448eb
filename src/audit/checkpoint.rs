//! Checkpoints: the size and the root of the tree, signed. One that is kept elsewhere proves later that the events up to it
//! are all there and unchanged. Pure functions.
//!
//! A checkpoint is a text (C2SP `tlog-checkpoint`) in a signed note (C2SP `signed-note` v1), so that programs of others can
//! read and check it:
//!
//! ```text
//! account.example.org/audit/1                      the origin: which log, and which epoch of it
//! 1234                                             the number of events
//! dCRzvOOyVBhKF8Bn1nJrBvHRFKU1RGN+Pq3ADXbRfI0=     the root of the tree
//!
//! — account.example.org/audit/1 l3Yt1Aw9…          the key (its first four bytes of an id) and the signature
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::base::Digest;

/// The byte of `signed-note` for Ed25519.
const ED25519: u8 = 0x01;
/// What a line with a signature begins with.
pub(super) const SIGNED_BY: &str = "\u{2014} ";
/// The most that is read as a checkpoint, in bytes. Ours have some 300; witnesses may have added signatures.
const NOTE_MAX: usize = 64 * 1024;

/// The size and the root of the tree of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of the appliance, and the number of the epoch.
    pub origin: String,
    /// The number of events.
    pub size: u64,
    /// The root of the tree over their leaves.
    pub root: Digest,
}

/// The origin of an epoch: a restore opens a new one, because what was lost is not in it.
pub(super) fn origin(host: &str, epoch: i64) -> String {
    format!("{host}/audit/{epoch}")
}

impl Checkpoint {
    /// The number of the epoch. The host may have been another one. `None`: the origin is not one of ours.
    pub(super) fn epoch(&self) -> Option<i64> {
        self.origin.rsplit_once("/audit/")?.1.parse().ok()
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    pub(super) fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let signature = key.sign(text.as_bytes()).to_bytes();
        let blob = [key_id(&self.origin, &key.verifying_key()).as_slice(), signature.as_slice()].concat();
        format!("{text}\n{SIGNED_BY}{} {}\n", self.origin, STANDARD.encode(blob))
    }

    /// Reads a signed note. Signatures by other keys are left to those who know them.
    ///
    /// # Errors
    /// [`NoteFault`].
    pub(super) fn open(note: &str, key: &VerifyingKey) -> Result<Self, NoteFault> {
        if note.len() > NOTE_MAX {
            return Err(NoteFault::NoCheckpoint);
        }
        let (text, signatures) = note.split_once("\n\n").ok_or(NoteFault::NoCheckpoint)?;
        let text = format!("{text}\n");
        let checkpoint = Self::parse(&text).ok_or(NoteFault::NoCheckpoint)?;
        let id = key_id(&checkpoint.origin, key);
        for line in signatures.lines() {
            let Some((name, blob)) = line.strip_prefix(SIGNED_BY).and_then(|rest| rest.split_once(' ')) else {
                return Err(NoteFault::NoCheckpoint);
            };
            let blob = STANDARD.decode(blob).map_err(|_| NoteFault::NoCheckpoint)?;
            let Some(signature) = blob.strip_prefix(&id).filter(|_| name == checkpoint.origin) else { continue };
            let signature = Signature::from_slice(signature).map_err(|_| NoteFault::NotSigned)?;
            return key.verify(text.as_bytes(), &signature).map(|()| checkpoint).map_err(|_| NoteFault::NotSigned);
        }
        Err(NoteFault::NotSigned)
    }

    /// Reads signed notes that follow each other, as in the file of all checkpoints. The last one may be incomplete, because
    /// a copy may be made while it is written.
    ///
    /// # Errors
    /// [`NoteFault`] of the first one that is not a checkpoint of this appliance.
    pub(super) fn open_all(notes: &str, key: &VerifyingKey) -> Result<Vec<Self>, NoteFault> {
        let mut opened = Vec::new();
        let mut note = String::new();
        for line in notes.lines() {
            // The first line of a text after a line with a signature begins the next note.
            if !line.starts_with(SIGNED_BY) && note.contains(SIGNED_BY) {
                opened.push(Self::open(&note, key)?);
                note.clear();
            }
            note.push_str(line);
            note.push('\n');
        }
        let is_cut_off = !note.contains(SIGNED_BY) || !notes.ends_with('\n');
        match Self::open(&note, key) {
            Err(_) if is_cut_off && !opened.is_empty() => {}
            last => opened.push(last?),
        }
        Ok(opened)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let parsed = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: STANDARD.decode(root).ok()?.try_into().ok()?,
        };
        // Extension lines may follow. What comes before them has one spelling only.
        text.starts_with(&parsed.text()).then_some(parsed)
    }
}

/// Why a text is not a checkpoint of this appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// It does not have the form of one.
    #[error("it is not a checkpoint")]
    NoCheckpoint,
    /// The signature of this appliance is missing or wrong.
    #[error("it is not signed by this appliance: it is of another one, or was changed")]
    NotSigned,
}

/// The id of a key in notes (C2SP `signed-note`).
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// The key that checks the notes of an origin, as other programs take it (C2SP `signed-note`, "vkey").
pub(super) fn public_key(origin: &str, key: &VerifyingKey) -> String {
    let typed = [&[ED25519], key.as_bytes().as_slice()].concat();
    format!("{origin}+{}+{}", hex::encode(key_id(origin, key)), STANDARD.encode(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: origin("account.example.org", 3), size: 1234, root: [9; 32] }
    }

    #[test]
    fn a_signed_checkpoint_opens_and_names_its_epoch() {
        let note = checkpoint().sign(&key());
        assert_eq!(Checkpoint::open(&note, &key().verifying_key()), Ok(checkpoint()));
        assert_eq!(checkpoint().epoch(), Some(3));
        let notes = [note.as_str(), &note, &note].concat();
        assert_eq!(Checkpoint::open_all(&notes, &key().verifying_key()).unwrap().len(), 3);
        assert_eq!(Checkpoint::open_all(&notes[1..], &key().verifying_key()), Err(NoteFault::NotSigned));
        // A copy of the moment in which the last one is written has the others; a whole one that is wrong stays a fault.
        for cut in (note.len() + 1..2 * note.len()).filter(|cut| notes.is_char_boundary(*cut)) {
            let opened = Checkpoint::open_all(&notes[..cut], &key().verifying_key()).unwrap();
            assert_eq!(opened.len(), if cut == 2 * note.len() - 1 { 2 } else { 1 }, "{cut}");
        }
        let changed = format!("{note}{}", note.replacen("1234", "1235", 1));
        assert_eq!(Checkpoint::open_all(&changed, &key().verifying_key()), Err(NoteFault::NotSigned));
        let cosigned = format!("{note}\u{2014} witness.example.net AAAAAAAA\n");
        assert_eq!(Checkpoint::open(&cosigned, &key().verifying_key()), Ok(checkpoint()));
    }

    #[test]
    fn what_was_changed_or_signed_by_another_does_not_open() {
        let note = checkpoint().sign(&key());
        let open = |note: &str| Checkpoint::open(note, &key().verifying_key());
        let other = SigningKey::from_bytes(&[8; 32]);
        assert_eq!(Checkpoint::open(&note, &other.verifying_key()), Err(NoteFault::NotSigned));
        assert_eq!(open(&note.replacen("1234", "1235", 1)), Err(NoteFault::NotSigned));
        assert_eq!(open(&note.replace("audit/3", "audit/4")), Err(NoteFault::NotSigned));
        assert_eq!(open(&note.replacen("1234", "01234", 1)), Err(NoteFault::NoCheckpoint));
        assert_eq!(open(&note.replacen("1234", "-1", 1)), Err(NoteFault::NoCheckpoint));
        assert_eq!(open("no checkpoint"), Err(NoteFault::NoCheckpoint));
        assert_eq!(open(&"a".repeat(NOTE_MAX + 1)), Err(NoteFault::NoCheckpoint));
        let signature_only = note.split_once("\n\n").unwrap().1;
        assert_eq!(open(signature_only), Err(NoteFault::NoCheckpoint));
        for at in 0..note.len() {
            let mut changed = note.clone().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(open(&changed).is_err() || !changed.starts_with(&checkpoint().text()), "{changed}");
        }
    }
}
