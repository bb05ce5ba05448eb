//! The index of keys in memory: 42 bytes a key, found by the digest of the key's text. It holds every key while they
//! fit.
//!
//! An entry is valid only while nothing about its key changed since the entry's generation (see `db::epoch`). An entry
//! that is not valid any more is read again and overwritten. So any thread may insert an entry late, and entries are
//! never removed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::model::SlotIndex;
use crate::api_keys::LookupDigest;
use crate::base::{ApiKeyId, Timestamp};

/// Owners in memory at most, some 40 MiB. The number of an owner is below this.
pub(super) const OWNERS_MAX: usize = 1 << OWNER_BITS;
/// The number of a policy is below this.
pub(super) const POLICIES_MAX: usize = 1 << 16;
/// An index of a slot of the usage buffer is below this. It shares a word with the number of the owner.
pub(super) const USAGE_SLOTS_MAX: usize = 1 << 14;

const OWNER_BITS: u32 = 17;
/// Digests are random, so their last bits spread them evenly over the shards.
const SHARDS: usize = 1024;
/// Entries of a shard at most: 1.3 million keys and 55 MB in all. A full shard overwrites one entry with another. It
/// allocates space for all of them at once, of which the system uses only the part that is filled; growing in steps
/// would waste a third.
const SHARD_MAX: usize = 1280;
/// Parts of a shard with a known begin, so that a search starts close to its entry.
const PARTS: usize = 64;
/// The stored form of "no end".
const NEVER: [u16; 3] = [u16::MAX; 3];

/// What the index knows about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: ApiKeyId,
    /// The number of its owner.
    pub owner: u32,
    /// The number of its policy.
    pub policy: u16,
    /// The generation in which it was read.
    pub generation: u32,
    /// `None`: it does not end.
    pub expires_at: Option<Timestamp>,
}

/// The 80 bits of a digest that are compared, besides the ten bits that select the shard. Without the pepper, a digest
/// with given bits cannot be made. An attacker who guesses a million times a second for a hundred years hits one of a
/// million keys with a probability of 1 in 400,000.
type Fingerprint = [u16; 5];

/// An entry as stored. All fields are half words, so that its 42 bytes have no padding.
#[derive(Clone, Copy)]
struct PackedEntry {
    fingerprint: Fingerprint,
    key: [u16; 8],
    /// The number of the owner, and above its bits the slot of the usage buffer.
    owner_and_slot: [u16; 2],
    generation: [u16; 2],
    policy: u16,
    /// Milliseconds since 1970, the highest bits first.
    expires_at: [u16; 3],
}

/// Entries, sorted by fingerprint.
struct Shard {
    entries: Vec<PackedEntry>,
    /// The number of entries before each part. The fingerprints of a part have the same first bits.
    begins: [u16; PARTS],
}

/// See the module.
pub(super) struct KeyIndex {
    shards: Box<[RwLock<Shard>]>,
    count: AtomicUsize,
}

impl KeyIndex {
    /// An empty index. A shard is allocated with its first entry.
    pub(super) fn new() -> Self {
        let empty = || RwLock::new(Shard { entries: Vec::new(), begins: [0; PARTS] });
        Self { shards: (0..SHARDS).map(|_| empty()).collect(), count: AtomicUsize::new(0) }
    }

    /// The entry of a digest, valid or not, and the slot of the usage buffer that the key used last.
    pub(super) fn find(&self, digest: &LookupDigest) -> Option<(Entry, SlotIndex)> {
        let (shard, fingerprint) = locate(digest);
        let shard = self.read(shard);
        let packed = &shard.entries[shard.search(&fingerprint).ok()?];
        Some((unpack(packed), slot_of(packed)))
    }

