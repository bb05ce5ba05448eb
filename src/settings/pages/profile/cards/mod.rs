//! What each card of the profile page shows: `templates/settings/_profile_<card>.html` prints it.

mod about;
mod choice;
mod emails;
mod notifications;
mod picture;
mod preferences;
mod time_zones;

pub(super) use about::AboutCard;
pub(super) use emails::EmailsCard;
pub(super) use notifications::NotificationsCard;
pub(super) use picture::PictureCard;
pub(super) use preferences::PreferencesCard;
