//! The types of usage events, their faults and their price. Pure.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::base::{ApiKeyId, Credits, HoldId, Quantity, Timestamp, WorkspaceId, days};

/// The maximum number of events in a batch (contract section 6).
pub const BATCH_EVENTS_MAX: usize = 10_000;
/// The maximum number of characters of a source or an event id.
const NAME_CHARS_MAX: usize = 200;
/// How far the time of an event may be ahead of our clock.
const AHEAD_MAX: Duration = days(1);
/// The earliest time of an event: 2000-01-01, in UTC. An earlier one is the clock of a machine that was never set.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);
/// Millionths in a whole: of a credit, of a unit, and of a micro-credit.
const MILLION: i128 = 1_000_000;

/// The name of a source, or of an event within its source: 1 to 200 printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(String);

impl EventName {
    /// Parses a name. `None`: empty, too long, or with characters that are not printable.
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

/// A usage event, as a service reports it.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The source of the event. Together with `id` it identifies the event of a service for ever (CloudEvents 1.0, section
    /// 3.1).
    pub source: EventName,
    /// The id of the event, unique within its source.
    pub id: EventName,
    /// The workspace that is charged.
    pub workspace: WorkspaceId,
    /// What was used. An sku without a price is rejected.
    pub sku: String,
    /// The quantity, above zero: used, or taken back.
    pub quantity: Quantity,
    /// When it was used.
    pub occurred_at: Timestamp,
    /// The API key of the usage. `None`: not known.
    pub key: Option<ApiKeyId>,
    /// The authorization that it is charged to. `None`: none.
    pub authorization: Option<HoldId>,
    /// The id of the event of the same source whose quantity it takes back, in whole or in part. `None`: it is usage.
    pub corrects: Option<EventName>,
}

impl NewEvent {
    /// Whether its time can be right: not before the year 2000, and at most a day ahead of `now`.
    pub fn has_plausible_time(&self, now: Timestamp) -> bool {
        (EARLIEST..=now.plus(AHEAD_MAX)).contains(&self.occurred_at)
    }

    /// The digest of everything except source and id. Two events with the same source and id are a repetition if their
    /// digests are equal, and a conflict if not. It uses values, so `1` and `1.0` are the same quantity.
    pub(super) fn digest(&self, workspace: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        let key = self.key.map(|key| key.to_string()).unwrap_or_default();
        for field in [workspace, &self.sku, &key] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.update(self.quantity.micro().to_be_bytes());
        hash.update(self.occurred_at.millis().to_be_bytes());
        // Events without these members have the digest that they always had.
        if let Some(authorization) = self.authorization {
            hash.update(authorization.to_string());
        }
        if let Some(corrected) = &self.corrects {
            hash.update([0]);
            hash.update(corrected.as_str());
        }
        hash.finalize().into()
    }
}

/// Why one event was not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a JSON object.
    NotAnObject,
    /// It has an unknown member.
    UnknownMember(String),
    /// A required member is missing.
    Missing(&'static str),
    /// It is in the event and in its `data`.
    RepeatedMember(&'static str),
    /// Not a version of CloudEvents that is known.
    BadVersion,
    /// The source is not a valid [`EventName`].
    BadSource,
    /// The id is not a valid [`EventName`].
    BadId,
    /// The time is not RFC 3339 with an offset, or cannot be right.
    BadTime,
    /// The quantity is not above zero with at most six decimals, or its price is beyond the largest amount.
    BadQuantity,
    /// The key is not the id of an API key, or another one than that of the authorization.
    BadKey,
    /// The workspace does not exist.
    UnknownWorkspace,
    /// The sku has no price.
    UnknownSku,
    /// The service has no such authorization for this workspace and sku.
    UnknownAuthorization,
    /// The event that it takes back was not counted.
    UnknownEvent,
    /// It takes back more than is left, or is for another workspace or sku than the event that it names.
    BadCorrection,
    /// Another event with the same source and id was counted before.
    Conflict,
    /// The credit or the debt of the workspace would go beyond the limit of a wallet.
    TooLarge,
}

impl Fault {
    /// The stable code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "bad_event",
            Self::UnknownMember(_) => "unknown_member",
            Self::Missing(_) => "missing_member",
            Self::RepeatedMember(_) => "repeated_member",
            Self::BadVersion => "bad_specversion",
            Self::BadSource => "bad_source",
            Self::BadId => "bad_id",
            Self::BadTime => "bad_time",
            Self::BadQuantity => "bad_quantity",
            Self::BadKey => "bad_key",
            Self::UnknownWorkspace => "unknown_workspace",
            Self::UnknownSku => "unknown_sku",
            Self::UnknownAuthorization => "unknown_authorization",
            Self::UnknownEvent => "unknown_event",
            Self::BadCorrection => "bad_correction",
            Self::Conflict => "event_conflict",
            Self::TooLarge => "too_large",
        }
    }

    /// A sentence, for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NotAnObject => "An event must be a JSON object.".into(),
            Self::UnknownMember(name) => format!("\"{name}\" is not a member of an event. Remove it."),
            Self::Missing(name) => format!("The member \"{name}\" is missing. Add it."),
            Self::RepeatedMember(name) => format!("\"{name}\" is in the event and in its data. Send it once."),
            Self::BadVersion => "\"specversion\" must be 1.0. Send CloudEvents 1.0, or leave it out.".into(),
            Self::BadSource => "\"source\" must be text of 1 to 200 printable characters.".into(),
            Self::BadId => "\"id\" must be text of 1 to 200 printable characters.".into(),
            Self::BadTime => {
                "\"time\" must be an RFC 3339 time with an offset, such as 2026-05-03T09:00:00Z, not before 2000 and at most a day ahead of this server's clock. Check the format and the clock."
                    .into()
            }
            Self::BadQuantity => {
                "\"quantity\" must be a whole number, or text with a number of at most six decimals, above zero and up to \
                 1000000000. With \"corrects\", it must be below zero."
                    .into()
            }
            Self::BadKey => {
                "\"key\" must be the id of an API key, which begins with key_, and with an authorization the key that it was made \
                 for. Correct it, or leave it out."
                    .into()
            }
            Self::UnknownWorkspace => "The workspace does not exist or was deleted. Check the id.".into(),
            Self::UnknownSku => "This sku has no price. Ask your operator to add one.".into(),
            Self::UnknownAuthorization => {
                "You have no such authorization for this workspace and sku. Send the one that you were given, or leave it out.".into()
            }
            Self::UnknownEvent => {
                "\"corrects\" must be the id of an event of this source that was counted. Check the id.".into()
            }
            Self::BadCorrection => {
                "This takes back more than is left of the event, or names another workspace or sku. Correct it.".into()
            }
            Self::Conflict => {
                "A different event with this source and id was counted before. Use a new id for a new event.".into()
            }
            Self::TooLarge => "The credit or the debt of the workspace would exceed the limit of a wallet. Contact your operator.".into(),
        }
    }
}

