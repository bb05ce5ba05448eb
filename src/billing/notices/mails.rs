//! The mails about credit.

use super::model::Low;
use crate::base::{Credits, Timestamp};
use crate::mail::{Link, PlainMessage};

/// How to switch such mails off.
const CLOSING: &str = "You can switch off such mails under Notifications in your settings.";

fn message(subject: String, paragraphs: Vec<String>, site: &str) -> PlainMessage {
    PlainMessage {
        subject,
        paragraphs,
        code: None,
        link: Some(Link { label: "See your credit", url: format!("{site}/settings/billing") }),
        closing: CLOSING.to_owned(),
        site: site.to_owned(),
    }
}

/// The balance has fallen below the limit of the site, or nothing is left.
pub(super) fn credit_low(name: &str, low: Low, left: Credits, currency: &str, site: &str) -> PlainMessage {
    let left = left.for_people();
    let (subject, first, second) = match low {
        Low::Low => (
            "Your credit is running low",
            format!("The workspace {name} has {left} {currency} of credit left."),
            "When it is used up, programs that ask before they spend are refused.",
        ),
        Low::Empty => (
            "Your credit is used up",
            format!("The workspace {name} has no credit left. Its balance is {left} {currency}."),
            "Programs that ask before they spend are refused until it has credit again.",
        ),
    };
    message(subject.to_owned(), vec![first, second.to_owned()], site)
}

/// The allowance of a month is spent to this share.
pub(super) fn allowance_spent(
    name: &str,
    share: i64,
    amount: Credits,
    next: Timestamp,
    currency: &str,
    site: &str,
) -> PlainMessage {
    let amount = amount.for_people();
    let subject = match share {
        100 => "Your monthly credit is spent".to_owned(),
        share => format!("{share} % of your monthly credit is spent"),
    };
    let first = format!("The workspace {name} has spent {share} % of the {amount} {currency} that it gets each month.");
    let second = format!(
        "The next {amount} {currency} come on {}. Other credit of the workspace is used until then.",
        next.day()
    );
    message(subject, vec![first, second], site)
}

/// Credit expires.
pub(super) fn credit_expires(name: &str, left: Credits, end: Timestamp, currency: &str, site: &str) -> PlainMessage {
    let (left, end) = (left.for_people(), end.day_and_time());
    let first = format!("{left} {currency} of the credit of the workspace {name} will expire on {end}.");
    let second = "Credit that expires first is used first. What is left of it then is lost.".to_owned();
    message(format!("{left} {currency} of your credit will expire"), vec![first, second], site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn the_mails() {
        let amount = Credits::whole(30);
        let end = Timestamp::parse("2026-06-01").unwrap();
        let low = |low, left| credit_low("ada-l", low, left, "USD", SITE);
        let spent = |share| allowance_spent("ada-l", share, amount, end, "USD", SITE);
        check_listing(
            "billing",
            &[
                ("credit_low", low(Low::Low, Credits::whole(1))),
                ("credit_low, empty", low(Low::Empty, Credits::whole(1).negated())),
                ("allowance_spent", spent(80)),
                ("allowance_spent, all", spent(100)),
                ("credit_expires", credit_expires("ada-l", amount, end, "USD", SITE)),
            ],
        );
    }
}
