//! Keys in memory, all of them where they fit: 42 bytes a key, found by the digest of its text.
//!
//! An entry says nothing by itself: it is believed for as long as nothing about its key changed since its tag (see
//! `db::change`), and what is wrong is read again and written over. So entries may come late, from any thread, and none
//! has to be taken out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::model::Noted;
use crate::base::{ApiKeyId, Timestamp};

/// HMAC-SHA-256 of a key's text under a pepper.
pub(super) type Digest = [u8; 32];

/// Owners in memory at most, some 40 MiB: their numbers are below this.
pub(super) const OWNERS_MAX: usize = 1 << OWNER_BITS;
/// Numbers of policies are below this.
pub(super) const POLICIES_MAX: usize = 1 << 16;
/// Numbers of places where a use is noted are below this: they share a word with the owner's.
pub(super) const NOTED_MAX: usize = 1 << 14;

const OWNER_BITS: u32 = 17;
/// Digests are random, so their last bits spread them evenly.
const SHARDS: usize = 1024;
/// Entries of a shard: in all 1.3 million keys and 55 MB. A full shard writes one over another. It has room for all of them at
/// once, which takes memory only as they come, where growing in steps would leave holes of a third of it.
const SHARD_MAX: usize = 1280;
/// Parts of a shard whose beginnings are known, so that a search guesses among few.
const PARTS: usize = 64;
/// No end.
const NEVER: [u16; 3] = [u16::MAX; 3];

/// What is known of a good key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key.
    pub key: ApiKeyId,
    /// Number of its owner.
    pub owner: u32,
    /// Number of what it may do.
    pub policy: u16,
    /// The generation it was read in.
    pub tag: u32,
    /// Until when. `None`: for ever.
    pub expires_at: Option<Timestamp>,
}

/// Of a digest the bits that are compared, beside the ten that chose the shard. Nobody without the pepper can make a digest that
/// shares them, and whoever guesses a million times a second for a hundred years meets one of a million keys with a rng of 1 in
/// 400,000.
type Mark = [u16; 5];

/// An entry as kept: of halves of words, so that none of its 42 bytes is filling.
#[derive(Clone, Copy)]
struct Slot {
    mark: Mark,
    key: [u16; 8],
    /// The number of the owner; above it, where the use of the key is noted.
    owner_and_noted: [u16; 2],
    tag: [u16; 2],
    policy: u16,
    /// Milliseconds, the highest bits first.
    expires_at: [u16; 3],
}

/// Slots by their marks.
struct Shard {
    slots: Vec<Slot>,
    /// How many slots stand before each part; a part is the marks that share their first bits.
    begins: [u16; PARTS],
}

/// See the module.
pub(super) struct Directory {
    shards: Box<[RwLock<Shard>]>,
    count: AtomicUsize,
}

impl Directory {
    /// An empty one; memory is taken as it fills.
    pub(super) fn new() -> Self {
        let empty = || RwLock::new(Shard { slots: Vec::new(), begins: [0; PARTS] });
        Self { shards: (0..SHARDS).map(|_| empty()).collect(), count: AtomicUsize::new(0) }
    }

    /// The entry of a digest, whether or not it is still to be believed, and where the use of its key was noted last.
    pub(super) fn find(&self, digest: &Digest) -> Option<(Entry, Noted)> {
        let (shard, mark) = place_of(digest);
        let shard = self.read(shard);
        let slot = &shard.slots[shard.search(&mark).ok()?];
        Some((read(slot), noted_of(slot)))
    }

