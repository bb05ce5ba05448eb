//! Ids: a type prefix and a UUIDv7 (RFC 9562 §5.7) in Crockford base32, 26 characters, lower case.
//!
//! Ids sort by time. They say nothing about a person, so they may remain as pseudonyms after an erasure.

use super::{Rng, Timestamp};

/// Crockford's alphabet: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The value of each character of the alphabet; 255 for all others.
const VALUES: [u8; 256] = {
    let (mut values, mut digit) = ([u8::MAX; 256], 0);
    while digit < ALPHABET.len() {
        values[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};
/// The number of characters of an id: 128 bits in groups of five.
const DIGITS: usize = 26;

/// A UUIDv7 for this moment: 48 bits of milliseconds, then 74 random bits.
fn uuid_v7(now: Timestamp, rng: &mut Rng) -> u128 {
    let random = u128::from_be_bytes(rng.bytes());
    let millis = (now.millis().max(0) as u128) & 0xffff_ffff_ffff;
    (millis << 80) | (0x7 << 76) | (((random >> 64) & 0xfff) << 64) | (0b10 << 62) | (random & 0x3fff_ffff_ffff_ffff)
}

fn encode(value: u128) -> [u8; DIGITS] {
    let mut text = [0u8; DIGITS];
    // Encoded in pieces of twelve digits, because shifts of 64 bits are faster than shifts of 128 bits.
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
    // The first digit has only the upper three bits, so a digit above 7 would overflow.
    if text.len() != DIGITS || text.as_bytes()[0] > b'7' {
        return None;
    }
    let (first, rest) = text.as_bytes().split_at(2);
    let (middle, last) = rest.split_at(12);
    let [first, middle, last] = [first, middle, last].map(|digits| {
        digits.iter().try_fold(0u64, |bits, byte| {
            let digit = VALUES[usize::from(*byte)];
            (digit != u8::MAX).then_some((bits << 5) | u64::from(digit))
        })
    });
    Some((u128::from(first?) << 120) | (u128::from(middle?) << 60) | u128::from(last?))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The prefix of every id of this kind, with the underscore.
            pub const PREFIX: &'static str = concat!($prefix, "_");

            /// A new random id. Ids sort by `now`.
            pub fn new(now: Timestamp, rng: &mut Rng) -> Self {
                Self(uuid_v7(now, rng))
            }

            /// When the id was created, to the millisecond (RFC 9562 §5.7).
            pub fn created_at(self) -> Timestamp {
                Timestamp::from_millis(i64::try_from(self.0 >> 80).unwrap_or(0))
            }

            /// The 62 random bits of the lower half, which distribute ids evenly over a hash table. Neither secret nor
            /// unique.
            pub const fn random_bits(self) -> u64 {
                // The lower half of a UUIDv7 is random except for its two highest bits.
                (self.0 & 0x3fff_ffff_ffff_ffff) as u64
            }

            /// The id as a number, which needs less memory than the text.
            pub const fn to_u128(self) -> u128 {
                self.0
            }

            /// The id with this number.
            pub const fn from_u128(number: u128) -> Self {
                Self(number)
            }

            /// The id as text. Same as [`std::fmt::Display`], but with one allocation and without the formatting
            /// machinery.
            pub fn to_text(self) -> String {
                let mut text = String::with_capacity(Self::PREFIX.len() + DIGITS);
                text.push_str(Self::PREFIX);
                text.push_str(std::str::from_utf8(&encode(self.0)).unwrap_or_default());
                text
            }

            /// Reads an id from text. `None`: the text is not an id of this kind.
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
    /// A credential of a connected service.
    ServiceCredentialId = "cred";
    /// A command to a connected service.
    CommandId = "cmd";
    /// A browser session, as lists and the audit log name it. The cookie has another value, which is secret.
    SessionId = "ses";
    /// The identity of a person at another sign-in provider.
    IdentityId = "idn";
    /// A passkey, as lists and the audit log name it. Browsers use its credential id.
    PasskeyId = "psk";
    /// An audit event.
    EventId = "evt";
    /// A ledger account.
    LedgerAccountId = "lac";
    /// A ledger transaction.
    TransactionId = "ltx";
    /// A lot of credit.
    LotId = "lot";
    /// Credit that is reserved, and the authorization that it is reserved for.
    HoldId = "hold";
    /// Codes for credit that were made at once.
    VoucherBatchId = "vch";
    /// A code for credit, as lists and the audit name it. What people type is something else.
    VoucherCodeId = "vcd";
    /// A job.
    JobId = "job";
    /// An e-mail in the outbox.
    MailId = "mail";
    /// A request about a person's data: export or erasure.
    RequestId = "dsr";
    /// A finished export.
    ArtifactId = "art";
    /// A resource that a service keeps for a workspace.
    ResourceId = "res";
    /// A place in the quota that a service reserved for a while.
    LeaseId = "lse";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_round_trip_through_text_and_sorts_by_time() {
        let mut rng = Rng::seeded(1);
        let early = AccountId::new(Timestamp::from_millis(1_000), &mut rng);
        let late = AccountId::new(Timestamp::from_millis(2_000), &mut rng);

        assert_eq!(AccountId::parse(&early.to_string()), Some(early));
        assert!(early.to_string() < late.to_string() && early < late);
        assert_eq!(early.to_string().len(), "acc_".len() + 26);
        assert_eq!(early.to_text(), early.to_string());
        assert_eq!(AccountId::from_u128(u128::MAX).to_text(), "acc_7zzzzzzzzzzzzzzzzzzzzzzzzz");
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
