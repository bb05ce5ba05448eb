//! What the hot path notes in memory: uses, rates, callers. Bounded, sharded, written down once a minute (see `jobs`).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::directory::{Digest, NOTED_MAX};
use super::model::{Asked, Door, KeyCaller, Noted, Pace, Refusal};
use super::pace;
use crate::base::{ApiKeyId, Scopes, Timestamp};

/// Keys of a shard whose use is gathered between two writes, in all 262,144; beyond it a use is not counted, rather than memory
/// growing.
const USES_MAX: usize = NOTED_MAX;
/// Keys with a rate that are used within a minute; of more than these, some are let in uncounted.
const RATES_MAX: usize = 65_536;
/// Callers of keys that are being replaced, uses of keys that were, and digests to be rewritten, between two writes.
const NOTES_MAX: usize = 16_384;
/// Shards, so that workers seldom wait for each other.
const SHARDS: usize = 16;
/// Uses are counted from an hour before the first of them: clocks are set back, and what could not be written down is put back.
const EARLIER_MILLIS: i64 = 3_600_000;
/// Characters of a program's name that are kept.
const AGENT_CHARS_MAX: usize = 200;

/// The use of a key since the last writing.
#[derive(Debug)]
pub(super) struct Use {
    /// When last, in milliseconds.
    pub at: i64,
    /// Requests by door, in the order of [`Door::ALL`].
    pub doors: [u16; 4],
    /// Apart, because most keys have little to say: this keeps an entry small.
    pub detail: Option<Box<Detail>>,
}

/// A use while it is gathered: 32 bytes, because there are many. A key that is used more often than its counters count has
/// another one.
struct Noting {
    key: ApiKeyId,
    /// When last, as its shard counts: enough for seven weeks.
    at: u32,
    doors: [u16; 4],
    /// Number of its detail, from one on. 0: it has none.
    detail: u32,
}

/// Whence, by whom and what for.
#[derive(Debug, Default)]
pub(super) struct Detail {
    pub address: Option<IpAddr>,
    pub agent: String,
    pub wanted: Scopes,
}

/// Who called with a key.
type Caller = (ApiKeyId, Option<IpAddr>, String);

/// Hashes ids of keys by their own random bits: they are made here, and nobody outside can choose one.
#[derive(Default)]
struct ByChance(u64);

impl Hasher for ByChance {
    fn write(&mut self, bytes: &[u8]) {
        // An id is hashed as a number; this is for completeness.
        bytes.iter().for_each(|byte| self.write_u128(u128::from(self.0.rotate_left(8) ^ u64::from(*byte))));
    }

