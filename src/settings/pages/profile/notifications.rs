//! The form of the optional mails.

use actix_web::HttpRequest;

use super::page::{Done, NOTIFICATIONS, answer};
use super::refusal::{Refusal, RefusedForm};
use crate::http::page::AppData;
use crate::http::{Answer, CommonFlash, Form, SignedIn};
use crate::people::{self, MailChoices};

/// `POST /settings/profile/notifications`.
pub async fn save_notifications(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account) = (who.actor(), who.identity.account);
    let mails = MailChoices { key_reminders: form.is_ticked("key_reminders"), usage: form.is_ticked("usage") };
    let saved = app.write(move |tx| people::save_mail_choices(tx, &actor, account, mails)).await;
    let done = saved
        .map(|()| Done::new(NOTIFICATIONS, CommonFlash::Saved))
        .map_err(|error| Refusal::new(RefusedForm::Notifications, error));
    answer(&app, &request, &who, done)
}
