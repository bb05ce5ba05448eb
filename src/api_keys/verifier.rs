//! The hot path: is this key good? Answered on the worker's own thread, without the writer, without a hop.
//!
//! ```text
//! form and CRC ── HMAC ── in the directory, and unchanged since? ── yes: its owner in memory, and unchanged? ── answer
//!                          └─ no: look the key up, keep it                └─ no: look the owner up, keep it ─────┘
//! ```
//! The directory holds every key that fits (see `directory`), so how many keys there are does not show; it is filled after
//! the start, and by whoever asks first. What changed is forgotten exactly (see `db::change`): one person's change costs the
//! others nothing. Owners are kept apart, because all keys of a person share theirs.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;

use super::directory::{Digest, Directory, Entry, READ_AHEAD_MAX};
use super::gathered::{Gathered, Taken};
use super::model::{Asked, Door, KeyState, Noted, Owner, Refusal, Verified, parse_networks, state_now};
use super::owners::{Owners, Who};
use super::policies::{Policies, Policy};
use super::reports::Reports;
use super::store;
use super::text::KeyText;
use crate::app::App;
use crate::base::{ApiKeyId, Role, Scopes, Timestamp};
use crate::db::{Error, Subject, View};

/// Keys read ahead in one look, so that no reader holds on to the past for long.
const READ_AHEAD_BATCH: u32 = 5_000;

/// Nobody calls from here.
const NOWHERE: IpNet = IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 32));

/// What a key may do: as it is kept, or read for this request alone. Small, because it is handed on a few times.
enum MayDo<'v> {
    Kept(&'v Policy),
    Read(Box<Policy>),
}

impl Deref for MayDo<'_> {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        match self {
            Self::Kept(policy) => policy,
            Self::Read(policy) => policy,
        }
    }
}

/// A key that lives, as far as the database says.
struct Known<'v> {
    key: ApiKeyId,
    /// Its own end, or that of its overlap.
    ends_at: Option<Timestamp>,
    policy: MayDo<'v>,
    /// `None`: not active, or not a member.
    owner: Option<Owner>,
    /// Where the directory has it, and where that says its use was noted last. `None`: it has not.
    kept: Option<(Digest, Noted)>,
}

/// Knows good keys for as long as they are good.
pub struct Verifier {
    app: Arc<App>,
    /// What whoever only sees may do.
    reading: Scopes,
    directory: Directory,
    policies: Policies,
    owners: Owners,
    stopping: AtomicBool,
    gathered: Gathered,
    reports: Reports,
}

impl Verifier {
    /// A verifier over the open appliance.
    pub fn new(app: Arc<App>) -> Self {
        let reading = app.config().scopes.rights_of("read");
        Self {
            app,
            reading,
            directory: Directory::new(),
            policies: Policies::new(),
            owners: Owners::default(),
            stopping: AtomicBool::new(false),
            gathered: Gathered::default(),
            reports: Reports::default(),
        }
    }

    /// The open appliance.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Whether the text is a good key now, and whose, for a service that asks and says nothing of whence it came.
    ///
    /// # Errors
    /// As [`Verifier::verify_at`].
    pub fn verify(&self, text: &str) -> Result<Result<Verified, Refusal>, Error> {
        self.verify_at(text, &Asked::at(Door::Introspect))
    }

    /// Whether the text is a good key at this door now, and whose. Notes the use; what is refused burns nothing.
    ///
    /// # Errors
    /// [`Error`] when the database cannot be asked. A key that is not good is an answer, not an error.
    pub fn verify_at(&self, text: &str, asked: &Asked<'_>) -> Result<Result<Verified, Refusal>, Error> {
        if !KeyText::is_well_formed(&self.app.config().api_keys.prefix, text) {
            return Ok(Err(Refusal::Malformed));
        }
        let now = self.app.now();
        Ok(match self.look_up(text, now, asked)? {
            Ok(known) => self.admit(known, now, asked),
            Err(refusal) => Err(refusal),
        })
    }

