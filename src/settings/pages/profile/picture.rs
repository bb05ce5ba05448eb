//! The forms of the picture: an uploaded file, or a colour behind the initials.

use actix_web::HttpRequest;

use super::super::super::flashes::SettingsFlash;
use super::page::{Done, answer};
use super::refusal::{Refusal, RefusedForm};
use crate::accounts::{self, AccountError, Colour};
use crate::http::page::AppData;
use crate::http::{Answer, CommonFlash, Form, SignedIn, Upload};
use crate::people;

/// Where the forms return to.
const PLACE: &str = "/settings/profile#picture-card";

/// `POST /settings/profile/picture`.
pub async fn set_picture(app: AppData, request: HttpRequest, who: SignedIn, upload: Upload) -> Answer {
    let set = people::flows::set_picture(&app, who.actor(), who.identity.account, upload.file).await;
    let done = set
        .map(|_| Done::new(PLACE, SettingsFlash::PictureSaved))
        .map_err(|error| Refusal::new(RefusedForm::Picture, error));
    answer(&app, &request, &who, done)
}

/// `POST /settings/profile/picture/remove`.
pub async fn remove_picture(app: AppData, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let removed = app.write(move |tx| people::remove_picture(tx, &actor, account)).await;
    let done = removed
        .map(|()| Done::new(PLACE, SettingsFlash::PictureRemoved))
        .map_err(|error| Refusal::new(RefusedForm::Picture, error));
    answer(&app, &request, &who, done)
}

/// `POST /settings/profile/colour`.
pub async fn set_colour(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let set = match Colour::parse(form.text("colour")) {
        Some(colour) => app.write(move |tx| accounts::set_colour(tx, &actor, account, colour)).await,
        None => Err(AccountError::Colour),
    };
    let done =
        set.map(|()| Done::new(PLACE, CommonFlash::Saved)).map_err(|error| Refusal::new(RefusedForm::Picture, error));
    answer(&app, &request, &who, done)
}
