//! The buffer of key usage: what the hot path records in memory (uses, rates, callers). It is bounded and sharded, and
//! `jobs` writes it down once a minute.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key_index::USAGE_SLOTS_MAX;
use super::model::{Refusal, SlotIndex, VerifyRequest};
use crate::api_keys::{Channel, KeyCaller, KeyUsage, LookupDigest, UsageBatch, UsageDetail};
use crate::base::{ApiKeyId, RateLimit, RateLimiter, Scopes, Timestamp};

/// Slots of a shard between two drains, in all 262,144. When they are full, a use is not counted, so that memory does
/// not grow.
const SLOTS_MAX: usize = USAGE_SLOTS_MAX;
/// Keys with a rate limit in use at the same time. When there are more, the oldest are evicted.
const RATES_MAX: usize = 65_536;
/// Callers of retiring keys, callers of replaced keys, and digests to be rewritten: each at most this many between two
/// drains.
const NOTES_MAX: usize = 16_384;
/// Shards, so that workers rarely wait for each other.
const SHARDS: usize = 16;
/// A shard counts time from one hour before its first use, because a clock can be set back and a failed batch is
/// restored.
const EARLIER_MILLIS: i64 = 3_600_000;
/// Characters of a program's name that are kept.
const AGENT_CHARS_MAX: usize = 200;

/// A use in the buffer: 32 bytes, because there are many. A key that is used more often than a counter can count has
/// several.
struct Slot {
    key: ApiKeyId,
    /// The last use, in milliseconds since the shard's `since`: enough for seven weeks.
    at: u32,
    by_channel: [u16; 4],
    /// The number of its detail, counted from one. 0: none.
    detail: u32,
}

/// A program that called with a key.
type Caller = (ApiKeyId, Option<IpAddr>, String);

/// Callers, with their last call and the number of their calls.
type Callers = HashMap<Caller, (Timestamp, i64)>;

