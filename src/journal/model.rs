//! The entries of the journal, and the chain that they form. Pure functions.

use sha2::{Digest as _, Sha256};

use crate::base::{Digest, GENESIS, Timestamp};

/// What the hash and the signature of an erasure begin with. Erasures keep the form that they had before the journal
/// had other entries.
const ERASURE_DOMAIN: &[u8] = b"domicile/tombstone/1";
/// What the hash and the signature of any other entry begin with.
const ENTRY_DOMAIN: &[u8] = b"domicile/journal/2";
/// The length that is hashed for a text that is absent. No text is that long.
const ABSENT: u64 = u64::MAX;

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A person was erased.
    Erasure,
    /// Something that gave access has ended: a key, a password, a session.
    Revocation,
    /// A revocation was taken back: a suspended account was reactivated, a disabled key enabled.
    Reactivation,
}

impl EntryKind {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Erasure => "erasure",
            Self::Revocation => "revocation",
            Self::Reactivation => "reactivation",
        }
    }

    /// Reads the stored form. `None`: there is no such kind.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Erasure, Self::Revocation, Self::Reactivation].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What is to be recorded. All values are opaque: the journal is not encrypted, and is never erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewEntry {
    /// A person was erased.
    Erasure {
        /// The id of the account.
        account: String,
        /// The number of the receipt.
        receipt: String,
    },
    /// Access was ended or given back.
    Access {
        /// [`EntryKind::Revocation`] or [`EntryKind::Reactivation`].
        kind: EntryKind,
        /// The stored name of the audit event.
        event: &'static str,
        /// The id of what has ended.
        target: String,
        /// The account that it belongs to. `None`: it belongs to no account.
        account: Option<String>,
        /// What is needed to make the change again, if the ids do not say it.
        detail: Option<String>,
    },
}

/// An entry of the journal: a row of the table and a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1 without gaps. It is also the number of the line.
    pub seq: i64,
    /// What it stands for.
    pub kind: EntryKind,
    /// The stored name of the audit event. `None`: an erasure.
    pub event: Option<String>,
    /// The id of what has ended, for an erasure the account.
    pub target: String,
    /// The account that it belongs to. `None`: it belongs to no account, or is an erasure.
    pub account: Option<String>,
    /// What is needed to make the change again. `None`: the ids say it.
    pub detail: Option<String>,
    /// The number of the receipt of an erasure.
    pub receipt: Option<String>,
    /// When it was recorded.
    pub at: Timestamp,
    /// The hash of the entry before it.
    pub previous: Digest,
    /// The hash of all other values.
    pub hash: Digest,
}

impl Entry {
    /// The entry that follows `head`.
    pub(super) fn following(head: &Head, new: NewEntry, at: Timestamp) -> Self {
        let (kind, event, target, account, detail, receipt) = match new {
            NewEntry::Erasure { account, receipt } => (EntryKind::Erasure, None, account, None, None, Some(receipt)),
            NewEntry::Access { kind, event, target, account, detail } => {
                (kind, Some(event.to_owned()), target, account, detail, None)
            }
        };
        let (seq, previous) = (head.seq + 1, head.hash);
        let entry = Self { seq, kind, event, target, account, detail, receipt, at, previous, hash: GENESIS };
        Self { hash: entry.expected_hash(), ..entry }
    }

