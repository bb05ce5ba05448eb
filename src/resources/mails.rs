//! The mails about what a workspace keeps.

use crate::base::size_in_words;
use crate::mail::{Link, PlainMessage};

/// The storage has reached this share of what the plan allows.
pub(super) fn storage_filling(name: &str, percent: i64, used_bytes: i64, limit_bytes: i64, site: &str) -> PlainMessage {
    let size = |bytes: i64| size_in_words(u64::try_from(bytes).unwrap_or_default());
    let (subject, consequence) = if percent >= 100 {
        ("Your storage is full".to_owned(), "What does not fit any more is refused.")
    } else {
        (format!("Your storage is {percent} % full"), "When it is full, what does not fit any more is refused.")
    };
    PlainMessage {
        subject,
        paragraphs: vec![
            format!(
                "The workspace {name} uses {} of the {} that its plan allows.",
                size(used_bytes),
                size(limit_bytes)
            ),
            format!(
                "{consequence} Delete what you do not need, and empty the trash: it counts until it is deleted for good."
            ),
        ],
        code: None,
        link: Some(Link { label: "See your storage", url: format!("{site}/settings/usage") }),
        closing: "You get such a mail once each at 80, 90 and 100 %. You can switch it off under Notifications in your settings."
            .to_owned(),
        site: site.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{SITE, check_listing};

    #[test]
    fn the_mails() {
        const GB: i64 = 1_000_000_000;
        let mail = |percent| storage_filling("ada-l", percent, GB * percent / 10, 10 * GB, SITE);
        check_listing("resources", &[("storage_filling", mail(80)), ("storage_filling, full", mail(100))]);
    }
}