    /// What only the moment and the door decide.
    fn admit(&self, known: Known<'_>, now: Timestamp, asked: &Asked<'_>) -> Result<Verified, Refusal> {
        let Known { key, ends_at, policy, owner, kept } = known;
        let owner = owner.ok_or(Refusal::Unknown)?;
        if ends_at.is_some_and(|end| end <= now) {
            if policy.is_retiring {
                self.gathered.note_late(key, now, asked);
                return Err(Refusal::Replaced);
            }
            return Err(Refusal::Expired);
        }
        if !policy.lets_in_from(asked.address) {
            return Err(Refusal::Network);
        }
        let rights = cut(policy.rights, owner.role, self.reading);
        // Who asks for what the key may not, is told no by the caller: that is no use of it.
        let (pace, noted) = match rights.grant(asked.wanted) {
            true => {
                let last = kept.map(|(_, last)| last);
                self.gathered.note((key, last), now, asked, policy.rate, policy.is_retiring)?
            }
            false => (None, None),
        };
        if let (Some((digest, last)), Some(noted)) = (kept, noted)
            && last != noted
        {
            self.directory.keep_noted(&digest, noted);
        }
        Ok(Verified {
            key,
            rights,
            owner,
            scope: policy.scope.clone(),
            created_at: key.made_at(),
            expires_at: ends_at,
            pace,
            noted,
        })
    }