    /// Keeps an entry, in place of an older one.
    pub(super) fn keep(&self, digest: &Digest, entry: &Entry) {
        let (shard, mark) = place_of(digest);
        if self.write(shard).keep(mark, entry) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps where the use of a key is noted now. Nothing, where the key is not here.
    pub(super) fn keep_noted(&self, digest: &Digest, noted: Noted) {
        let (shard, mark) = place_of(digest);
        let mut shard = self.write(shard);
        if let Ok(place) = shard.search(&mark) {
            let slot = &mut shard.slots[place];
            slot.owner_and_noted = split(pack(owner_of(slot), noted));
        }
    }

    /// Entries, those that are not believed any more included.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    // A panic while a slot was copied leaves no slot half written.
    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More keys than this are not read ahead: they would write each other over.
pub(super) const READ_AHEAD_MAX: usize = SHARDS * SHARD_MAX / 5 * 4;

impl Shard {
    /// `true`: there is one more now.
    fn keep(&mut self, mark: Mark, entry: &Entry) -> bool {
        match self.search(&mark) {
            Ok(place) => {
                let known = &mut self.slots[place];
                // Two readers may come in any order: the newer reading stays.
                if join(known.tag) <= entry.tag {
                    *known = write(mark, entry, noted_of(known));
                }
                false
            }
            Err(place) if self.slots.len() < SHARD_MAX => {
                if self.slots.capacity() == 0 {
                    self.slots.reserve_exact(SHARD_MAX);
                }
                self.slots.insert(place, write(mark, entry, Noted::default()));
                self.count(part_of(&mark), |begin| begin + 1);
                true
            }
            Err(place) => {
                // The neighbour is as good as any other, and order is kept.
                let victim = place.min(self.slots.len() - 1);
                self.count(part_of(&self.slots[victim].mark), |begin| begin - 1);
                self.count(part_of(&mark), |begin| begin + 1);
                self.slots[victim] = write(mark, entry, Noted::default());
                false
            }
        }
    }

    /// Sets the beginnings of all parts after this one right.
    fn count(&mut self, part: usize, change: impl Fn(u16) -> u16) {
        self.begins[part + 1..].iter_mut().for_each(|begin| *begin = change(*begin));
    }

    /// Where a mark stands among the slots, or would stand. Marks are random and so spread evenly: the place is guessed within
    /// its part, and the rest is a few neighbours. Of memory that is far away this looks at one place, where halving would
    /// look at ten.
    fn search(&self, mark: &Mark) -> Result<usize, usize> {
        let (slots, part) = (&self.slots, part_of(mark));
        let begin = usize::from(self.begins[part]);
        let end = self.begins.get(part + 1).map_or(slots.len(), |next| usize::from(*next));
        let within = u64::from(join([mark[0], mark[1]]) << PARTS.trailing_zeros());
        let mut at = begin + ((within * (end - begin) as u64) >> 32) as usize;
        // Up to the first that is not smaller, or down to the last that is not.
        while at < end && slots[at].mark < *mark {
            at += 1;
        }
        while at > begin && slots.get(at).is_none_or(|slot| slot.mark > *mark) && slots[at - 1].mark >= *mark {
            at -= 1;
        }
        match slots.get(at) {
            Some(slot) if slot.mark == *mark => Ok(at),
            _ => Err(at),
        }
    }
}

fn place_of(digest: &Digest) -> (usize, Mark) {
    let part = |at: usize| u16::from_be_bytes([digest[at], digest[at + 1]]);
    // The last bytes choose the shard, the first are compared.
    (usize::from(part(30)) % SHARDS, [part(0), part(2), part(4), part(6), part(8)])
}

fn part_of(mark: &Mark) -> usize {
    usize::from(mark[0] >> (u16::BITS - PARTS.trailing_zeros()))
}

fn pack(owner: u32, noted: Noted) -> u32 {
    u32::from(noted.0) << OWNER_BITS | owner
}

fn owner_of(slot: &Slot) -> u32 {
    join(slot.owner_and_noted) & (OWNERS_MAX as u32 - 1)
}

fn noted_of(slot: &Slot) -> Noted {
    // What is left is below NOTED_MAX.
    Noted((join(slot.owner_and_noted) >> OWNER_BITS) as u16)
}

fn split(number: u32) -> [u16; 2] {
    // The two halves, nothing lost.
    [(number >> 16) as u16, number as u16]
}

fn join(halves: [u16; 2]) -> u32 {
    u32::from(halves[0]) << 16 | u32::from(halves[1])
}

fn write(mark: Mark, entry: &Entry, noted: Noted) -> Slot {
    // 48 bits of milliseconds last for 8,900 years; what ends later never does.
    let last = (1 << 48) - 1;
    let end = entry.expires_at.map_or(last, |end| end.millis().clamp(0, last));
    let key = entry.key.to_u128();
    Slot {
        mark,
        key: std::array::from_fn(|part| (key >> (16 * part)) as u16),
        owner_and_noted: split(pack(entry.owner, noted)),
        tag: split(entry.tag),
        policy: entry.policy,
        expires_at: [(end >> 32) as u16, (end >> 16) as u16, end as u16],
    }
}

fn read(slot: &Slot) -> Entry {
    let key = slot.key.iter().rev().fold(0, |key, part| key << 16 | u128::from(*part));
    let [e, f, g] = slot.expires_at.map(i64::from);
    let expires_at = (slot.expires_at != NEVER).then(|| Timestamp::from_millis(e << 32 | f << 16 | g));
    Entry { key: ApiKeyId::from_u128(key), owner: owner_of(slot), policy: slot.policy, tag: join(slot.tag), expires_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn entry(number: u32, rng: &mut Rng) -> (Digest, Entry) {
        let now = Timestamp::from_millis(1_777_000_000_000);
        let expires_at = (!number.is_multiple_of(3)).then_some(Timestamp::from_millis(i64::from(number) << 30));
        let key = ApiKeyId::new(now, rng);
        (rng.bytes(), Entry { key, owner: number, policy: u16::MAX - (number % 7) as u16, tag: 1, expires_at })
    }

    fn shard_of(slots: Vec<Slot>) -> Shard {
        let mut shard = Shard { slots: Vec::new(), begins: [0; PARTS] };
        for slot in slots {
            assert!(shard.keep(slot.mark, &read(&slot)));
        }
        shard
    }

    #[test]
    fn an_entry_is_found_as_it_was_kept_among_many() {
        let (directory, mut rng) = (Directory::new(), Rng::seeded(1));
        let kept: Vec<_> = (0..50_000).map(|number| entry(number, &mut rng)).collect();
        kept.iter().for_each(|(digest, entry)| directory.keep(digest, entry));

        assert_eq!((size_of::<Slot>(), directory.len()), (42, kept.len()));
        assert!(kept.iter().all(|(digest, entry)| directory.find(digest) == Some((*entry, Noted::default()))));
        assert!((0..50_000).all(|_| directory.find(&rng.bytes()).is_none()));
    }

    #[test]
    fn a_search_finds_what_halving_finds_however_marks_are_spread() {
        let (digest, entry) = entry(1, &mut Rng::seeded(4));
        let mark = |word: u32, rest: [u16; 3]| [split(word)[0], split(word)[1], rest[0], rest[1], rest[2]];
        let slot = |word: u32| write(mark(word, [0, 0, 7]), &entry, Noted::default());
        let even = (0..=255).map(|step| step << 24);
        for words in [vec![], vec![5], vec![0, u32::MAX], (0..300).collect(), even.collect::<Vec<u32>>()] {
            let shard = shard_of(words.iter().rev().map(|word| slot(*word)).collect());
            let near = words.iter().flat_map(|word| [word.wrapping_sub(1), *word, word.wrapping_add(1)]);
            let around = |word| [[0, 0, 6], [0, 0, 7], [1, 0, 0]].map(|rest| mark(word, rest));
            for mark in near.chain([0, 1 << 31, u32::MAX]).flat_map(around) {
                let halving = shard.slots.binary_search_by_key(&mark, |slot| slot.mark);
                assert_eq!(shard.search(&mark), halving, "{mark:?} of {digest:?}");
            }
        }
    }

    #[test]
    fn the_newer_reading_stays_whoever_comes_last() {
        let (directory, mut rng) = (Directory::new(), Rng::seeded(2));
        let (digest, older) = entry(1, &mut rng);
        let newer = Entry { policy: 9, tag: 2, ..older };

        directory.keep(&digest, &newer);
        directory.keep(&digest, &older);

        assert_eq!((directory.find(&digest), directory.len()), (Some((newer, Noted::default())), 1));
    }

    #[test]
    fn where_a_use_is_noted_stays_when_the_key_is_read_again() {
        let (directory, mut rng) = (Directory::new(), Rng::seeded(6));
        let ((digest, older), (other, _)) = (entry(OWNERS_MAX as u32 - 1, &mut rng), entry(2, &mut rng));
        let noted = Noted(NOTED_MAX as u16 - 1);

        directory.keep(&digest, &older);
        directory.keep_noted(&digest, noted);
        directory.keep_noted(&other, noted);
        let newer = Entry { tag: 2, ..older };
        directory.keep(&digest, &newer);

        assert_eq!((directory.find(&digest), directory.find(&other)), (Some((newer, noted)), None));
    }

    #[test]
    fn an_end_is_kept_to_the_millisecond() {
        let (_, entry) = entry(1, &mut Rng::seeded(7));
        let kept = |millis: i64| {
            let entry = Entry { expires_at: Some(Timestamp::from_millis(millis)), ..entry };
            read(&write([1, 2, 3, 4, 5], &entry, Noted::default())).expires_at.map(Timestamp::millis)
        };
        let exact = [0, 1, 65_535, 65_536, 1_777_000_000_123, (1 << 48) - 2];
        assert_eq!(exact.map(kept), exact.map(Some));
        assert_eq!([-1, (1 << 48) - 1, i64::MAX].map(kept), [Some(0), None, None]);
    }

    #[test]
    fn memory_has_an_end() {
        let (directory, mut rng) = (Directory::new(), Rng::seeded(3));
        for number in 0..5_000 {
            let (mut digest, entry) = entry(number, &mut rng);
            digest[28..].copy_from_slice(&[0, 0, 0, 5]);
            directory.keep(&digest, &entry);
            assert_eq!(directory.find(&digest), Some((entry, Noted::default())), "what was kept last is there");
        }

        let shard = directory.read(5);
        assert_eq!((shard.slots.len(), directory.len()), (SHARD_MAX, SHARD_MAX));
        assert!(shard.slots.is_sorted_by_key(|slot| slot.mark));
        let before = |part: usize| shard.slots.iter().filter(|slot| part_of(&slot.mark) < part).count();
        assert!((0..PARTS).all(|part| usize::from(shard.begins[part]) == before(part)));
    }
}
