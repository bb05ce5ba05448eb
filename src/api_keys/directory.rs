//! Keys in memory, all of them where they fit: 48 bytes a key, found by the digest of its text.
//!
//! An entry says nothing by itself: it is believed for as long as nothing about its key changed since its tag (see
//! `db::change`), and what is wrong is read again and written over. So entries may come late, from any thread, and none
//! has to be taken out.

use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::{ApiKeyId, Timestamp};

/// HMAC-SHA-256 of a key's text under a pepper.
pub(super) type Digest = [u8; 32];

/// Digests are random, so their first bits spread them evenly.
const SHARDS: usize = 4096;
/// Entries of a shard: in all 1.3 million keys and 63 MB. A full shard writes one over another.
const SHARD_MAX: usize = 320;
/// A shard grows by so many: doubling would take twice the memory at worst.
const GROWTH: usize = 16;
/// No end.
const NEVER: u64 = u64::MAX;

/// What is known of a good key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key.
    pub key: ApiKeyId,
    /// Number of its owner.
    pub owner: u32,
    /// Number of what it may do.
    pub policy: u32,
    /// The generation it was read in.
    pub tag: u32,
    /// Until when. `None`: for ever.
    pub expires_at: Option<Timestamp>,
}

/// An entry as kept: four-byte aligned, so that none of its 48 bytes is filling. Of the digest the bits that chose the
/// shard and 96 more: nobody without the pepper can make two digests that share them.
#[derive(Clone, Copy)]
struct Slot {
    mark: [u32; 3],
    key: [u32; 4],
    owner: u32,
    policy: u32,
    tag: u32,
    expires_at: [u32; 2],
}

/// See the module.
pub(super) struct Directory {
    shards: Box<[RwLock<Vec<Slot>>]>,
    count: AtomicUsize,
}