/// Hashes key ids by their own random bits: ids are made here, and no caller can choose one.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        // An id is hashed as a number; this method is here for completeness.
        bytes.iter().for_each(|byte| self.write_u128(u128::from(self.0.rotate_left(8) ^ u64::from(*byte))));
    }

    fn write_u128(&mut self, id: u128) {
        // The lower 62 bits are random, and the ids of one shard have the same remainder of them. The multiplication
        // mixes all of them into the middle of the product, which is the part taken here.
        self.0 = (u128::from(id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type KeyMap<T> = HashMap<ApiKeyId, T, BuildHasherDefault<IdHasher>>;

#[derive(Default)]
struct Shard {
    /// In the order of the first use. The key index stores the slot of each key, because a look-up in a map would cost
    /// as much again as finding the key.
    slots: Vec<Slot>,
    details: Vec<UsageDetail>,
    /// The begin of the slots' time, in milliseconds since 1970.
    since: i64,
    /// The slots of keys that are not in the key index.
    overflow: KeyMap<SlotIndex>,
    rates: RateLimiter<ApiKeyId, { RATES_MAX / SHARDS }, BuildHasherDefault<IdHasher>>,
    callers: Callers,
    late: Callers,
    stale: HashMap<ApiKeyId, LookupDigest>,
}

/// See the module.
#[derive(Default)]
pub(super) struct UsageBuffer([Mutex<Shard>; SHARDS]);

impl UsageBuffer {
    fn shard(&self, key: ApiKeyId) -> MutexGuard<'_, Shard> {
        let shard = &self.0[(key.random_bits() % SHARDS as u64) as usize];
        // A poisoned lock means a panic while two numbers were added: counting can go on.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the rate limit of a key and records one use. `last`: the slot that the key used last, which may belong
    /// to another key by now. Returns the state of the rate limit, and the slot that the key uses now (`None`: there
    /// are too many). A refused request is not recorded and does not count against the limit.
    pub(super) fn record(
        &self,
        (key, last): (ApiKeyId, Option<SlotIndex>),
        now: Timestamp,
        request: &VerifyRequest<'_>,
        quota: Option<u32>,
        is_retiring: bool,
    ) -> Result<(Option<RateLimit>, Option<SlotIndex>), Refusal> {
        let mut shard = self.shard(key);
        let rate_limit = match quota.filter(|_| request.channel.is_rate_limited()) {
            None => None,
            Some(quota) => Some(
                shard
                    .rates
                    .admit(key, now, quota)
                    .map_err(|retry_after_seconds| Refusal::RateLimited { quota, retry_after_seconds })?,
            ),
        };
        let slot = shard.slot_for((key, last), now.millis(), &one_request(request.channel));
        if let Some(slot) = slot {
            shard.record(slot, now, request);
        }
        if is_retiring {
            add_caller(&mut shard.callers, key, now, request);
        }
        Ok((rate_limit, slot))
    }

    /// Records rights that a program used after the key was verified.
    pub(super) fn record_rights(&self, key: ApiKeyId, slot: Option<SlotIndex>, rights: Scopes) {
        let mut shard = self.shard(key);
        if let Some(index) = shard.index_of(key, slot) {
            let detail = shard.detail_of(index);
            detail.rights = detail.rights.union(rights);
        }
    }

    /// Undoes the last [`UsageBuffer::record`] of this key, except for its address and time.
    pub(super) fn undo_use(&self, key: ApiKeyId, slot: Option<SlotIndex>, channel: Channel, quota: Option<u32>) {
        let mut shard = self.shard(key);
        if let Some(quota) = quota {
            shard.rates.refund(&key, quota);
        }
        if let Some(index) = shard.index_of(key, slot) {
            let uses = &mut shard.slots[index].by_channel[channel.index()];
            *uses = uses.saturating_sub(1);
        }
    }

    /// Records a call with a key that was replaced.
    pub(super) fn record_late(&self, key: ApiKeyId, now: Timestamp, request: &VerifyRequest<'_>) {
        add_caller(&mut self.shard(key).late, key, now, request);
    }

    /// Records the digest under which a key has to be stored from now on.
    pub(super) fn record_stale(&self, key: ApiKeyId, digest: LookupDigest) {
        let mut shard = self.shard(key);
        if shard.stale.len() < NOTES_MAX / SHARDS {
            shard.stale.insert(key, digest);
        }
    }

    /// Takes everything that was recorded since the last drain. Rates stay.
    pub(super) fn drain(&self) -> UsageBatch {
        let mut batch = UsageBatch::default();
        for shard in &self.0 {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.overflow = KeyMap::default();
            let (slots, mut details) = (std::mem::take(&mut shard.slots), std::mem::take(&mut shard.details));
            batch.uses.extend(slots.into_iter().map(|slot| {
                let detail = slot
                    .detail()
                    .and_then(|index| details.get_mut(index))
                    .map(|detail| Box::new(std::mem::take(detail)));
                let at = shard.since.saturating_add(slot.at.into());
                (slot.key, KeyUsage { at, by_channel: slot.by_channel, detail })
            }));
            batch.callers.extend(std::mem::take(&mut shard.callers).into_iter().map(caller));
            batch.late.extend(std::mem::take(&mut shard.late).into_iter().map(caller));
            batch.stale.extend(std::mem::take(&mut shard.stale));
        }
        batch
    }

    /// Adds a batch that could not be written to what was recorded meanwhile. The same bounds apply as for new records.
    pub(super) fn restore(&self, batch: &UsageBatch) {
        for (key, usage) in &batch.uses {
            let mut shard = self.shard(*key);
            if let Some(slot) = shard.slot_for((*key, None), usage.at, &usage.by_channel) {
                shard.merge(slot, usage);
            }
        }
        for (key, caller) in &batch.callers {
            restore_caller(&mut self.shard(*key).callers, *key, caller);
        }
        for (key, caller) in &batch.late {
            restore_caller(&mut self.shard(*key).late, *key, caller);
        }
        for (key, digest) in &batch.stale {
            self.record_stale(*key, *digest);
        }
    }
}

impl Slot {
    /// Whether its counters can take `more` without an overflow.
    fn can_add(&self, more: &[u16; 4]) -> bool {
        self.by_channel.iter().zip(more).all(|(uses, more)| uses.checked_add(*more).is_some())
    }

    /// The index of its detail in the shard.
    fn detail(&self) -> Option<usize> {
        self.detail.checked_sub(1).map(|index| index as usize)
    }
}

/// The counters of one request.
fn one_request(channel: Channel) -> [u16; 4] {
    let mut by_channel = [0; 4];
    by_channel[channel.index()] = 1;
    by_channel
}

impl Shard {
    /// The slot in which `more` uses of a key can be counted: the `last` one if it is still the key's and its counters
    /// have space, otherwise a new one. `None`: all slots are in use.
    fn slot_for(&mut self, (key, last): (ApiKeyId, Option<SlotIndex>), at: i64, more: &[u16; 4]) -> Option<SlotIndex> {
        let last = match last {
            Some(last) => Some(last),
            None => self.overflow.get(&key).copied(),
        };
        if self.index_of(key, last).is_some_and(|index| self.slots[index].can_add(more)) {
            return last;
        }
        if self.slots.capacity() == 0 {
            // All at once, because growing in steps would fragment memory. The system uses only the part that is
            // filled.
            self.slots.reserve_exact(SLOTS_MAX);
        }
        if self.slots.is_empty() {
            self.since = at.saturating_sub(EARLIER_MILLIS);
        }
        let new = u16::try_from(self.slots.len()).ok().filter(|new| usize::from(*new) < SLOTS_MAX).map(SlotIndex)?;
        self.slots.push(Slot { key, at: 0, by_channel: [0; 4], detail: 0 });
        if last.is_none_or(|last| self.overflow.get(&key) == Some(&last)) {
            self.overflow.insert(key, new);
        }
        Some(new)
    }

    /// The index of a slot, if it is still the key's.
    fn index_of(&self, key: ApiKeyId, slot: Option<SlotIndex>) -> Option<usize> {
        let index = usize::from(slot?.0);
        self.slots.get(index).is_some_and(|slot| slot.key == key).then_some(index)
    }

    fn detail_of(&mut self, index: usize) -> &mut UsageDetail {
        let slot = &mut self.slots[index];
        if slot.detail == 0 {
            self.details.push(UsageDetail::default());
            // A slot has at most one detail, so the number fits.
            slot.detail = self.details.len() as u32;
        }
        &mut self.details[slot.detail as usize - 1]
    }

    /// Counts one request in a slot of the key.
    fn record(&mut self, SlotIndex(slot): SlotIndex, now: Timestamp, request: &VerifyRequest<'_>) {
        self.count(slot.into(), now.millis(), &one_request(request.channel));
        if request.address.is_none() && request.agent.is_empty() && request.required.is_none() {
            return;
        }
        let detail = self.detail_of(slot.into());
        detail.address = request.address.or(detail.address);
        detail.rights = detail.rights.union(request.required);
        if !request.agent.is_empty() && detail.agent != request.agent {
            detail.agent.clear();
            detail.agent.push_str(truncated(request.agent));
        }
    }

    /// Adds an earlier use to a slot of the key.
    fn merge(&mut self, SlotIndex(slot): SlotIndex, earlier: &KeyUsage) {
        self.count(slot.into(), earlier.at, &earlier.by_channel);
        if let Some(before) = &earlier.detail {
            let detail = self.detail_of(slot.into());
            detail.address = detail.address.or(before.address);
            detail.rights = detail.rights.union(before.rights);
            if detail.agent.is_empty() {
                detail.agent.clone_from(&before.agent);
            }
        }
    }

    fn count(&mut self, index: usize, at: i64, more: &[u16; 4]) {
        let slot = &mut self.slots[index];
        slot.at = slot.at.max(clamp(at.saturating_sub(self.since)));
        slot.by_channel.iter_mut().zip(more).for_each(|(uses, more)| *uses = uses.saturating_add(*more));
    }
}

fn clamp(millis: i64) -> u32 {
    u32::try_from(millis).unwrap_or(if millis < 0 { 0 } else { u32::MAX })
}

fn add_caller(callers: &mut Callers, key: ApiKeyId, now: Timestamp, request: &VerifyRequest<'_>) {
    add_calls(callers, (key, request.address, truncated(request.agent).to_owned()), now, 1);
}

fn restore_caller(callers: &mut Callers, key: ApiKeyId, caller: &KeyCaller) {
    add_calls(callers, (key, caller.address.parse().ok(), caller.agent.clone()), caller.last_at, caller.uses);
}

fn add_calls(callers: &mut Callers, caller: Caller, at: Timestamp, uses: i64) {
    if let Some(known) = callers.get_mut(&caller) {
        *known = (known.0.max(at), known.1.saturating_add(uses));
    } else if callers.len() < NOTES_MAX / SHARDS {
        callers.insert(caller, (at, uses));
    }
}

/// The begin of a program's name, never in the middle of a character.
fn truncated(agent: &str) -> &str {
    agent.char_indices().nth(AGENT_CHARS_MAX).map_or(agent, |(end, _)| &agent[..end])
}

fn caller(((key, address, agent), (last_at, uses)): (Caller, (Timestamp, i64))) -> (ApiKeyId, KeyCaller) {
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    (key, KeyCaller { address, agent, last_at, uses })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn a_slot_that_another_key_has_taken_is_not_used() {
        let (buffer, mut rng, at) = (UsageBuffer::default(), Rng::seeded(6), Timestamp::from_millis(1_777_000_000_000));
        let one = ApiKeyId::new(at, &mut rng);
        let shard_of = |key: ApiKeyId| key.random_bits() % SHARDS as u64;
        let other = std::iter::repeat_with(|| ApiKeyId::new(at, &mut rng))
            .find(|other| shard_of(*other) == shard_of(one) && *other != one)
            .unwrap();
        let request = VerifyRequest::new(Channel::Api);
        let record = |key, last| buffer.record((key, last), at, &request, None, false).unwrap().1;

        let first = record(one, Some(SlotIndex(9)));
        assert_eq!((first, record(one, first)), (Some(SlotIndex(0)), first));
        buffer.drain();
        assert_eq!((record(other, first), record(one, first)), (first, Some(SlotIndex(1))));
        buffer.undo_use(one, first, Channel::Api, None);

        let uses: Vec<_> = buffer.drain().uses.iter().map(|(key, usage)| (*key, usage.by_channel)).collect();
        assert_eq!(uses, [(other, [1, 0, 0, 0]), (one, [1, 0, 0, 0])]);
    }

    #[test]
    fn a_key_is_counted_beyond_the_maximum_of_one_counter() {
        let (buffer, at) = (UsageBuffer::default(), Timestamp::from_millis(1_777_000_000_000));
        let key = ApiKeyId::new(at, &mut Rng::seeded(9));
        let uses = u32::from(u16::MAX) * 2 + 5;
        let request = VerifyRequest::new(Channel::Api);
        let record = |last| buffer.record((key, last), at, &request, None, false).unwrap().1;
        let count =
            |batch: &UsageBatch| batch.uses.iter().map(|(_, usage)| u32::from(usage.by_channel[0])).sum::<u32>();

        (0..uses).for_each(|_| assert!(record(None).is_some()));
        let by_overflow = count(&buffer.drain());
        let mut last = Some(SlotIndex(0));
        (0..uses).for_each(|_| last = record(last));
        let batch = buffer.drain();
        buffer.restore(&batch);
        buffer.restore(&batch);
        let twice = buffer.drain();

        assert_eq!((by_overflow, count(&batch), count(&twice)), (uses, uses, 2 * uses));
        assert_eq!((batch.uses.len(), size_of::<Slot>()), (3, 32));
    }

    #[test]
    fn a_restored_batch_is_added_to_what_was_recorded_meanwhile() {
        let (buffer, mut rng) = (UsageBuffer::default(), Rng::seeded(5));
        let at = |second: i64| Timestamp::from_millis(1_777_000_000_000 + second * 1000);
        let [busy, idle] = [ApiKeyId::new(at(0), &mut rng), ApiKeyId::new(at(0), &mut rng)];
        let here: IpAddr = "203.0.113.7".parse().unwrap();
        let request = |agent| VerifyRequest { agent, address: Some(here), ..VerifyRequest::new(Channel::ForwardAuth) };
        let record = |key, second, agent| buffer.record((key, None), at(second), &request(agent), None, true).unwrap();
        record(busy, 1, "curl");
        record(idle, 1, "curl");
        buffer.record_late(busy, at(1), &request("curl"));
        buffer.record_stale(idle, [7; 32]);

        let failed = buffer.drain();
        record(busy, 2, "wget");
        buffer.restore(&failed);
        let mut batch = buffer.drain();

        batch.uses.sort_unstable_by_key(|(key, _)| *key != busy);
        let of = |(_, usage): &(ApiKeyId, KeyUsage)| {
            let detail = usage.detail.as_ref().unwrap();
            (usage.at, usage.by_channel[Channel::ForwardAuth.index()], detail.address, detail.agent.clone())
        };
        let uses: Vec<_> = batch.uses.iter().map(of).collect();
        assert_eq!(
            uses,
            [(at(2).millis(), 2, Some(here), "wget".to_owned()), (at(1).millis(), 1, Some(here), "curl".to_owned())]
        );
        let caller = |agent: &str, second, uses| {
            let (address, agent) = (here.to_string(), agent.to_owned());
            KeyCaller { address, agent, last_at: at(second), uses }
        };
        for expected in [(busy, caller("curl", 1, 1)), (busy, caller("wget", 2, 1)), (idle, caller("curl", 1, 1))] {
            assert!(batch.callers.contains(&expected), "{expected:?}");
        }
        assert_eq!((batch.callers.len(), batch.late, batch.stale), (3, failed.late, vec![(idle, [7; 32])]));
    }

    const START: Timestamp = Timestamp::from_millis(1_777_000_000_000);

    /// Keys of the first shard.
    fn keys_of_a_shard() -> impl Iterator<Item = ApiKeyId> {
        (0..).map(|number| ApiKeyId::from_u128(number * SHARDS as u128))
    }

    #[test]
    fn a_full_shard_counts_no_new_key_and_takes_its_space_at_once() {
        let (buffer, request) = (UsageBuffer::default(), VerifyRequest::new(Channel::Api));
        let record = |key| buffer.record((key, None), START, &request, None, false).unwrap().1;
        let slots: Vec<_> = keys_of_a_shard().take(SLOTS_MAX + 1).map(record).collect();
        assert_eq!((slots[SLOTS_MAX - 1], slots[SLOTS_MAX]), (Some(SlotIndex(SLOTS_MAX as u16 - 1)), None));
        assert_eq!(buffer.0[0].lock().unwrap().slots.capacity(), SLOTS_MAX);
        assert_eq!(buffer.drain().uses.len(), SLOTS_MAX);
    }

    #[test]
    fn a_shard_keeps_a_limited_number_of_notes() {
        let (buffer, request, most) = (UsageBuffer::default(), VerifyRequest::new(Channel::Api), NOTES_MAX / SHARDS);
        for key in keys_of_a_shard().take(most + 1) {
            buffer.record((key, None), START, &request, None, true).unwrap();
            buffer.record_late(key, START, &request);
            buffer.record_stale(key, [7; 32]);
        }
        let batch = buffer.drain();
        assert_eq!((batch.callers.len(), batch.late.len(), batch.stale.len()), (most, most, most));
    }

    #[test]
    fn the_number_of_rates_is_limited_and_the_oldest_is_forgotten() {
        let (buffer, request) = (UsageBuffer::default(), VerifyRequest::new(Channel::Api));
        let later = Timestamp::from_millis(START.millis() + 1);
        let record = |key, at| buffer.record((key, None), at, &request, Some(1), false).is_ok();
        let mut keys = keys_of_a_shard();
        let first = keys.next().unwrap();
        assert!(record(first, START) && !record(first, later));
        assert!(keys.by_ref().take(RATES_MAX / SHARDS - 1).all(|key| record(key, later)));
        assert!(!record(first, later), "there is space for all of these");
        assert!(record(keys.next().unwrap(), later) && record(first, later));
    }

    #[test]
    fn a_use_has_what_was_known_about_its_own_program() {
        let (buffer, here) = (UsageBuffer::default(), "203.0.113.7".parse().ok());
        let request = VerifyRequest::new(Channel::Api);
        let required = crate::base::ScopeTable::new(&[]).unwrap().rights_of("models");
        let requests = [
            request,
            VerifyRequest { agent: "curl", ..request },
            VerifyRequest { address: here, ..request },
            VerifyRequest { required, ..request },
        ];
        let keys: Vec<_> = keys_of_a_shard().take(requests.len()).collect();
        for (key, request) in keys.iter().zip(&requests) {
            buffer.record((*key, None), START, request, None, false).unwrap();
        }
        // A later call without a name leaves the name that is known.
        buffer.record((keys[1], None), START, &VerifyRequest { address: here, ..request }, None, false).unwrap();

        let known = |usage: KeyUsage| usage.detail.map(|detail| (detail.agent, detail.address, detail.rights));
        let details: Vec<_> = buffer.drain().uses.into_iter().map(|(_, usage)| known(usage)).collect();
        let detail = |agent: &str, address, rights| Some((agent.to_owned(), address, rights));
        let none = Scopes::NONE;
        assert_eq!(details, [None, detail("curl", here, none), detail("", here, none), detail("", None, required)]);
    }

    #[test]
    fn a_time_outside_of_the_range_becomes_its_end() {
        let most = i64::from(u32::MAX);
        assert_eq!([i64::MIN, -1, 0, 5, most, most + 1].map(clamp), [0, 0, 0, 5, u32::MAX, u32::MAX]);
    }

    #[test]
    fn keys_of_a_shard_are_spread_over_a_map() {
        let hash = |key: ApiKeyId| std::hash::BuildHasher::hash_one(&BuildHasherDefault::<IdHasher>::default(), key);
        let mut rng = Rng::seeded(10);
        let keys = std::iter::repeat_with(|| ApiKeyId::new(START, &mut rng));
        let of_a_shard = keys.filter(|key| key.random_bits() % SHARDS as u64 == 5).take(2_000);
        let places: std::collections::HashSet<u64> = of_a_shard.map(|key| hash(key) % 256).collect();
        assert!(places.len() > 250, "{}", places.len());
    }
}
