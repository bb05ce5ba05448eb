//! The hot path: is this key good? Answered on the worker's own thread, without the writer, without a hop.
//!
//! ```text
//! form and CRC ── HMAC ── key in memory, of this generation? ── yes: answer
//!                          └─ no: look the key up ── its owner in memory, of this generation? ── yes: remember, answer
//!                                                     └─ no: look the owner up too ── remember, answer
//! ```
//! Owners are remembered apart from keys: they are the larger part of a look-up and of what is remembered, and the same for
//! all keys of a person. So a key that is asked for the first time costs one index and one row. Memory is bounded and holds only for the generation it was read in (see `db::change`): every commit that touches a
//! credential starts a new one, and a commit by another process suspends it until the writer has looked.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use papaya::HashMap as SharedMap;

use super::model::{NotGood, Owner, Verified};
use super::store;
use super::text::KeyText;
use crate::app::App;
use crate::base::{AccountId, ApiKeyId, Role, Scopes, Timestamp, WorkspaceId};
use crate::db::{Error, View};

/// Keys remembered at most: some 20 MiB. Beyond it memory starts anew, which costs each key one look-up.
const KEYS_REMEMBERED_MAX: usize = 65_536;
/// Owners remembered at most: some 25 MiB.
const OWNERS_REMEMBERED_MAX: usize = 65_536;
/// Keys whose use is gathered between two writes; beyond it a use is not counted, rather than memory growing.
const USES_MAX: usize = 262_144;
/// Shards of the use counters, so that workers seldom wait for each other.
const USE_SHARDS: usize = 16;

type Digest = [u8; 32];

/// What was read, for as long as its generation holds. Starts anew when it is full.
struct Memory<K, V> {
    known: SharedMap<K, (u64, Arc<V>)>,
    count: AtomicUsize,
    max: usize,
}

impl<K: Hash + Eq, V> Memory<K, V> {
    fn new(max: usize) -> Self {
        Self { known: SharedMap::new(), count: AtomicUsize::new(0), max }
    }

    fn find(&self, key: &K, generation: u64) -> Option<Arc<V>> {
        self.known.pin().get(key).filter(|(of, _)| *of == generation).map(|(_, value)| value.clone())
    }

    fn keep(&self, key: K, generation: u64, value: &Arc<V>) {
        let known = self.known.pin();
        if known.insert(key, (generation, value.clone())).is_none()
            && self.count.fetch_add(1, Ordering::Relaxed) >= self.max
        {
            known.clear();
            self.count.store(0, Ordering::Relaxed);
        }
    }
}

/// Knows good keys for as long as they are good.
pub struct Verifier {
    app: Arc<App>,
    keys: Memory<Digest, Verified>,
    owners: Memory<(AccountId, WorkspaceId), Owner>,
    uses: [Mutex<HashMap<ApiKeyId, (Timestamp, i64)>>; USE_SHARDS],
}

impl Verifier {
    /// A verifier over the open appliance.
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            keys: Memory::new(KEYS_REMEMBERED_MAX),
            owners: Memory::new(OWNERS_REMEMBERED_MAX),
            uses: Default::default(),
        }
    }

    /// Whether the text is a good key now, and whose. Notes the use.
    ///
    /// # Errors
    /// [`Error`] when the database cannot be asked. A key that is not good is an answer, not an error.
    pub fn verify(&self, text: &str) -> Result<Result<Arc<Verified>, NotGood>, Error> {
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

    fn look_up(&self, text: &str) -> Result<Option<Arc<Verified>>, Error> {
        let keyring = self.app.keyring();
        let newest = keyring.lookup(text.as_bytes());
        let holds = self.app.store().generation();
        if let Some(known) = holds.and_then(|generation| self.keys.find(&newest, generation)) {
            return Ok(Some(known));
        }
        // The tag is taken before the look: a change in between makes what was read worthless, and the tag says so. Where
        // memory holds it is the same generation, because an owner remembered in it may become part of the answer.
        let tag = holds.unwrap_or_else(|| self.app.store().generation_for_tag());
        let found = self.app.glance(|view| self.find(view, keyring.lookups(text.as_bytes()), holds, tag))?;
        let Some(verified) = found.map(Arc::new) else { return Ok(None) };
        self.keys.keep(newest, tag, &verified);
        Ok(Some(verified))
    }

    /// Looks the key up. `holds`: the generation whose memory holds for this request. `None`: none does.
    fn find(
        &self,
        view: &View<'_>,
        lookups: impl Iterator<Item = Digest>,
        holds: Option<u64>,
        tag: u64,
    ) -> Result<Option<Verified>, Error> {
        for lookup in lookups {
            let Some(found) = store::find_by_lookup(view, &lookup)? else { continue };
            let Some(owner) = self.owner(view, (found.account, found.workspace), holds, tag)? else { return Ok(None) };
            return Ok(Some(Verified {
                key: found.key,
                rights: rights_of(view, owner.role, &found.scope),
                owner,
                scope: found.scope,
                created_at: found.created_at,
                expires_at: found.expires_at,
            }));
        }
        Ok(None)
    }

    fn owner(
        &self,
        view: &View<'_>,
        who: (AccountId, WorkspaceId),
        holds: Option<u64>,
        tag: u64,
    ) -> Result<Option<Arc<Owner>>, Error> {
        if let Some(known) = holds.and_then(|generation| self.owners.find(&who, generation)) {
            return Ok(Some(known));
        }
        let Some(owner) = store::find_owner(view, who.0, who.1)?.map(Arc::new) else { return Ok(None) };
        self.owners.keep(who, tag, &owner);
        Ok(Some(owner))
    }

    fn note_use(&self, key: ApiKeyId, now: Timestamp) {
        let shard = &self.uses[shard_of(key)];
        // A poisoned counter would be a panic while adding two numbers; counting on is right then too.
        let mut uses = shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(use_) = uses.get_mut(&key) {
            *use_ = (now.max(use_.0), use_.1 + 1);
        } else if uses.len() < USES_MAX / USE_SHARDS {
            uses.insert(key, (now, 1));
        }
    }

    /// Takes what was gathered since the last time: key, last use, number of uses.
    pub fn take_uses(&self) -> Vec<(ApiKeyId, Timestamp, i64)> {
        let take = |shard: &Mutex<HashMap<_, _>>| {
            std::mem::take(&mut *shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        };
        self.uses.iter().flat_map(take).map(|(key, (at, uses))| (key, at, uses)).collect()
    }
}

fn shard_of(key: ApiKeyId) -> usize {
    use std::hash::{BuildHasher, RandomState};
    static STATE: std::sync::OnceLock<RandomState> = std::sync::OnceLock::new();
    STATE.get_or_init(RandomState::new).hash_one(key) as usize % USE_SHARDS
}

/// The key's scopes, cut by what its owner is in the workspace: whoever only sees, has keys that only read.
fn rights_of(view: &View<'_>, role: Role, scope: &str) -> Scopes {
    let table = &view.site().config.scopes;
    let rights = table.rights_of(scope);
    match role {
        Role::Owner | Role::Admin | Role::Editor => rights,
        Role::Viewer => rights.cut(table.rights_of("read")),
    }
}
