//! What an event is, what can be wrong with one, and what it costs. Pure.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::base::{ApiKeyId, Credits, Quantity, Timestamp, WorkspaceId, days};

/// Events in one batch at most (contract section 6).
pub const BATCH_EVENTS_MAX: usize = 10_000;
/// Characters of a source or an event id at most.
const NAME_CHARS_MAX: usize = 200;
/// How far a service's clock may be ahead of ours.
const AHEAD_MAX: Duration = days(1);
/// Millionths in a whole: of a credit, of a unit, and of a micro-credit.
const MILLION: i128 = 1_000_000;

/// The name of a source, or of an event within its source: 1 to 200 printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(String);

impl EventName {
    /// Takes a name. `None`: empty, too long, or with characters that cannot be seen.
    pub fn parse(text: &str) -> Option<Self> {
        let is_printable = |c: char| !c.is_control() && (c == ' ' || !c.is_whitespace());
        let is_good = !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX && text.chars().all(is_printable);
        is_good.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something that was used, as a service reports it.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Who counts: with `id` it names the event for ever (CloudEvents 1.0, section 3.1).
    pub source: EventName,
    /// Which event of the source.
    pub id: EventName,
    /// Who pays.
    pub workspace: WorkspaceId,
    /// What was used; one of the priced things, or the event is rejected.
    pub sku: String,
    /// How much of it.
    pub quantity: Quantity,
    /// When.
    pub occurred_at: Timestamp,
    /// The API key it was used with. `None`: not known.
    pub key: Option<ApiKeyId>,
}

impl NewEvent {
    /// Whether it happened further in the future than two clocks can differ.
    pub fn is_too_far_ahead(&self, now: Timestamp) -> bool {
        self.occurred_at > now.plus(AHEAD_MAX)
    }

    /// Digest of everything but the name: two events of one name are a repetition when these agree, and a contradiction
    /// when they do not. By value, so `1` and `1.0` are the same quantity.
    pub(super) fn digest(&self, workspace: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        let key = self.key.map(|key| key.to_string()).unwrap_or_default();
        for field in [workspace, &self.sku, &key] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.update(self.quantity.micro().to_be_bytes());
        hash.update(self.occurred_at.millis().to_be_bytes());
        hash.finalize().into()
    }
}

/// What is wrong with one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a JSON object.
    NotAnObject,
    /// It has a member that events do not have.
    UnknownMember(String),
    /// It lacks a member that events have.
    Missing(&'static str),
    /// The source is not a name.
    BadSource,
    /// The id is not a name.
    BadId,
    /// The time is not RFC 3339, or too far ahead.
    BadTime,
    /// The quantity is not a decimal above zero with six decimals at most, or its price is beyond an amount.
    BadQuantity,
    /// The key is not the id of a key.
    BadKey,
    /// There is no such workspace.
    UnknownWorkspace,
    /// There is no price for it.
    UnknownSku,
    /// There is no such authorization.
    UnknownAuthorization,
    /// Another event with the same source and id was counted before.
    Conflict,
    /// The workspace would owe more than a wallet can.
    TooLarge,
}

impl Fault {
    /// For programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "bad_event",
            Self::UnknownMember(_) => "unknown_member",
            Self::Missing(_) => "missing_member",
            Self::BadSource => "bad_source",
            Self::BadId => "bad_id",
            Self::BadTime => "bad_time",
            Self::BadQuantity => "bad_quantity",
            Self::BadKey => "bad_key",
            Self::UnknownWorkspace => "unknown_workspace",
            Self::UnknownSku => "unknown_sku",
            Self::UnknownAuthorization => "unknown_authorization",
            Self::Conflict => "event_conflict",
            Self::TooLarge => "too_large",
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NotAnObject => "An event is a JSON object. Send one per use.".into(),
            Self::UnknownMember(name) => format!("Events have no member \"{name}\". Leave it out."),
            Self::Missing(name) => format!("The member \"{name}\" is missing. Add it."),
            Self::BadSource => "\"source\" is text of 1 to 200 printable characters. Choose such a name.".into(),
            Self::BadId => "\"id\" is text of 1 to 200 printable characters. Choose such a name.".into(),
            Self::BadTime => {
                "\"time\" is an RFC 3339 time, at most a day ahead of this server's clock. Check the format and the clock."
                    .into()
            }
            Self::BadQuantity => {
                "\"quantity\" is a whole number, or text with a decimal of at most six decimals, above zero and up to \
                 1000000000. Send a smaller or more rounded one."
                    .into()
            }
            Self::BadKey => "\"key\" is the id of an API key and begins with key_. Send that, or leave it out.".into(),
            Self::UnknownWorkspace => "There is no such workspace; it may have been deleted. Check the id.".into(),
            Self::UnknownSku => "There is no price for this sku. Ask your operator to add it.".into(),
            Self::UnknownAuthorization => "There is no such authorization. Leave \"authorization\" out.".into(),
            Self::Conflict => {
                "Another event with this source and id was counted before. Give a new event a new id.".into()
            }
            Self::TooLarge => "The workspace would owe more than a wallet can. Talk to your operator.".into(),
        }
    }
}

