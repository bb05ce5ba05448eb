//! The hot path: is this key good? Answered on the worker's own thread, without the writer, without a hop.
//!
//! ```text
//! form and CRC ── HMAC ── in the directory, and unchanged since? ── yes: its owner in memory, and unchanged? ── answer
//!                          └─ no: look the key up, keep it                └─ no: look the owner up, keep it ─────┘
//! ```
//! The directory holds every key that fits (see `directory`), so how many keys there are does not show; it is filled after
//! the start, and by whoever asks first. What changed is forgotten exactly (see `db::change`): one person's change costs the
//! others nothing. Owners are kept apart, because all keys of a person share theirs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::directory::{Digest, Directory, Entry, READ_AHEAD_MAX};
use super::model::{NotGood, Owner, Verified};
use super::store;
use super::text::KeyText;
use crate::app::App;
use crate::base::{AccountId, ApiKeyId, Role, Scopes, Timestamp, WorkspaceId};
use crate::db::{Error, Subject, View};

/// Owners kept at most: some 40 MiB. Keys of more owners than these are looked up for each request.
const OWNERS_MAX: usize = 131_072;
/// Different sets of scopes kept at most.
const POLICIES_MAX: usize = 16_384;
/// Keys whose use is gathered between two writes; beyond it a use is not counted, rather than memory growing.
const USES_MAX: usize = 262_144;
/// Shards of the use counters, so that workers seldom wait for each other.
const USE_SHARDS: usize = 16;
/// Keys read ahead in one look, so that no reader holds on to the past for long.
const READ_AHEAD_BATCH: u32 = 5_000;

/// Whose keys: a person in a workspace.
type Who = (AccountId, WorkspaceId);

/// The things by number, and the numbers by thing.
type Things<T> = (Vec<Arc<T>>, HashMap<Arc<T>, u32>);

/// Things that many keys share, numbered. A number once given keeps its meaning.
struct Numbered<T> {
    things: RwLock<Things<T>>,
    max: usize,
}

impl<T: std::hash::Hash + Eq> Numbered<T> {
    fn new(max: usize) -> Self {
        Self { things: RwLock::default(), max }
    }

    fn get(&self, number: u32) -> Option<Arc<T>> {
        let things = self.things.read().unwrap_or_else(PoisonError::into_inner);
        things.0.get(number as usize).cloned()
    }

    /// `None`: there are too many.
    fn number_of(&self, thing: T) -> Option<u32> {
        if let Some(number) = self.things.read().unwrap_or_else(PoisonError::into_inner).1.get(&thing) {
            return Some(*number);
        }
        let mut things = self.things.write().unwrap_or_else(PoisonError::into_inner);
        let (listed, numbers) = &mut *things;
        if let Some(number) = numbers.get(&thing) {
            return Some(*number);
        }
        let number = u32::try_from(listed.len()).ok().filter(|_| listed.len() < self.max)?;
        let thing = Arc::new(thing);
        listed.push(thing.clone());
        numbers.insert(thing, number);
        Some(number)
    }
}

/// What many keys may do: the names of their scopes, and the rights behind them before any role cuts them.
#[derive(PartialEq, Eq, Hash)]
struct Policy {
    scope: Arc<str>,
    rights: Scopes,
}

/// Owners as they were read, by their number, with the generation of the reading.
type Owners = RwLock<Vec<Option<(u64, Arc<Owner>)>>>;

/// Knows good keys for as long as they are good.
pub struct Verifier {
    app: Arc<App>,
    /// What whoever only sees may do.
    reading: Scopes,
    directory: Directory,
    policies: Numbered<Policy>,
    numbers: Numbered<Who>,
    owners: Owners,
    stopping: AtomicBool,
    uses: [Mutex<HashMap<ApiKeyId, (Timestamp, i64)>>; USE_SHARDS],
}

impl Verifier {
    /// A verifier over the open appliance.
    pub fn new(app: Arc<App>) -> Self {
        let reading = app.config().scopes.rights_of("read");
        Self {
            app,
            reading,
            directory: Directory::new(),
            policies: Numbered::new(POLICIES_MAX),
            numbers: Numbered::new(OWNERS_MAX),
            owners: Owners::default(),
            stopping: AtomicBool::new(false),
            uses: Default::default(),
        }
    }

    /// Whether the text is a good key now, and whose. Notes the use.
    ///
    /// # Errors
    /// [`Error`] when the database cannot be asked. A key that is not good is an answer, not an error.
    pub fn verify(&self, text: &str) -> Result<Result<Verified, NotGood>, Error> {
        if !KeyText::is_well_formed(&self.app.config().api_keys.prefix, text) {
            return Ok(Err(NotGood));
        }
        let Some(verified) = self.look_up(text)? else { return Ok(Err(NotGood)) };
        let now = self.app.now();
        if verified.expires_at.is_some_and(|end| end <= now) {
            return Ok(Err(NotGood));
        }
        self.note_use(verified.key, now);
        Ok(Ok(verified))
    }

