//! The fast path of [`super::plain`]: the same decisions, with keys and owners from memory where they are still valid.
//! It runs on the worker's own thread, without the writer and without a change of thread. The module comment of
//! `verification` has the design.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::key_index::{Entry, KeyIndex, PRELOAD_MAX};
use super::model::{Owner, Policy, Refusal, SlotIndex, Verdict, VerifiedKey, VerifyRequest};
use super::owners::{OwnerId, Owners};
use super::plain;
use super::policies::Policies;
use super::store;
use super::usage_buffer::UsageBuffer;
use crate::api_keys::{Channel, KeyText, LookupDigest, UsageBatch};
use crate::app::App;
use crate::base::{ApiKeyId, Scopes, Timestamp};
use crate::db::{Error, Subject, View};

/// Keys read in one transaction of the preload, so that no reader holds an old state of the database for long.
const PRELOAD_BATCH: u32 = 5_000;

/// What a key may do: interned, or read for this request only. Small, because it is passed on several times.
enum PolicyRef<'v> {
    Interned(&'v Policy),
    Owned(Box<Policy>),
}

impl Deref for PolicyRef<'_> {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        match self {
            Self::Interned(policy) => policy,
            Self::Owned(policy) => policy,
        }
    }
}

/// What a look-up gives.
enum Lookup<'v> {
    Found(Candidate<'v>),
    /// No key has this text, or the key is refused whatever the request.
    Refused(Refusal),
}

/// A key that is live according to the database. The request decides the rest.
struct Candidate<'v> {
    key: ApiKeyId,
    /// The earlier of its own end and the end of its overlap.
    ends_at: Option<Timestamp>,
    policy: PolicyRef<'v>,
    /// `None`: the account is not active, or not a member of the workspace.
    owner: Option<Owner>,
    /// Its digest in the index, and the slot of the usage buffer that it used last. `None`: the index does not have it.
    indexed: Option<(LookupDigest, SlotIndex)>,
}

/// Verifies API keys, from memory where possible, and counts their use.
pub struct Verifier {
    app: Arc<App>,
    /// The rights of the role `viewer`.
    read_rights: Scopes,
    index: KeyIndex,
    policies: Policies,
    owners: Owners,
    is_stopping: AtomicBool,
    usage: UsageBuffer,
}

impl Verifier {
    /// A verifier for the open appliance, with empty caches.
    pub fn new(app: Arc<App>) -> Self {
        let read_rights = plain::read_rights(app.config());
        Self {
            app,
            read_rights,
            index: KeyIndex::new(),
            policies: Policies::new(),
            owners: Owners::default(),
            is_stopping: AtomicBool::new(false),
            usage: UsageBuffer::default(),
        }
    }

    /// The open appliance.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Verifies a key for a service that introspects it and does not say which address it came from.
    ///
    /// # Errors
    /// As [`Verifier::verify_request`].
    pub fn verify(&self, text: &str) -> Result<Verdict, Error> {
        self.verify_request(text, &VerifyRequest::new(Channel::Introspect))
    }

    /// Verifies a key: returns the key and its owner, or why it is refused. Counts the use. A refused request is not
    /// counted and does not count against the rate limit.
    ///
    /// # Errors
    /// [`Error`] when the database cannot be read.
    pub fn verify_request(&self, text: &str, request: &VerifyRequest<'_>) -> Result<Verdict, Error> {
        if !KeyText::is_well_formed(&self.app.config().api_keys.prefix, text) {
            return Ok(Verdict::Refused(Refusal::Malformed));
        }
        let now = self.app.now();
        Ok(match self.look_up_text(text, now, request)? {
            Lookup::Found(candidate) => {
                self.admit(candidate, now, request).map_or_else(Verdict::Refused, Verdict::Valid)
            }
            Lookup::Refused(refusal) => Verdict::Refused(refusal),
        })
    }