/// An event of a batch that was not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why.
    pub fault: Fault,
}

/// What became of a batch. Every event is in exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchAnswer {
    /// Counted now.
    pub accepted: usize,
    /// Counted before.
    pub duplicates: usize,
    /// Not counted.
    pub rejected: Vec<Rejected>,
}

/// What a workspace's use of one sku cost so far: the price of the sum, rounded half to even once, not the sum of rounded
/// prices (domain 2.1, 7). So it does not matter how a service cuts its use into events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Charged so far, in micro-credits.
    pub charged_micro: i64,
    /// The exact price less what was charged, in millionths of a micro-credit: -500,000 to 500,000.
    pub rest_pico: i64,
}

impl Meter {
    /// The meter after `quantity` at `price` per unit, and what that adds to the charge: zero or more.
    /// `None`: beyond what an amount may be.
    pub fn plus(self, price: Credits, quantity: Quantity) -> Option<(Self, Credits)> {
        let used = i128::from(price.micro()) * i128::from(quantity.micro());
        let exact = i128::from(self.charged_micro) * MILLION + i128::from(self.rest_pico) + used;
        let (whole, part) = (exact.div_euclid(MILLION), exact.rem_euclid(MILLION));
        let is_up = part * 2 > MILLION || (part * 2 == MILLION && whole % 2 != 0);
        let charged = whole + i128::from(is_up);
        let after = Self {
            charged_micro: i64::try_from(charged).ok()?,
            rest_pico: i64::try_from(exact - charged * MILLION).ok()?,
        };
        let charge = Credits::from_micro(after.charged_micro - self.charged_micro)?;
        Some((after, charge))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_and_have_an_end() {
        for good in ["a", "https://gpu.example/farm-1", "run 7", "é", &"x".repeat(200)] {
            assert!(EventName::parse(good).is_some(), "{good:?}");
        }
        for bad in ["", "a\nb", "a\u{0}", "a\u{2028}b", "\u{7f}", &"x".repeat(201)] {
            assert_eq!(EventName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn half_a_millionth_is_charged_when_it_becomes_a_whole_one() {
        let (price, half) = (Credits::from_micro(1).unwrap(), Quantity::parse("0.5").unwrap());
        let mut meter = Meter::default();
        let charges: Vec<i64> = (0..6)
            .map(|_| {
                let (after, charge) = meter.plus(price, half).unwrap();
                meter = after;
                charge.micro()
            })
            .collect();

        assert_eq!(charges, [0, 1, 1, 0, 0, 1]);
        assert_eq!(meter, Meter { charged_micro: 3, rest_pico: 0 });
    }

    #[test]
    fn a_price_beyond_an_amount_is_no_price() {
        let most = Quantity::from_micro(Credits::MAX.micro()).unwrap();

        assert_eq!(Meter::default().plus(Credits::whole(2), most), None);
        assert!(Meter::default().plus(Credits::whole(1), most).is_some());
    }
}