    fn write_u128(&mut self, id: u128) {
        // Random are the lower 62 bits, and of these a shard has those with the same remainder. A product brings all of them
        // into its middle, which is where this is cut out.
        self.0 = (u128::from(id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type ByKey<T> = HashMap<ApiKeyId, T, BuildHasherDefault<ByChance>>;

#[derive(Default)]
struct Shard {
    /// In the order of their first use. Where a key stands is remembered beside the key (see `directory`), because looking for
    /// it in a map would cost as much again as finding the key.
    uses: Vec<Noting>,
    details: Vec<Detail>,
    /// What their moments are counted from, in milliseconds.
    since: i64,
    /// Where those stand that are remembered nowhere.
    strays: ByKey<Noted>,
    rates: ByKey<i64>,
    callers: Callers,
    late: Callers,
    stale: HashMap<ApiKeyId, Digest>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Gathered([Mutex<Shard>; SHARDS]);

/// All that was gathered since it was last taken.
#[derive(Default)]
pub(super) struct Taken {
    /// Good uses.
    pub uses: Vec<(ApiKeyId, Use)>,
    /// Who used keys that are being replaced.
    pub callers: Vec<(ApiKeyId, KeyCaller)>,
    /// Who tried keys that were replaced.
    pub late: Vec<(ApiKeyId, KeyCaller)>,
    /// Digests under the pepper in use, of keys that were found under another.
    pub stale: Vec<(ApiKeyId, Digest)>,
}

impl Taken {
    /// The last so many of each kind. `None`: nothing is left.
    pub(super) fn next_batch(&mut self, most: usize) -> Option<Self> {
        let batch = Self {
            uses: last(&mut self.uses, most),
            callers: last(&mut self.callers, most),
            late: last(&mut self.late, most),
            stale: last(&mut self.stale, most),
        };
        let is_empty =
            batch.uses.is_empty() && batch.callers.is_empty() && batch.late.is_empty() && batch.stale.is_empty();
        (!is_empty).then_some(batch)
    }
}

fn last<T>(all: &mut Vec<T>, most: usize) -> Vec<T> {
    all.split_off(all.len().saturating_sub(most))
}

impl Gathered {
    fn shard(&self, key: ApiKeyId) -> MutexGuard<'_, Shard> {
        let shard = &self.0[(key.spread() % SHARDS as u64) as usize];
        // A poisoned counter would be a panic while adding two numbers; counting on is right then too.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request through at its pace and notes it, where it was noted `last` if that is still the key's place. Answers
    /// where it is noted now; `None`: there are too many. What is refused is not noted and burns nothing.
    pub(super) fn note(
        &self,
        (key, last): (ApiKeyId, Option<Noted>),
        now: Timestamp,
        asked: &Asked<'_>,
        quota: Option<u32>,
        is_retiring: bool,
    ) -> Result<(Option<Pace>, Option<Noted>), Refusal> {
        let mut shard = self.shard(key);
        let pace = match quota.filter(|_| asked.door.is_paced()) {
            None => None,
            Some(quota) => shard.pace(key, now, quota)?,
        };
        let noted = shard.place_of((key, last), now.millis(), &once(asked.door));
        if let Some(noted) = noted {
            shard.count(noted, now, asked);
        }
        if is_retiring {
            add(&mut shard.callers, key, now, asked);
        }
        Ok((pace, noted))
    }

    /// Notes a right that was asked for after the key was let in.
    pub(super) fn note_wanted(&self, key: ApiKeyId, noted: Option<Noted>, wanted: Scopes) {
        let mut shard = self.shard(key);
        if let Some(place) = shard.noted(key, noted) {
            let detail = shard.detail_of(place);
            detail.wanted = detail.wanted.and(wanted);
        }
    }

    /// Takes back what the last [`Gathered::note`] of this key noted, but for whence and when.
    pub(super) fn take_back(&self, key: ApiKeyId, noted: Option<Noted>, door: Door, quota: Option<u32>) {
        let mut shard = self.shard(key);
        if let Some((until, quota)) = shard.rates.get_mut(&key).zip(quota) {
            pace::give_back(until, quota);
        }
        if let Some(place) = shard.noted(key, noted) {
            let uses = &mut shard.uses[place].doors[door.place()];
            *uses = uses.saturating_sub(1);
        }
    }

    /// Notes that somebody tried a key that was replaced.
    pub(super) fn note_late(&self, key: ApiKeyId, now: Timestamp, asked: &Asked<'_>) {
        add(&mut self.shard(key).late, key, now, asked);
    }

    /// Notes the digest that a key should be found under.
    pub(super) fn note_stale(&self, key: ApiKeyId, digest: Digest) {
        let mut shard = self.shard(key);
        if shard.stale.len() < NOTES_MAX / SHARDS {
            shard.stale.insert(key, digest);
        }
    }

    /// Takes what was gathered since the last time. Rates stay.
    pub(super) fn take(&self) -> Taken {
        let mut taken = Taken::default();
        for shard in &self.0 {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.strays = ByKey::default();
            let (uses, mut details) = (std::mem::take(&mut shard.uses), std::mem::take(&mut shard.details));
            taken.uses.extend(uses.into_iter().map(|noting| {
                let detail = noting
                    .detail()
                    .and_then(|place| details.get_mut(place))
                    .map(|detail| Box::new(std::mem::take(detail)));
                let at = shard.since.saturating_add(noting.at.into());
                (noting.key, Use { at, doors: noting.doors, detail })
            }));
            taken.callers.extend(std::mem::take(&mut shard.callers).into_iter().map(caller));
            taken.late.extend(std::mem::take(&mut shard.late).into_iter().map(caller));
            taken.stale.extend(std::mem::take(&mut shard.stale));
        }
        taken
    }

    /// Puts back what was taken, beside what was gathered since. As for what comes new, there is an end to memory.
    pub(super) fn put_back(&self, taken: &Taken) {
        for (key, use_) in &taken.uses {
            let mut shard = self.shard(*key);
            if let Some(noted) = shard.place_of((*key, None), use_.at, &use_.doors) {
                shard.add(noted, use_);
            }
        }
        for (key, caller) in &taken.callers {
            put_caller(&mut self.shard(*key).callers, *key, caller);
        }
        for (key, caller) in &taken.late {
            put_caller(&mut self.shard(*key).late, *key, caller);
        }
        for (key, digest) in &taken.stale {
            self.note_stale(*key, *digest);
        }
    }
}

impl Noting {
    fn has_room(&self, more: &[u16; 4]) -> bool {
        self.doors.iter().zip(more).all(|(uses, more)| uses.checked_add(*more).is_some())
    }

    /// Where its detail stands.
    fn detail(&self) -> Option<usize> {
        self.detail.checked_sub(1).map(|place| place as usize)
    }
}

/// One use at a door.
fn once(door: Door) -> [u16; 4] {
    let mut doors = [0; 4];
    doors[door.place()] = 1;
    doors
}

impl Shard {
    /// Where so much more use of a key is noted: where it was `last`, if that is still its place and has room. `None`: there are
    /// too many of others.
    fn place_of(&mut self, (key, last): (ApiKeyId, Option<Noted>), at: i64, more: &[u16; 4]) -> Option<Noted> {
        let last = match last {
            Some(last) => Some(last),
            None => self.strays.get(&key).copied(),
        };
        if self.noted(key, last).is_some_and(|place| self.uses[place].has_room(more)) {
            return last;
        }
        if self.uses.capacity() == 0 {
            // At once, because growing in steps would leave holes; memory is taken only as uses come.
            self.uses.reserve_exact(USES_MAX);
        }
        if self.uses.is_empty() {
            self.since = at.saturating_sub(EARLIER_MILLIS);
        }
        let new = u16::try_from(self.uses.len()).ok().filter(|new| usize::from(*new) < USES_MAX).map(Noted)?;
        self.uses.push(Noting { key, at: 0, doors: [0; 4], detail: 0 });
        if last.is_none_or(|last| self.strays.get(&key) == Some(&last)) {
            self.strays.insert(key, new);
        }
        Some(new)
    }

    /// The place of a use, if it is still the key's.
    fn noted(&self, key: ApiKeyId, noted: Option<Noted>) -> Option<usize> {
        let place = usize::from(noted?.0);
        self.uses.get(place).is_some_and(|noting| noting.key == key).then_some(place)
    }

    fn detail_of(&mut self, place: usize) -> &mut Detail {
        let noting = &mut self.uses[place];
        if noting.detail == 0 {
            self.details.push(Detail::default());
            // There is one for a use at most.
            noting.detail = self.details.len() as u32;
        }
        &mut self.details[noting.detail as usize - 1]
    }

    /// Notes one use more where there is room for it.
    fn count(&mut self, Noted(noted): Noted, now: Timestamp, asked: &Asked<'_>) {
        self.count_up(noted.into(), now.millis(), &once(asked.door));
        if asked.address.is_none() && asked.agent.is_empty() && asked.wanted.is_none() {
            return;
        }
        let detail = self.detail_of(noted.into());
        detail.address = asked.address.or(detail.address);
        detail.wanted = detail.wanted.and(asked.wanted);
        if !asked.agent.is_empty() && detail.agent != asked.agent {
            detail.agent.clear();
            detail.agent.push_str(cut(asked.agent));
        }
    }

    /// Adds an earlier use where there is room for it.
    fn add(&mut self, Noted(noted): Noted, earlier: &Use) {
        self.count_up(noted.into(), earlier.at, &earlier.doors);
        if let Some(before) = &earlier.detail {
            let detail = self.detail_of(noted.into());
            detail.address = detail.address.or(before.address);
            detail.wanted = detail.wanted.and(before.wanted);
            if detail.agent.is_empty() {
                detail.agent.clone_from(&before.agent);
            }
        }
    }

    fn count_up(&mut self, place: usize, at: i64, more: &[u16; 4]) {
        let noting = &mut self.uses[place];
        noting.at = noting.at.max(clamp(at.saturating_sub(self.since)));
        noting.doors.iter_mut().zip(more).for_each(|(uses, more)| *uses = uses.saturating_add(*more));
    }

    fn pace(&mut self, key: ApiKeyId, now: Timestamp, quota: u32) -> Result<Option<Pace>, Refusal> {
        if let Some(until) = self.rates.get_mut(&key) {
            return taken(until, now, quota);
        }
        if self.rates.len() >= RATES_MAX / SHARDS {
            // Whoever has all of its quota again need not be remembered.
            let now = now.millis().saturating_mul(1000);
            self.rates.retain(|_, until| *until > now);
        }
        if self.rates.len() >= RATES_MAX / SHARDS {
            return Ok(None);
        }
        taken(self.rates.entry(key).or_default(), now, quota)
    }
}

fn clamp(millis: i64) -> u32 {
    u32::try_from(millis).unwrap_or(if millis < 0 { 0 } else { u32::MAX })
}

fn taken(until: &mut i64, now: Timestamp, quota: u32) -> Result<Option<Pace>, Refusal> {
    pace::take(until, now, quota)
        .map(Some)
        .map_err(|retry_after_seconds| Refusal::TooFast { quota, retry_after_seconds })
}

/// Callers, when they called last and how often.
type Callers = HashMap<Caller, (Timestamp, i64)>;

fn add(notes: &mut Callers, key: ApiKeyId, now: Timestamp, asked: &Asked<'_>) {
    put(notes, (key, asked.address, cut(asked.agent).to_owned()), now, 1);
}

fn put_caller(notes: &mut Callers, key: ApiKeyId, caller: &KeyCaller) {
    put(notes, (key, caller.address.parse().ok(), caller.agent.clone()), caller.last_at, caller.uses);
}

fn put(notes: &mut Callers, caller: Caller, at: Timestamp, uses: i64) {
    if let Some(known) = notes.get_mut(&caller) {
        *known = (known.0.max(at), known.1.saturating_add(uses));
    } else if notes.len() < NOTES_MAX / SHARDS {
        notes.insert(caller, (at, uses));
    }
}

/// The beginning of a name, at a whole character.
fn cut(agent: &str) -> &str {
    agent.char_indices().nth(AGENT_CHARS_MAX).map_or(agent, |(end, _)| &agent[..end])
}

fn caller(((key, address, agent), (last_at, uses)): (Caller, (Timestamp, i64))) -> (ApiKeyId, KeyCaller) {
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    (key, KeyCaller { address, agent, last_at, uses })
}

/// The door of a place in a row of counters.
pub(super) fn doors_of(use_: &Use) -> impl Iterator<Item = (Door, i64)> {
    Door::ALL.into_iter().zip(use_.doors).filter(|(_, uses)| *uses > 0).map(|(door, uses)| (door, i64::from(uses)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn a_place_that_is_anothers_by_now_stays_anothers() {
        let (gathered, mut rng, at) = (Gathered::default(), Rng::seeded(6), Timestamp::from_millis(1_777_000_000_000));
        let one = ApiKeyId::new(at, &mut rng);
        let other = std::iter::repeat_with(|| ApiKeyId::new(at, &mut rng))
            .find(|other| (other.spread() % SHARDS as u64, *other == one) == (one.spread() % SHARDS as u64, false))
            .unwrap();
        let note = |key, last| gathered.note((key, last), at, &Asked::at(Door::Api), None, false).unwrap().1;

        let first = note(one, Some(Noted(9)));
        assert_eq!((first, note(one, first)), (Some(Noted(0)), first));
        gathered.take();
        assert_eq!((note(other, first), note(one, first)), (first, Some(Noted(1))));
        gathered.take_back(one, first, Door::Api, None);

        let uses: Vec<_> = gathered.take().uses.iter().map(|(key, use_)| (*key, use_.doors)).collect();
        assert_eq!(uses, [(other, [1, 0, 0, 0]), (one, [1, 0, 0, 0])]);
    }

    #[test]
    fn a_key_that_is_used_more_than_a_counter_counts_is_counted_all_the_same() {
        let (gathered, at) = (Gathered::default(), Timestamp::from_millis(1_777_000_000_000));
        let key = ApiKeyId::new(at, &mut Rng::seeded(9));
        let uses = u32::from(u16::MAX) * 2 + 5;
        let note = |last| gathered.note((key, last), at, &Asked::at(Door::Api), None, false).unwrap().1;

        (0..uses).for_each(|_| assert!(note(None).is_some()));
        let by_stray: u32 = gathered.take().uses.iter().map(|(_, use_)| u32::from(use_.doors[0])).sum();
        let mut last = Some(Noted(0));
        (0..uses).for_each(|_| last = note(last));
        let taken = gathered.take();
        gathered.put_back(&taken);
        gathered.put_back(&taken);
        let twice = gathered.take();

        let count = |taken: &Taken| taken.uses.iter().map(|(_, use_)| u32::from(use_.doors[0])).sum::<u32>();
        assert_eq!((by_stray, count(&taken), count(&twice)), (uses, uses, 2 * uses));
        assert_eq!((taken.uses.len(), size_of::<Noting>()), (3, 32));
    }

    #[test]
    fn what_is_put_back_is_counted_with_what_came_since() {
        let (gathered, mut rng) = (Gathered::default(), Rng::seeded(5));
        let at = |second: i64| Timestamp::from_millis(1_777_000_000_000 + second * 1000);
        let [busy, idle] = [ApiKeyId::new(at(0), &mut rng), ApiKeyId::new(at(0), &mut rng)];
        let here: IpAddr = "203.0.113.7".parse().unwrap();
        let asked = |agent| Asked { agent, address: Some(here), ..Asked::at(Door::ForwardAuth) };
        let note = |key, second, agent| gathered.note((key, None), at(second), &asked(agent), None, true).unwrap();
        note(busy, 1, "curl");
        note(idle, 1, "curl");
        gathered.note_late(busy, at(1), &asked("curl"));
        gathered.note_stale(idle, [7; 32]);

        let lost = gathered.take();
        note(busy, 2, "wget");
        gathered.put_back(&lost);
        let mut taken = gathered.take();

        taken.uses.sort_unstable_by_key(|(key, _)| *key != busy);
        let of = |(_, use_): &(ApiKeyId, Use)| {
            let detail = use_.detail.as_ref().unwrap();
            (use_.at, use_.doors[Door::ForwardAuth.place()], detail.address, detail.agent.clone())
        };
        let uses: Vec<_> = taken.uses.iter().map(of).collect();
        assert_eq!(
            uses,
            [(at(2).millis(), 2, Some(here), "wget".to_owned()), (at(1).millis(), 1, Some(here), "curl".to_owned())]
        );
        let caller = |agent: &str, second, uses| {
            let (address, agent) = (here.to_string(), agent.to_owned());
            KeyCaller { address, agent, last_at: at(second), uses }
        };
        for noted in [(busy, caller("curl", 1, 1)), (busy, caller("wget", 2, 1)), (idle, caller("curl", 1, 1))] {
            assert!(taken.callers.contains(&noted), "{noted:?}");
        }
        assert_eq!((taken.callers.len(), taken.late, taken.stale), (3, lost.late, vec![(idle, [7; 32])]));
    }
}