    fn look_up<'v>(
        &'v self,
        text: &str,
        now: Timestamp,
        asked: &Asked<'_>,
    ) -> Result<Result<Known<'v>, Refusal>, Error> {
        let keyring = self.app.keyring();
        let store = self.app.store();
        if store.memory_holds() {
            let mut in_use = None;
            for digest in keyring.lookups(text.as_bytes()) {
                let newest = *in_use.get_or_insert(digest);
                if let Some((entry, last)) = self.directory.find(&digest)
                    && store.is_as_of(Subject::Key(entry.key), u64::from(entry.tag))
                    && let Some(policy) = self.policies.get(entry.policy)
                {
                    let owner = match self.owner_in_memory(entry.owner) {
                        Some(owner) => Some(owner),
                        None => match self.owners.who(entry.owner) {
                            Some(who) => {
                                let tag = store.generation();
                                self.app.query_inline(|view| self.owner(view, who, tag))?
                            }
                            None => break,
                        },
                    };
                    if digest != newest {
                        self.gathered.note_stale(entry.key, newest);
                    }
                    let kept = Some((digest, last));
                    let policy = MayDo::Kept(policy);
                    return Ok(Ok(Known { key: entry.key, ends_at: entry.expires_at, policy, owner, kept }));
                }
            }
        }
        self.app.query_inline(|view| self.find(view, keyring.lookups(text.as_bytes()), now, asked))
    }

    /// Looks the key up, and keeps what was found.
    fn find<'v>(
        &'v self,
        view: &View<'_>,
        lookups: impl Iterator<Item = Digest>,
        now: Timestamp,
        asked: &Asked<'_>,
    ) -> Result<Result<Known<'v>, Refusal>, Error> {
        // Taken before the look: a change in between makes what was read worthless, and the tag says so.
        let tag = self.app.store().generation();
        let mut in_use = None;
        for lookup in lookups {
            let newest = *in_use.get_or_insert(lookup);
            let Some(found) = store::find_by_lookup(view, &lookup)? else { continue };
            if let Some(refusal) = refusal_of(&found, now) {
                if refusal == Refusal::Replaced {
                    self.gathered.note_late(found.key, now, asked);
                }
                return Ok(Err(refusal));
            }
            if lookup != newest {
                self.gathered.note_stale(found.key, newest);
            }
            let owner = self.owner(view, (found.account, found.workspace), tag)?;
            if owner.is_some() {
                self.keep(&lookup, &found, tag);
            }
            let policy = MayDo::Read(Box::new(self.policy_of(&found)));
            let kept = self.directory.find(&lookup).map(|(_, last)| (lookup, last));
            return Ok(Ok(Known { key: found.key, ends_at: ends_at(&found), policy, owner, kept }));
        }
        Ok(Err(Refusal::Unknown))
    }

    fn policy_of(&self, found: &store::Found) -> Policy {
        let config = self.app.config();
        Policy {
            scope: found.scope.as_str().into(),
            rights: config.scopes.rights_of(&found.scope),
            // A list that cannot be read lets nobody in, where an empty one would let in everybody.
            networks: parse_networks(&found.networks).unwrap_or_else(|| vec![NOWHERE]),
            rate: found.rate_per_minute.or(config.api_keys.rate_per_minute),
            is_retiring: found.state == KeyState::Retiring,
        }
    }

    /// Keeps a key that was read in generation `tag`, as far as memory goes.
    fn keep(&self, digest: &Digest, found: &store::Found, tag: u64) {
        let numbers = (
            self.owners.number_of((found.account, found.workspace)),
            self.policies.number_of(self.policy_of(found)),
            u32::try_from(tag).ok(),
        );
        if let (Some(owner), Some(policy), Some(tag)) = numbers {
            let entry = Entry { key: found.key, owner, policy, tag, expires_at: ends_at(found) };
            self.directory.keep(digest, &entry);
        }
    }

    fn owner_in_memory(&self, number: u32) -> Option<Owner> {
        let store = self.app.store();
        self.owners.find(number, |owner, tag| {
            store.is_as_of(Subject::Account(owner.account), tag)
                && store.is_as_of(Subject::Workspace(owner.workspace), tag)
        })
    }

    /// Looks the owner up, and keeps who was found in generation `tag`, which was taken before `view` saw anything. `None`: not
    /// active, or not a member.
    fn owner(&self, view: &View<'_>, who: Who, tag: u64) -> Result<Option<Owner>, Error> {
        let owner = store::find_owner(view, who.0, who.1)?;
        if let Some(owner) = &owner {
            self.owners.keep(owner, tag);
        }
        Ok(owner)
    }

    /// Reads every key that fits into memory and whose it is, so that none is asked for the first time by somebody who waits.
    /// On a thread of its own, after the start; answers how many were read.
    ///
    /// # Errors
    /// [`Error`]: what was read stays, the rest comes when it is asked for.
    pub fn read_ahead(&self) -> Result<usize, Error> {
        let (mut after, mut read) = (0, 0);
        while !self.stopping.load(Ordering::Relaxed) && self.directory.len() < READ_AHEAD_MAX {
            let tag = self.app.store().generation();
            let batch = self.app.store().read_blocking(|view| {
                let batch = store::list_after(view, after, READ_AHEAD_BATCH)?;
                self.read_owners_ahead(view, &batch, tag)?;
                Ok::<_, Error>(batch)
            })?;
            let Some((last, _, _)) = batch.last() else { break };
            after = *last;
            read += batch.len();
            for (_, lookup, found) in &batch {
                self.keep(lookup, found, tag);
            }
        }
        Ok(read)
    }

    fn read_owners_ahead(&self, view: &View<'_>, batch: &[store::Listed], tag: u64) -> Result<(), Error> {
        for (_, _, found) in batch {
            let who = (found.account, found.workspace);
            if let Some(number) = self.owners.number_of(who)
                && self.owner_in_memory(number).is_none()
            {
                self.owner(view, who, tag)?;
            }
        }
        Ok(())
    }

    /// Ends [`Verifier::read_ahead`] at its next pause.
    pub fn stop_reading_ahead(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Takes back the last use of a key that was let in and then refused for want of a right: it burns nothing.
    pub fn take_back(&self, verified: &Verified, door: Door) {
        self.gathered.take_back(verified.key, verified.noted, door, verified.pace.map(|pace| pace.quota));
    }

    /// Notes a right that the holder of a key used, beyond those that were asked for when it was let in.
    pub fn note_wanted(&self, verified: &Verified, wanted: Scopes) {
        self.gathered.note_wanted(verified.key, verified.noted, wanted);
    }

    /// Lets a report about keys that were found in, or says how many seconds its network has to wait.
    ///
    /// # Errors
    /// The seconds.
    pub fn admit_report(&self, address: std::net::IpAddr) -> Result<(), u32> {
        self.reports.admit(address, self.app.now())
    }

    /// Takes what was gathered since the last time.
    pub(super) fn take(&self) -> Taken {
        self.gathered.take()
    }

    /// Puts back what could not be written down.
    pub(super) fn put_back(&self, taken: &Taken) {
        self.gathered.put_back(taken);
    }
}

/// The earlier of a key's own end and that of its overlap.
fn ends_at(found: &store::Found) -> Option<Timestamp> {
    [found.expires_at, found.retire_at].into_iter().flatten().min()
}

/// Why the key is not good, whoever asks. `None`: it is, but for its owner.
fn refusal_of(found: &store::Found, now: Timestamp) -> Option<Refusal> {
    match state_now(found.state, found.expires_at, found.retire_at, now) {
        // Of those that are revoked, only what was replaced is found at all.
        KeyState::Revoked => Some(Refusal::Replaced),
        KeyState::Expired => Some(Refusal::Expired),
        KeyState::Disabled => Some(Refusal::Disabled),
        KeyState::Quarantined => Some(Refusal::Quarantined),
        KeyState::Active | KeyState::Retiring => {
            found.spent_until.filter(|until| *until > now).map(|_| Refusal::BudgetSpent)
        }
    }
}

/// The key's rights, cut by what its owner is in the workspace: whoever only sees, has keys that only read.
fn cut(rights: Scopes, role: Role, reading: Scopes) -> Scopes {
    match role {
        Role::Owner | Role::Admin | Role::Editor => rights,
        Role::Viewer => rights.cut(reading),
    }
}
