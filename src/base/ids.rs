//! Ids: a type prefix and a UUIDv7 (RFC 9562 §5.7) in Crockford base32, 26 characters, lower case.
//!
//! They sort by time, say nothing about a person, and may therefore outlive an erasure as pseudonyms.

use super::{Rng, Timestamp};

/// Crockford's alphabet: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five.
const DIGITS: usize = 26;

/// A UUIDv7 for this moment: 48 bits of milliseconds, then 74 random bits.
fn uuid_v7(now: Timestamp, rng: &mut Rng) -> u128 {
    let random = u128::from_be_bytes(rng.bytes());
    let millis = (now.millis().max(0) as u128) & 0xffff_ffff_ffff;
    (millis << 80) | (0x7 << 76) | (((random >> 64) & 0xfff) << 64) | (0b10 << 62) | (random & 0x3fff_ffff_ffff_ffff)
}

fn encode(value: u128) -> [u8; DIGITS] {
    let mut text = [0u8; DIGITS];
    // In pieces of twelve digits: machine words are shifted faster than twice their width.
    let (first, rest) = text.split_at_mut(2);
    let (middle, last) = rest.split_at_mut(12);
    for (digits, mut bits) in [(first, (value >> 120) as u64), (middle, (value >> 60) as u64), (last, value as u64)] {
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
    }
    text
}

fn decode(text: &str) -> Option<u128> {
    // The first digit holds the upper three bits only, so anything above 7 would not fit.
    if text.len() != DIGITS || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        Some((value << 5) | digit as u128)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What every id of this kind begins with, the underscore included.
            pub const PREFIX: &'static str = concat!($prefix, "_");

            /// A new id, sortable by `now`.
            pub fn new(now: Timestamp, rng: &mut Rng) -> Self {
                Self(uuid_v7(now, rng))
            }

            /// When it was made, to the millisecond (RFC 9562 §5.7).
            pub fn made_at(self) -> Timestamp {
                Timestamp::from_millis(i64::try_from(self.0 >> 80).unwrap_or(0))
            }

            /// A number that spreads ids evenly over a table: their random bits. Nothing secret, nothing unique.
            pub const fn spread(self) -> u64 {
                // The lower half of a UUIDv7 is random but for its two highest bits.
                (self.0 & 0x3fff_ffff_ffff_ffff) as u64
            }

            /// The number behind the written form, for memory that is kept small.
            pub const fn to_u128(self) -> u128 {
                self.0
            }

            /// The id of such a number.
            pub const fn from_u128(number: u128) -> Self {
                Self(number)
            }

            /// The written form, as [`std::fmt::Display`] writes it, with one piece of memory and no formatting.
            pub fn written(self) -> String {
                let mut text = String::with_capacity(Self::PREFIX.len() + DIGITS);
                text.push_str(Self::PREFIX);
                text.push_str(std::str::from_utf8(&encode(self.0)).unwrap_or_default());
                text
            }

            /// Reads the written form. `None`: this is not an id of this kind.
            pub fn parse(text: &str) -> Option<Self> {
                decode(text.strip_prefix(Self::PREFIX)?).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(Self::PREFIX)?;
                f.write_str(std::str::from_utf8(&encode(self.0)).unwrap_or_default())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// A person's account.
    AccountId = "acc";
    /// One e-mail address of an account.
    EmailId = "eml";
    /// A change of the primary address.
    EmailChangeId = "ech";
    /// An invitation to sign up.
    InvitationId = "inv";
    /// Owner of keys, wallet, resources and activity.
    WorkspaceId = "ws";
    /// An API key.
    ApiKeyId = "key";
    /// A connected service.
    ServiceId = "svc";
    /// A browser session, as lists and the audit name it; the cookie holds something else.
    SessionId = "ses";
    /// A person as another provider knows them.
    IdentityId = "idn";
    /// A passkey, as lists and the audit name it; browsers know it by its credential id.
    PasskeyId = "psk";
    /// An audit event.
    EventId = "evt";
    /// A ledger account.
    LedgerAccountId = "lac";
    /// A ledger transaction.
    TransactionId = "ltx";
    /// A lot of credit.
    LotId = "lot";
    /// A job.
    JobId = "job";
    /// A mail on its way.
    MailId = "mail";
    /// A request about a person's data: export or erasure.
    RequestId = "dsr";
    /// A finished export.
    ArtifactId = "art";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_wrote_and_sorts_by_time() {
        let mut rng = Rng::seeded(1);
        let early = AccountId::new(Timestamp::from_millis(1_000), &mut rng);
        let late = AccountId::new(Timestamp::from_millis(2_000), &mut rng);

        assert_eq!(AccountId::parse(&early.to_string()), Some(early));
        assert!(early.to_string() < late.to_string() && early < late);
        assert_eq!(early.to_string().len(), "acc_".len() + 26);
        assert_eq!(early.written(), early.to_string());
        assert_eq!(AccountId::from_u128(u128::MAX).written(), "acc_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn foreign_prefixes_and_wrong_letters_are_not_ids() {
        let mut rng = Rng::seeded(1);
        let text = AccountId::new(Timestamp::from_millis(1_000), &mut rng).to_string();

        assert_eq!(WorkspaceId::parse(&text), None);
        assert_eq!(AccountId::parse(&text.to_uppercase()), None);
        assert_eq!(AccountId::parse("acc_z0000000000000000000000000"), None);
        assert_eq!(AccountId::parse("acc_"), None);
    }
}