    /// Inserts an entry, or replaces an older one of the same digest.
    pub(super) fn insert(&self, digest: &LookupDigest, entry: &Entry) {
        let (shard, fingerprint) = locate(digest);
        if self.write(shard).insert(fingerprint, entry) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sets the slot of the usage buffer that a key uses now. Does nothing if the index does not have the key.
    pub(super) fn set_usage_slot(&self, digest: &LookupDigest, slot: SlotIndex) {
        let (shard, fingerprint) = locate(digest);
        let mut shard = self.write(shard);
        if let Ok(index) = shard.search(&fingerprint) {
            let packed = &mut shard.entries[index];
            packed.owner_and_slot = split(pack_owner(owner_of(packed), slot));
        }
    }

    /// The number of entries, including those that are not valid any more.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    // A poisoned lock is safe to use: a panic never leaves an entry half copied.
    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys that are preloaded at most. More keys would overwrite each other.
pub(super) const PRELOAD_MAX: usize = SHARDS * SHARD_MAX / 5 * 4;

impl Shard {
    /// `true`: the shard has one entry more now.
    fn insert(&mut self, fingerprint: Fingerprint, entry: &Entry) -> bool {
        match self.search(&fingerprint) {
            Ok(index) => {
                let known = &mut self.entries[index];
                // Two readers may finish in any order: the newer generation stays.
                if join(known.generation) <= entry.generation {
                    *known = pack(fingerprint, entry, slot_of(known));
                }
                false
            }
            Err(index) if self.entries.len() < SHARD_MAX => {
                if self.entries.capacity() == 0 {
                    self.entries.reserve_exact(SHARD_MAX);
                }
                self.entries.insert(index, pack(fingerprint, entry, SlotIndex::default()));
                self.shift_begins(part_of(&fingerprint), |begin| begin + 1);
                true
            }
            Err(index) => {
                // Any entry may go. The neighbour keeps the order without moving others.
                let victim = index.min(self.entries.len() - 1);
                self.shift_begins(part_of(&self.entries[victim].fingerprint), |begin| begin - 1);
                self.shift_begins(part_of(&fingerprint), |begin| begin + 1);
                self.entries[victim] = pack(fingerprint, entry, SlotIndex::default());
                false
            }
        }
    }

    /// Changes the begin of every part after this one.
    fn shift_begins(&mut self, part: usize, change: impl Fn(u16) -> u16) {
        self.begins[part + 1..].iter_mut().for_each(|begin| *begin = change(*begin));
    }

    /// The index of a fingerprint (`Ok`), or where it would have to be inserted (`Err`). Fingerprints are random and so
    /// spread evenly: the search computes the likely index within the part, and then walks over a few neighbours. This
    /// touches one place in distant memory, where a binary search would touch ten.
    fn search(&self, fingerprint: &Fingerprint) -> Result<usize, usize> {
        let (entries, part) = (&self.entries, part_of(fingerprint));
        let begin = usize::from(self.begins[part]);
        let end = self.begins.get(part + 1).map_or(entries.len(), |next| usize::from(*next));
        let within = u64::from(join([fingerprint[0], fingerprint[1]]) << PARTS.trailing_zeros());
        let mut at = begin + ((within * (end - begin) as u64) >> 32) as usize;
        // Up to the first that is not smaller, or down to the last that is not.
        while at < end && entries[at].fingerprint < *fingerprint {
            at += 1;
        }
        while at > begin
            && entries.get(at).is_none_or(|entry| entry.fingerprint > *fingerprint)
            && entries[at - 1].fingerprint >= *fingerprint
        {
            at -= 1;
        }
        match entries.get(at) {
            Some(entry) if entry.fingerprint == *fingerprint => Ok(at),
            _ => Err(at),
        }
    }
}

/// The shard of a digest, and its fingerprint: the last bytes select the shard, the first are compared.
fn locate(digest: &LookupDigest) -> (usize, Fingerprint) {
    let part = |at: usize| u16::from_be_bytes([digest[at], digest[at + 1]]);
    (usize::from(part(30)) % SHARDS, [part(0), part(2), part(4), part(6), part(8)])
}

fn part_of(fingerprint: &Fingerprint) -> usize {
    usize::from(fingerprint[0] >> (u16::BITS - PARTS.trailing_zeros()))
}

fn pack_owner(owner: u32, slot: SlotIndex) -> u32 {
    u32::from(slot.0) << OWNER_BITS | owner
}

fn owner_of(packed: &PackedEntry) -> u32 {
    join(packed.owner_and_slot) & (OWNERS_MAX as u32 - 1)
}

fn slot_of(packed: &PackedEntry) -> SlotIndex {
    // The remaining bits are below USAGE_SLOTS_MAX.
    SlotIndex((join(packed.owner_and_slot) >> OWNER_BITS) as u16)
}

fn split(number: u32) -> [u16; 2] {
    // The two casts keep one half each.
    [(number >> 16) as u16, number as u16]
}

fn join(halves: [u16; 2]) -> u32 {
    u32::from(halves[0]) << 16 | u32::from(halves[1])
}

fn pack(fingerprint: Fingerprint, entry: &Entry, slot: SlotIndex) -> PackedEntry {
    // 48 bits of milliseconds reach 8,900 years; a later end counts as none.
    let last = (1 << 48) - 1;
    let end = entry.expires_at.map_or(last, |end| end.millis().clamp(0, last));
    let key = entry.key.to_u128();
    PackedEntry {
        fingerprint,
        key: std::array::from_fn(|part| (key >> (16 * part)) as u16),
        owner_and_slot: split(pack_owner(entry.owner, slot)),
        generation: split(entry.generation),
        policy: entry.policy,
        expires_at: [(end >> 32) as u16, (end >> 16) as u16, end as u16],
    }
}

fn unpack(packed: &PackedEntry) -> Entry {
    let key = packed.key.iter().rev().fold(0, |key, part| key << 16 | u128::from(*part));
    let [e, f, g] = packed.expires_at.map(i64::from);
    let expires_at = (packed.expires_at != NEVER).then(|| Timestamp::from_millis(e << 32 | f << 16 | g));
    Entry {
        key: ApiKeyId::from_u128(key),
        owner: owner_of(packed),
        policy: packed.policy,
        generation: join(packed.generation),
        expires_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn entry(number: u32, rng: &mut Rng) -> (LookupDigest, Entry) {
        let now = Timestamp::from_millis(1_777_000_000_000);
        let expires_at = (!number.is_multiple_of(3)).then_some(Timestamp::from_millis(i64::from(number) << 30));
        let key = ApiKeyId::new(now, rng);
        (rng.bytes(), Entry { key, owner: number, policy: u16::MAX - (number % 7) as u16, generation: 1, expires_at })
    }

    fn shard_with(entries: Vec<PackedEntry>) -> Shard {
        let mut shard = Shard { entries: Vec::new(), begins: [0; PARTS] };
        for packed in entries {
            assert!(shard.insert(packed.fingerprint, &unpack(&packed)));
        }
        shard
    }

    #[test]
    fn an_entry_is_found_unchanged_among_many() {
        let (index, mut rng) = (KeyIndex::new(), Rng::seeded(1));
        let inserted: Vec<_> = (0..50_000).map(|number| entry(number, &mut rng)).collect();
        inserted.iter().for_each(|(digest, entry)| index.insert(digest, entry));

        assert_eq!((size_of::<PackedEntry>(), index.len()), (42, inserted.len()));
        assert!(inserted.iter().all(|(digest, entry)| index.find(digest) == Some((*entry, SlotIndex::default()))));
        assert!((0..50_000).all(|_| index.find(&rng.bytes()).is_none()));
    }

    #[test]
    fn a_search_gives_the_result_of_a_binary_search_for_any_distribution_of_fingerprints() {
        let (digest, entry) = entry(1, &mut Rng::seeded(4));
        let fingerprint = |word: u32, rest: [u16; 3]| [split(word)[0], split(word)[1], rest[0], rest[1], rest[2]];
        let packed = |word: u32| pack(fingerprint(word, [0, 0, 7]), &entry, SlotIndex::default());
        let even = (0..=255).map(|step| step << 24);
        for words in [vec![], vec![5], vec![0, u32::MAX], (0..300).collect(), even.collect::<Vec<u32>>()] {
            let shard = shard_with(words.iter().rev().map(|word| packed(*word)).collect());
            let near = words.iter().flat_map(|word| [word.wrapping_sub(1), *word, word.wrapping_add(1)]);
            let around = |word| [[0, 0, 6], [0, 0, 7], [1, 0, 0]].map(|rest| fingerprint(word, rest));
            for fingerprint in near.chain([0, 1 << 31, u32::MAX]).flat_map(around) {
                let binary = shard.entries.binary_search_by_key(&fingerprint, |entry| entry.fingerprint);
                assert_eq!(shard.search(&fingerprint), binary, "{fingerprint:?} of {digest:?}");
            }
        }
    }

    #[test]
    fn the_newer_generation_stays_in_any_order() {
        let (index, mut rng) = (KeyIndex::new(), Rng::seeded(2));
        let (digest, older) = entry(1, &mut rng);
        let newer = Entry { policy: 9, generation: 2, ..older };

        index.insert(&digest, &newer);
        index.insert(&digest, &older);

        assert_eq!((index.find(&digest), index.len()), (Some((newer, SlotIndex::default())), 1));
    }

    #[test]
    fn the_usage_slot_stays_when_the_key_is_read_again() {
        let (index, mut rng) = (KeyIndex::new(), Rng::seeded(6));
        let ((digest, older), (other, _)) = (entry(OWNERS_MAX as u32 - 1, &mut rng), entry(2, &mut rng));
        let slot = SlotIndex(USAGE_SLOTS_MAX as u16 - 1);

        index.insert(&digest, &older);
        index.set_usage_slot(&digest, slot);
        index.set_usage_slot(&other, slot);
        let newer = Entry { generation: 2, ..older };
        index.insert(&digest, &newer);

        assert_eq!((index.find(&digest), index.find(&other)), (Some((newer, slot)), None));
    }

    #[test]
    fn an_end_is_stored_to_the_millisecond() {
        let (_, entry) = entry(1, &mut Rng::seeded(7));
        let stored = |millis: i64| {
            let entry = Entry { expires_at: Some(Timestamp::from_millis(millis)), ..entry };
            unpack(&pack([1, 2, 3, 4, 5], &entry, SlotIndex::default())).expires_at.map(Timestamp::millis)
        };
        let exact = [0, 1, 65_535, 65_536, 1_777_000_000_123, (1 << 48) - 2];
        assert_eq!(exact.map(stored), exact.map(Some));
        assert_eq!([-1, (1 << 48) - 1, i64::MAX].map(stored), [Some(0), None, None]);
    }

    #[test]
    fn a_full_shard_does_not_grow() {
        let (index, mut rng) = (KeyIndex::new(), Rng::seeded(3));
        for number in 0..5_000 {
            let (mut digest, entry) = entry(number, &mut rng);
            digest[28..].copy_from_slice(&[0, 0, 0, 5]);
            index.insert(&digest, &entry);
            assert_eq!(index.find(&digest), Some((entry, SlotIndex::default())), "the last entry is there");
        }

        let shard = index.read(5);
        assert_eq!((shard.entries.len(), index.len()), (SHARD_MAX, SHARD_MAX));
        assert_eq!(shard.entries.capacity(), SHARD_MAX, "its space is allocated once");
        assert!(shard.entries.is_sorted_by_key(|entry| entry.fingerprint));
        // Each part has the same share of all fingerprints.
        let part_of = |entry: &PackedEntry| usize::from(entry.fingerprint[0]) * PARTS / (1 << 16);
        let before = |part: usize| shard.entries.iter().filter(|entry| part_of(entry) < part).count();
        assert!((0..PARTS).all(|part| usize::from(shard.begins[part]) == before(part)));
    }

    #[test]
    fn a_fifth_of_the_space_is_left_to_keys_that_are_not_preloaded() {
        assert_eq!((PRELOAD_MAX, SHARDS * SHARD_MAX), (1_048_576, 1_310_720));
    }
}