    /// Decides about the request, applies the rate limit and records the use.
    fn admit(
        &self,
        candidate: Candidate<'_>,
        now: Timestamp,
        request: &VerifyRequest<'_>,
    ) -> Result<VerifiedKey, Refusal> {
        let Candidate { key, ends_at, policy, owner, indexed } = candidate;
        let checked = plain::check_request(&policy, ends_at, owner, self.read_rights, request, now);
        let (owner, rights) = checked.inspect_err(|refusal| self.record_refusal(key, *refusal, now, request))?;
        // If the key does not have the required rights, our caller refuses the request: that is no use of the key.
        let (rate_limit, slot) = match rights.contains(request.required) {
            true => {
                let last = indexed.map(|(_, last)| last);
                self.usage.record((key, last), now, request, policy.rate, policy.is_retiring)?
            }
            false => (None, None),
        };
        if let (Some((digest, last)), Some(slot)) = (indexed, slot)
            && last != slot
        {
            self.index.set_usage_slot(&digest, slot);
        }
        Ok(VerifiedKey {
            key,
            rights,
            owner,
            scope: policy.scope.clone(),
            created_at: key.created_at(),
            expires_at: ends_at,
            rate_limit,
            usage_slot: slot,
        })
    }

    /// The owner of a replaced key wants to know which programs still call with it.
    fn record_refusal(&self, key: ApiKeyId, refusal: Refusal, now: Timestamp, request: &VerifyRequest<'_>) {
        if refusal == Refusal::Replaced {
            self.usage.record_late(key, now, request);
        }
    }

