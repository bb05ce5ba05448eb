//! The pages about the person: profile (about you, picture, data region), e-mails, appearance, notifications. Each card is
//! one form and saves alone. A refused form is shown again in its card, with the typed values.
//!
//! `page` shows the pages; `cards` has what they show, one file for each card; the other files have the forms of the cards.

mod about;
mod cards;
mod emails;
mod notifications;
mod page;
mod picture;
mod preferences;
mod refusal;

pub use about::save_profile;
pub use emails::{add_email, remove_email, resend_email, set_primary, verify_email};
pub use notifications::save_notifications;
pub use page::{appearance, emails, notifications, profile};
pub use picture::{remove_picture, set_colour, set_picture};
pub use preferences::{save_preferences, theme};