/// An event of a batch that was not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its index in the batch, from 0.
    pub index: usize,
    /// The reason.
    pub fault: Fault,
}

/// The result of a batch. Every event is counted in exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchResult {
    /// Events that were counted now.
    pub accepted: usize,
    /// Events that were counted before.
    pub duplicates: usize,
    /// Events that were not counted.
    pub rejected: Vec<Rejection>,
}

/// Up to when the usage that was acknowledged is certainly stored, after backups were restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The number of the epoch: 1, and a higher one after each restore.
    pub epoch: i64,
    /// The newest restore that the reader has not heard of. `None`: there is none.
    pub restored_at: Option<Timestamp>,
    /// What was acknowledged at this time or later may be lost. `None`: as for `restored_at`.
    pub resend_since: Option<Timestamp>,
}

/// The cost so far of a workspace's usage of one sku: the price of the total quantity, rounded half to even once, not
/// the sum of rounded prices (domain 2.1, 7). So the cost does not depend on how a service splits its usage into
/// events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Charged so far, in micro-credits.
    pub charged_micro: i64,
    /// The exact price less the charged amount, in millionths of a micro-credit: -500,000 to 500,000.
    pub rest_pico: i64,
}

impl Meter {
    /// The meter after `quantity` at `price` per unit, and the additional charge, zero or more. `None`: beyond the
    /// largest amount.
    pub fn plus(self, price: Credits, quantity: Quantity) -> Option<(Self, Credits)> {
        self.moved(i128::from(price.micro()) * i128::from(quantity.micro()))
    }

    /// The meter without `quantity` at `price` per unit, which it counted before, and what is returned for it, zero or more.
    pub fn minus(self, price: Credits, quantity: Quantity) -> Option<(Self, Credits)> {
        let (after, charge) = self.moved(-(i128::from(price.micro()) * i128::from(quantity.micro())))?;
        Some((after, charge.negated()))
    }

    fn moved(self, used: i128) -> Option<(Self, Credits)> {
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
    fn what_is_taken_back_leaves_the_price_of_the_rest() {
        let (price, half) = (Credits::from_micro(1).unwrap(), Quantity::parse("0.5").unwrap());
        let all = (0..5).fold(Meter::default(), |meter, _| meter.plus(price, half).unwrap().0);
        let mut meter = all;
        let returned: Vec<i64> = (0..5)
            .map(|_| {
                let (after, returned) = meter.minus(price, half).unwrap();
                meter = after;
                returned.micro()
            })
            .collect();

        assert_eq!((all.charged_micro, returned), (2, vec![0, 0, 1, 1, 0]));
        assert_eq!(meter, Meter::default());
    }

    #[test]
    fn a_price_beyond_an_amount_is_no_price() {
        let most = Quantity::from_micro(Credits::MAX.micro()).unwrap();

        assert_eq!(Meter::default().plus(Credits::whole(2), most), None);
        assert!(Meter::default().plus(Credits::whole(1), most).is_some());
    }

    #[test]
    fn each_fault_has_its_own_code_and_sentence() {
        let faults = [
            Fault::NotAnObject,
            Fault::UnknownMember("colour".into()),
            Fault::Missing("sku"),
            Fault::RepeatedMember("key"),
            Fault::BadVersion,
            Fault::BadSource,
            Fault::BadId,
            Fault::BadTime,
            Fault::BadQuantity,
            Fault::BadKey,
            Fault::UnknownWorkspace,
            Fault::UnknownSku,
            Fault::UnknownAuthorization,
            Fault::UnknownEvent,
            Fault::BadCorrection,
            Fault::Conflict,
            Fault::TooLarge,
        ];
        for (index, fault) in faults.iter().enumerate() {
            assert!(fault.sentence().ends_with('.'), "{fault:?}");
            let mut earlier = faults[..index].iter();
            assert!(
                earlier.all(|other| other.code() != fault.code() && other.sentence() != fault.sentence()),
                "{fault:?}"
            );
        }
        assert!(faults[1].sentence().contains("\"colour\"") && faults[2].sentence().contains("\"sku\""));
    }
}