    fn look_up(&self, text: &str) -> Result<Option<Verified>, Error> {
        let keyring = self.app.keyring();
        let newest = keyring.lookup(text.as_bytes());
        let store = self.app.store();
        let holds = store.memory_holds();
        if holds
            && let Some(entry) = self.directory.find(&newest)
            && store.is_as_of(Subject::Key(entry.key), u64::from(entry.tag))
            && let Some(policy) = self.policies.get(entry.policy)
            && let Some(who) = self.numbers.get(entry.owner)
        {
            let owner = match self.owner_in_memory(entry.owner, *who) {
                Some(owner) => Some(owner),
                None => self.app.glance(|view| self.owner(view, *who))?,
            };
            return Ok(owner.map(|owner| self.verified(entry.key, entry.expires_at, &policy, owner)));
        }
        self.app.glance(|view| self.find(view, keyring.lookups(text.as_bytes())))
    }

    /// Looks the key up, and keeps what was found.
    fn find(&self, view: &View<'_>, lookups: impl Iterator<Item = Digest>) -> Result<Option<Verified>, Error> {
        // Taken before the look: a change in between makes what was read worthless, and the tag says so.
        let tag = self.app.store().generation();
        for lookup in lookups {
            let Some(found) = store::find_by_lookup(view, &lookup)? else { continue };
            let who = (found.account, found.workspace);
            let Some(owner) = self.owner(view, who)? else { return Ok(None) };
            self.keep(&lookup, &found, tag);
            let policy = self.policy_of(&found.scope);
            return Ok(Some(self.verified(found.key, found.expires_at, &policy, owner)));
        }
        Ok(None)
    }

    fn policy_of(&self, scope: &str) -> Policy {
        Policy { scope: scope.into(), rights: self.app.config().scopes.rights_of(scope) }
    }

    /// Keeps a key that was read in generation `tag`, as far as memory goes.
    fn keep(&self, digest: &Digest, found: &store::Found, tag: u64) {
        let numbers = (
            self.numbers.number_of((found.account, found.workspace)),
            self.policies.number_of(self.policy_of(&found.scope)),
            u32::try_from(tag).ok(),
        );
        if let (Some(owner), Some(policy), Some(tag)) = numbers {
            let entry = Entry { key: found.key, owner, policy, tag, expires_at: found.expires_at };
            self.directory.keep(digest, &entry);
        }
    }

    fn owner_in_memory(&self, number: u32, who: Who) -> Option<Arc<Owner>> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let (tag, owner) = owners.get(number as usize)?.as_ref()?;
        let store = self.app.store();
        let is_good = store.is_as_of(Subject::Account(who.0), *tag) && store.is_as_of(Subject::Workspace(who.1), *tag);
        is_good.then(|| owner.clone())
    }

    /// Looks the owner up, and keeps who was found. `None`: not active, or not a member.
    fn owner(&self, view: &View<'_>, who: Who) -> Result<Option<Arc<Owner>>, Error> {
        let tag = self.app.store().generation();
        let Some(owner) = store::find_owner(view, who.0, who.1)?.map(Arc::new) else { return Ok(None) };
        if let Some(number) = self.numbers.number_of(who) {
            let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
            let place = number as usize;
            if owners.len() <= place {
                owners.resize(place + 1, None);
            }
            if owners[place].as_ref().is_none_or(|(older, _)| *older <= tag) {
                owners[place] = Some((tag, owner.clone()));
            }
        }
        Ok(Some(owner))
    }

    /// Reads every key that fits into memory, so that none is asked for the first time by somebody who waits. On a thread of
    /// its own, after the start; answers how many were read.
    ///
    /// # Errors
    /// [`Error`]: what was read stays, the rest comes when it is asked for.
    pub fn read_ahead(&self) -> Result<usize, Error> {
        let (mut after, mut read) = (0, 0);
        while !self.stopping.load(Ordering::Relaxed) && self.directory.len() < READ_AHEAD_MAX {
            let tag = self.app.store().generation();
            let batch = self.app.store().read_and_wait(|view| store::list_after(view, after, READ_AHEAD_BATCH))?;
            let Some((last, _, _)) = batch.last() else { break };
            after = *last;
            read += batch.len();
            for (_, lookup, found) in &batch {
                self.keep(lookup, found, tag);
            }
        }
        Ok(read)
    }

    /// Ends [`Verifier::read_ahead`] at its next pause.
    pub fn stop_reading_ahead(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn note_use(&self, key: ApiKeyId, now: Timestamp) {
        let shard = &self.uses[(key.spread() % USE_SHARDS as u64) as usize];
        // A poisoned counter would be a panic while adding two numbers; counting on is right then too.
        let mut uses = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(use_) = uses.get_mut(&key) {
            *use_ = (now.max(use_.0), use_.1 + 1);
        } else if uses.len() < USES_MAX / USE_SHARDS {
            uses.insert(key, (now, 1));
        }
    }

    /// Takes what was gathered since the last time: key, last use, number of uses.
    pub fn take_uses(&self) -> Vec<(ApiKeyId, Timestamp, i64)> {
        let take =
            |shard: &Mutex<HashMap<_, _>>| std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
        self.uses.iter().flat_map(take).map(|(key, (at, uses))| (key, at, uses)).collect()
    }

    fn verified(&self, key: ApiKeyId, expires_at: Option<Timestamp>, policy: &Policy, owner: Arc<Owner>) -> Verified {
        Verified {
            key,
            rights: cut(policy.rights, owner.role, self.reading),
            owner,
            scope: policy.scope.clone(),
            created_at: key.made_at(),
            expires_at,
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