    fn look_up_text<'v>(
        &'v self,
        text: &str,
        now: Timestamp,
        request: &VerifyRequest<'_>,
    ) -> Result<Lookup<'v>, Error> {
        let keyring = self.app.keyring();
        let store = self.app.store();
        if store.is_cache_current() {
            let mut in_use = None;
            for digest in keyring.lookups(text.as_bytes()) {
                let newest = *in_use.get_or_insert(digest);
                if let Some((entry, last)) = self.index.find(&digest)
                    && store.is_unchanged_since(Subject::Key(entry.key), u64::from(entry.generation))
                    && let Some(policy) = self.policies.get(entry.policy)
                {
                    let (workspace, owner) = match self.cached_owner(entry.owner) {
                        Some(owner) => (owner.workspace, Some(owner)),
                        None => match self.owners.id_of(entry.owner) {
                            Some(owner_id) => {
                                let generation = store.generation();
                                let read = |view: &View<'_>| self.read_owner(view, owner_id, generation);
                                (owner_id.1, self.app.query_inline(read)?)
                            }
                            None => break,
                        },
                    };
                    if !request.reaches(workspace) {
                        return Ok(Lookup::Refused(Refusal::Unknown));
                    }
                    if digest != newest {
                        self.usage.record_stale(entry.key, newest);
                    }
                    let indexed = Some((digest, last));
                    let policy = PolicyRef::Interned(policy);
                    let (key, ends_at) = (entry.key, entry.expires_at);
                    return Ok(Lookup::Found(Candidate { key, ends_at, policy, owner, indexed }));
                }
            }
        }
        self.app.query_inline(|view| self.read_key(view, keyring.lookups(text.as_bytes()), now, request))
    }

    /// Reads the key from the database, and caches it.
    fn read_key<'v>(
        &'v self,
        view: &View<'_>,
        lookups: impl Iterator<Item = LookupDigest>,
        now: Timestamp,
        request: &VerifyRequest<'_>,
    ) -> Result<Lookup<'v>, Error> {
        // Read before the row: a change in between invalidates the row, because this generation is older.
        let generation = self.app.store().generation();
        let mut in_use = None;
        for lookup in lookups {
            let newest = *in_use.get_or_insert(lookup);
            let Some(row) = store::find_by_lookup(view, &lookup)? else { continue };
            if !request.reaches(row.workspace) {
                break;
            }
            if let Err(refusal) = plain::check_key(&row, now) {
                self.record_refusal(row.key, refusal, now, request);
                return Ok(Lookup::Refused(refusal));
            }
            if lookup != newest {
                self.usage.record_stale(row.key, newest);
            }
            let owner = self.read_owner(view, (row.account, row.workspace), generation)?;
            if owner.is_some() {
                self.cache(&lookup, &row, generation);
            }
            let policy = PolicyRef::Owned(Box::new(plain::policy_of(&row, self.app.config())));
            let indexed = self.index.find(&lookup).map(|(_, last)| (lookup, last));
            let ends_at = plain::ends_at(&row);
            return Ok(Lookup::Found(Candidate { key: row.key, ends_at, policy, owner, indexed }));
        }
        Ok(Lookup::Refused(Refusal::Unknown))
    }

    /// Caches a key that was read in this generation, if there is space for it.
    fn cache(&self, digest: &LookupDigest, row: &store::KeyRow, generation: u64) {
        let numbers = (
            self.owners.intern((row.account, row.workspace)),
            self.policies.intern(plain::policy_of(row, self.app.config())),
            u32::try_from(generation).ok(),
        );
        if let (Some(owner), Some(policy), Some(generation)) = numbers {
            let entry = Entry { key: row.key, owner, policy, generation, expires_at: plain::ends_at(row) };
            self.index.insert(digest, &entry);
        }
    }

    fn cached_owner(&self, number: u32) -> Option<Owner> {
        let store = self.app.store();
        self.owners.get(number, |owner, generation| {
            store.is_unchanged_since(Subject::Account(owner.account), generation)
                && store.is_unchanged_since(Subject::Workspace(owner.workspace), generation)
        })
    }

    /// Reads the owner from the database, and caches it. `generation` was taken before `view` read anything. `None`:
    /// the account is not active, or not a member of the workspace.
    fn read_owner(&self, view: &View<'_>, owner_id: OwnerId, generation: u64) -> Result<Option<Owner>, Error> {
        let owner = store::find_owner(view, owner_id.0, owner_id.1)?;
        if let Some(owner) = &owner {
            self.owners.insert(owner, generation);
        }
        Ok(owner)
    }

    /// Reads every key that fits into memory, with its owner, so that no request has to wait for the first read of a
    /// key. Runs on its own thread after the start. Returns the number of keys.
    ///
    /// # Errors
    /// [`Error`]: the keys read so far stay cached; the others are read when a request needs them.
    pub fn preload(&self) -> Result<usize, Error> {
        let (mut after, mut read) = (0, 0);
        while !self.is_stopping.load(Ordering::Relaxed) && self.index.len() < PRELOAD_MAX {
            let generation = self.app.store().generation();
            let batch = self.app.store().read_blocking(|view| {
                let batch = store::list_after(view, after, PRELOAD_BATCH)?;
                self.preload_owners(view, &batch, generation)?;
                Ok::<_, Error>(batch)
            })?;
            let Some((last, _, _)) = batch.last() else { break };
            after = *last;
            read += batch.len();
            for (_, lookup, row) in &batch {
                self.cache(lookup, row, generation);
            }
        }
        Ok(read)
    }

    fn preload_owners(&self, view: &View<'_>, batch: &[store::IndexedKeyRow], generation: u64) -> Result<(), Error> {
        for (_, _, row) in batch {
            let owner_id = (row.account, row.workspace);
            if let Some(number) = self.owners.intern(owner_id)
                && self.cached_owner(number).is_none()
            {
                self.read_owner(view, owner_id, generation)?;
            }
        }
        Ok(())
    }

    /// Makes [`Verifier::preload`] stop after its current batch.
    pub fn stop_preload(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Undoes the last use of a key that was verified and then refused because it lacks a right: the request counts
    /// neither as a use nor against the rate limit.
    pub fn undo_use(&self, verified: &VerifiedKey, channel: Channel) {
        self.usage.undo_use(verified.key, verified.usage_slot, channel, verified.rate_limit.map(|limit| limit.quota));
    }

    /// Records rights that a program used, besides those that the verification required.
    pub fn record_rights(&self, verified: &VerifiedKey, rights: Scopes) {
        self.usage.record_rights(verified.key, verified.usage_slot, rights);
    }

    /// Takes the usage that was recorded since the last drain.
    pub(super) fn drain_usage(&self) -> UsageBatch {
        self.usage.drain()
    }

    /// Restores a batch that could not be written.
    pub(super) fn restore_usage(&self, batch: &UsageBatch) {
        self.usage.restore(batch);
    }
}
