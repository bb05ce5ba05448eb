//! The form of the password.

use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use super::super::super::flashes::SettingsFlash;
use super::page::{PASSWORD, show_refused};
use crate::http::page::AppData;
use crate::http::{Answer, Form, RenewedCookie, SignedIn, redirect, redirect_with_flash};
use crate::signin::flows;

/// `GET /.well-known/change-password`: where browsers and password managers look for the page (W3C, A Well-Known URL for
/// Changing Passwords).
pub async fn change_password_url() -> HttpResponse {
    redirect("/settings/security#password-title")
}

/// `POST /settings/security/password`.
pub async fn change_password(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (account, session) = (who.identity.account, who.identity.session);
    match flows::change_password(&app, who.actor(), account, session, form.secret("password")).await {
        Ok(renewed) => {
            request.extensions_mut().insert(RenewedCookie { token: renewed.token, keep: renewed.keep });
            Ok(redirect_with_flash(PASSWORD, SettingsFlash::PasswordChanged))
        }
        Err(error) => show_refused(&app, &request, &who, &error.into()),
    }
}
