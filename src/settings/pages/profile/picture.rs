//! The card of the picture: an uploaded file, or initials on a colour.

use actix_web::HttpRequest;

use super::about::Choice;
use super::{RefusedForm, answer};
use crate::accounts::{self, Account, AccountError, Colour};
use crate::base::Problem;
use crate::http::page::{AppData, FormFault, initials};
use crate::http::{Answer, Form, SignedIn, Upload};
use crate::people;

pub(super) struct PictureCard {
    pub fault: Option<FormFault>,
    /// The path of the picture. `None`: there is none.
    pub picture: Option<String>,
    pub initials: String,
    pub colour: &'static str,
    pub colours: Vec<Choice>,
}

pub(super) fn card(
    person: &Account,
    picture: Option<String>,
    refused: Option<(&RefusedForm<'_>, &Problem)>,
) -> PictureCard {
    let choice =
        |known: &Colour| Choice { value: known.as_str(), label: known.label(), is_chosen: *known == person.colour };
    PictureCard {
        fault: match refused {
            Some((RefusedForm::Picture, problem)) => Some(FormFault::from(problem)),
            _ => None,
        },
        picture: picture.map(|name| people::picture_path(&name, people::PictureSize::Large)),
        initials: initials(&person.display_name),
        colour: person.colour.as_str(),
        colours: Colour::ALL.iter().map(choice).collect(),
    }
}

/// `POST /settings/profile/picture`.
pub async fn set_picture(app: AppData, request: HttpRequest, who: SignedIn, upload: Upload) -> Answer {
    let set = people::flows::set_picture(&app, who.actor(), who.identity.account, upload.file).await;
    let done = set.map(|_| "picture-saved").map_err(|error| (RefusedForm::Picture, error.into()));
    answer(&app, &request, &who, done).await
}

/// `POST /settings/profile/picture/remove`.
pub async fn remove_picture(app: AppData, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let removed = app.write(move |tx| people::remove_picture(tx, &actor, account)).await;
    let done = removed.map(|()| "picture-removed").map_err(|error| (RefusedForm::Picture, error.into()));
    answer(&app, &request, &who, done).await
}

/// `POST /settings/profile/colour`.
pub async fn set_colour(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let set = match Colour::parse(form.text("colour")) {
        Some(colour) => app.write(move |tx| accounts::set_colour(tx, &actor, account, colour)).await,
        None => Err(AccountError::Colour),
    };
    let done = set.map(|()| "saved").map_err(|error| (RefusedForm::Picture, error.into()));
    answer(&app, &request, &who, done).await
}