impl Directory {
    /// An empty one; memory is taken as it fills.
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), count: AtomicUsize::new(0) }
    }

    /// The entry of a digest, whether or not it is still to be believed.
    pub(super) fn find(&self, digest: &Digest) -> Option<Entry> {
        let (shard, mark) = place_of(digest);
        // A panic while a slot was copied leaves no slot half written.
        let slots = self.shards[shard].read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = search(&slots, &mark).ok()?;
        Some(read(&slots[place]))
    }

    /// Keeps an entry, in place of an older one.
    pub(super) fn keep(&self, digest: &Digest, entry: &Entry) {
        let (shard, mark) = place_of(digest);
        let slot = write(mark, entry);
        let mut slots = self.shards[shard].write().unwrap_or_else(std::sync::PoisonError::into_inner);
        match search(&slots, &mark) {
            // Two readers may come in any order: the newer reading stays.
            Ok(place) if slots[place].tag <= slot.tag => slots[place] = slot,
            Ok(_) => {}
            Err(place) => {
                if slots.len() >= SHARD_MAX {
                    // The neighbour is as good as any other, and order is kept.
                    let victim = place.min(slots.len() - 1);
                    slots[victim] = slot;
                    return;
                }
                if slots.len() == slots.capacity() {
                    slots.reserve_exact(GROWTH);
                }
                slots.insert(place, slot);
                self.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Entries, those that are not believed any more included.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// More keys than this are not read ahead: they would write each other over.
pub(super) const READ_AHEAD_MAX: usize = SHARDS * SHARD_MAX / 5 * 4;

/// Where a mark stands among sorted slots, or would stand. Marks are random and so spread evenly: the place is guessed, the
/// guess set right by how far it is off, and the rest is a few neighbours. Half the memory that halving would look at.
fn search(slots: &[Slot], mark: &[u32; 3]) -> Result<usize, usize> {
    let Some(last) = slots.len().checked_sub(1) else { return Err(0) };
    let part = |word: u32| ((u64::from(word) * slots.len() as u64) >> 32) as usize;
    let mut at = part(mark[0]).min(last);
    let found = slots[at].mark[0];
    at = match mark[0].checked_sub(found) {
        Some(short) => (at + part(short)).min(last),
        None => at.saturating_sub(part(found - mark[0])),
    };
    while at > 0 && slots[at].mark > *mark {
        at -= 1;
    }
    while slots.get(at).is_some_and(|slot| slot.mark < *mark) {
        at += 1;
    }
    match slots.get(at) {
        Some(slot) if slot.mark == *mark => Ok(at),
        _ => Err(at),
    }
}

fn place_of(digest: &Digest) -> (usize, [u32; 3]) {
    let word = |at: usize| u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
    // The last bytes choose the shard, the first are compared.
    (word(28) as usize % SHARDS, [word(0), word(4), word(8)])
}

fn split(number: u64) -> [u32; 2] {
    // The two halves, nothing lost.
    [(number >> 32) as u32, number as u32]
}

fn join(halves: [u32; 2]) -> u64 {
    u64::from(halves[0]) << 32 | u64::from(halves[1])
}

fn write(mark: [u32; 3], entry: &Entry) -> Slot {
    let key = entry.key.to_u128();
    let [a, b] = split((key >> 64) as u64);
    let [c, d] = split(key as u64);
    let expires_at = entry.expires_at.map_or(NEVER, |end| u64::try_from(end.millis()).unwrap_or(0));
    Slot {
        mark,
        key: [a, b, c, d],
        owner: entry.owner,
        policy: entry.policy,
        tag: entry.tag,
        expires_at: split(expires_at),
    }
}

fn read(slot: &Slot) -> Entry {
    let [a, b, c, d] = slot.key;
    let expires_at = join(slot.expires_at);
    Entry {
        key: ApiKeyId::from_u128(u128::from(join([a, b])) << 64 | u128::from(join([c, d]))),
        owner: slot.owner,
        policy: slot.policy,
        tag: slot.tag,
        expires_at: i64::try_from(expires_at).ok().map(Timestamp::from_millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Chance;

    fn entry(number: u32, chance: &mut Chance) -> (Digest, Entry) {
        let now = Timestamp::from_millis(1_777_000_000_000);
        let expires_at = (!number.is_multiple_of(3)).then_some(Timestamp::from_millis(i64::from(number) << 33));
        let key = ApiKeyId::new(now, chance);
        (chance.bytes(), Entry { key, owner: number, policy: number % 7, tag: 1, expires_at })
    }

    #[test]
    fn an_entry_is_found_as_it_was_kept_among_many() {
        let (directory, mut chance) = (Directory::new(), Chance::seeded(1));
        let kept: Vec<_> = (0..50_000).map(|number| entry(number, &mut chance)).collect();
        kept.iter().for_each(|(digest, entry)| directory.keep(digest, entry));

        assert_eq!((size_of::<Slot>(), directory.len()), (48, kept.len()));
        assert!(kept.iter().all(|(digest, entry)| directory.find(digest) == Some(*entry)));
        assert!((0..50_000).all(|_| directory.find(&chance.bytes()).is_none()));
    }

    #[test]
    fn a_search_finds_what_halving_finds_however_marks_are_spread() {
        let (digest, entry) = entry(1, &mut Chance::seeded(4));
        let slot = |word: u32| Slot { mark: [word, 0, 7], ..write(place_of(&digest).1, &entry) };
        let even = (0..=255).map(|step| step << 24);
        for words in [vec![], vec![5], vec![0, u32::MAX], (0..300).collect(), even.collect::<Vec<u32>>()] {
            let slots: Vec<Slot> = words.iter().map(|word| slot(*word)).collect();
            let near = words.iter().flat_map(|word| [word.wrapping_sub(1), *word, word.wrapping_add(1)]);
            for mark in near.chain([0, 1 << 31, u32::MAX]).flat_map(|word| [[word, 0, 6], [word, 0, 7], [word, 1, 0]]) {
                assert_eq!(search(&slots, &mark), slots.binary_search_by_key(&mark, |slot| slot.mark), "{mark:?}");
            }
        }
    }

    #[test]
    fn the_newer_reading_stays_whoever_comes_last() {
        let (directory, mut chance) = (Directory::new(), Chance::seeded(2));
        let (digest, older) = entry(1, &mut chance);
        let newer = Entry { policy: 9, tag: 2, ..older };

        directory.keep(&digest, &newer);
        directory.keep(&digest, &older);

        assert_eq!((directory.find(&digest), directory.len()), (Some(newer), 1));
    }

    #[test]
    fn memory_has_an_end() {
        let (directory, mut chance) = (Directory::new(), Chance::seeded(3));
        for number in 0..2_000 {
            let (mut digest, entry) = entry(number, &mut chance);
            digest[28..].copy_from_slice(&[0, 0, 0, 5]);
            directory.keep(&digest, &entry);
            assert_eq!(directory.find(&digest), Some(entry), "what was kept last is there");
        }

        let slots = directory.shards[5].read().unwrap();
        assert_eq!((slots.len(), directory.len()), (SHARD_MAX, SHARD_MAX));
        assert!(slots.is_sorted_by_key(|slot| slot.mark));
    }
}