    const fn domain(&self) -> &'static [u8] {
        match self.kind {
            EntryKind::Erasure => ERASURE_DOMAIN,
            EntryKind::Revocation | EntryKind::Reactivation => ENTRY_DOMAIN,
        }
    }

    /// The hash of all other values. Every text is hashed with its length, so two different entries never give the same
    /// input.
    fn expected_hash(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(self.domain());
        hash.update(self.previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at.millis().to_be_bytes());
        let mut add = |text: Option<&str>| {
            hash.update(text.map_or(ABSENT, |text| text.len() as u64).to_be_bytes());
            hash.update(text.unwrap_or_default());
        };
        add(Some(&self.target));
        add(Some(self.kind.as_str()));
        match self.kind {
            EntryKind::Erasure => add(self.receipt.as_deref()),
            EntryKind::Revocation | EntryKind::Reactivation => {
                [&self.event, &self.account, &self.detail].into_iter().for_each(|text| add(text.as_deref()));
            }
        }
        hash.finalize().into()
    }

    /// The bytes that are signed. They begin with the domain, so that the signature is not valid for another kind of
    /// data.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        [self.domain(), self.hash.as_slice()].concat()
    }

    /// Whether it is the next entry after `head`, with the right hash.
    pub fn follows(&self, head: &Head) -> bool {
        self.seq == head.seq + 1 && self.previous == head.hash && self.has_own_hash()
    }

    /// Whether its hash is the hash of its values.
    pub(super) fn has_own_hash(&self) -> bool {
        self.hash == self.expected_hash()
    }

    /// The head of a journal that ends with this entry.
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// How far a journal goes: two journals with the same head have the same entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last entry. 0: there is none.
    pub seq: i64,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty journal.
    pub const EMPTY: Self = Self { seq: 0, hash: GENESIS };
}

/// A verified journal file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedJournal {
    /// The last line. Compare it with a head that was stored elsewhere.
    pub head: Head,
    /// Bytes up to the end of that line.
    pub end_offset: u64,
    /// Bytes after it: an incomplete line, of a copy that was made while the line was written, or after a crash.
    pub partial_bytes: u64,
}

impl VerifiedJournal {
    /// Before the first line.
    pub(super) const BEGIN: Self = Self { head: Head::EMPTY, end_offset: 0, partial_bytes: 0 };
}

/// A row of `journal_check`: up to which line the file on the disk was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub head: Head,
    pub end_offset: u64,
    pub whole_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked() -> Entry {
        let new = NewEntry::Access {
            kind: EntryKind::Revocation,
            event: "event",
            target: "key_1".into(),
            account: Some("acc_1".into()),
            detail: None,
        };
        Entry::following(&Head::EMPTY, new, Timestamp::from_millis(5))
    }

    #[test]
    fn every_value_changes_the_hash() {
        let hash_of = |change: &dyn Fn(&mut Entry)| {
            let mut changed = revoked();
            change(&mut changed);
            changed.expected_hash()
        };
        let mut hashes = vec![
            hash_of(&|_| ()),
            hash_of(&|e| e.seq = 2),
            hash_of(&|e| e.kind = EntryKind::Reactivation),
            hash_of(&|e| e.kind = EntryKind::Erasure),
            hash_of(&|e| e.event = Some("other".into())),
            hash_of(&|e| e.target = "key_2".into()),
            hash_of(&|e| e.account = None),
            hash_of(&|e| e.account = Some(String::new())),
            hash_of(&|e| e.detail = Some(String::new())),
            hash_of(&|e| e.at = Timestamp::from_millis(6)),
            hash_of(&|e| e.previous = [1; 32]),
        ];
        let all = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();

        assert_eq!(hashes.len(), all);
        assert!(revoked().follows(&Head::EMPTY) && !revoked().follows(&revoked().head()));
    }

    #[test]
    fn the_hash_of_an_entry_is_the_same_in_every_release() {
        let erasure = NewEntry::Erasure { account: "acc_1".into(), receipt: "req_1".into() };
        let erasure = Entry::following(&Head::EMPTY, erasure, Timestamp::from_millis(5));
        // Computed with Python's hashlib from the description of `expected_hash`.
        let hashes = [
            (revoked(), "ca9e542109346f7c6a311794a75081b8c9554b5824f2160f40b80752e7a18f60", "domicile/journal/2"),
            (erasure, "8469ca7d38e24dcaa70a458d000a56bb1fd5cf083f6b60b4a3dc2f1cc2cbf6e2", "domicile/tombstone/1"),
        ];
        for (entry, hash, domain) in hashes {
            assert_eq!(hex::encode(entry.hash), hash);
            assert_eq!(entry.signed_bytes(), [domain.as_bytes(), entry.hash.as_slice()].concat());
        }
    }
}
