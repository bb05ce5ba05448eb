//! The hot path: is this key good? Answered on the worker's own thread, without the writer, without a hop.
//!
//! ```text
//! form and CRC ── HMAC ── memory of this generation? ── yes: answer
//!                                  └─ no: one prepared look-up on this thread's connection ── remember ── answer
//! ```
//! Memory is bounded and holds only for the generation it was read in (see `db::change`): every commit that touches a
//! credential starts a new one, and a commit by another process suspends it until the writer has looked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use papaya::HashMap as SharedMap;

use super::model::{NotGood, Verified};
use super::store;
use super::text::KeyText;
use crate::app::App;
use crate::base::{ApiKeyId, Role, Scopes, Timestamp};
use crate::db::{Error, View};

/// Keys remembered at most: some 40 MiB. Beyond it memory starts anew, which costs each key one look-up.
const REMEMBERED_MAX: usize = 65_536;
/// Keys whose use is gathered between two writes; beyond it a use is not counted, rather than memory growing.
const USES_MAX: usize = 262_144;
/// Shards of the use counters, so that workers seldom wait for each other.
const USE_SHARDS: usize = 16;

type Digest = [u8; 32];

struct Remembered {
    generation: u64,
    verified: Arc<Verified>,
}

/// Knows good keys for as long as they are good.
pub struct Verifier {
    app: Arc<App>,
    remembered: SharedMap<Digest, Remembered>,
    count: AtomicUsize,
    uses: [Mutex<HashMap<ApiKeyId, (Timestamp, i64)>>; USE_SHARDS],
}

impl Verifier {
    /// A verifier over the open appliance.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, remembered: SharedMap::new(), count: AtomicUsize::new(0), uses: Default::default() }
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
        if let Some(generation) = self.app.store().generation() {
            let remembered = self.remembered.pin();
            if let Some(known) = remembered.get(&newest).filter(|known| known.generation == generation) {
                return Ok(Some(known.verified.clone()));
            }
        }
        // The tag is taken before the look: a change in between makes what was read worthless, and the tag says so.
        let generation = self.app.store().generation_for_tag();
        let found = self.app.glance(|view| find(view, keyring.lookups(text.as_bytes())))?;
        let Some(verified) = found.map(Arc::new) else { return Ok(None) };
        self.remember(newest, Remembered { generation, verified: verified.clone() });
        Ok(Some(verified))
    }

    fn remember(&self, digest: Digest, known: Remembered) {
        let remembered = self.remembered.pin();
        if remembered.insert(digest, known).is_none() && self.count.fetch_add(1, Ordering::Relaxed) >= REMEMBERED_MAX {
            remembered.clear();
            self.count.store(0, Ordering::Relaxed);
        }
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

fn find(view: &View<'_>, lookups: impl Iterator<Item = Digest>) -> Result<Option<Verified>, Error> {
    for lookup in lookups {
        if let Some(mut verified) = store::find_verified(view, &lookup)? {
            verified.rights = rights_of(view, &verified);
            return Ok(Some(verified));
        }
    }
    Ok(None)
}

/// The key's scopes, cut by what its owner is in the workspace: whoever only sees, has keys that only read.
fn rights_of(view: &View<'_>, verified: &Verified) -> Scopes {
    let table = &view.site().config.scopes;
    let rights = table.rights_of(&verified.scope);
    match verified.role {
        Role::Owner | Role::Admin | Role::Editor => rights,
        Role::Viewer => rights.cut(table.rights_of("read")),
    }
}
