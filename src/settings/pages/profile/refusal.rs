//! A refused form of the profile page.

use crate::base::{EmailId, Problem};
use crate::http::Form;

/// The refused form, with its values where they are shown again.
pub(super) enum RefusedForm<'f> {
    About(&'f Form),
    Picture,
    NewEmail(&'f Form),
    /// The code of this address.
    EmailCode(EmailId),
    /// A button next to an address.
    EmailButton,
    Preferences(&'f Form),
    Notifications,
}

/// A refused form, and why it was refused.
pub(super) struct Refusal<'f> {
    pub form: RefusedForm<'f>,
    pub problem: Problem,
}

impl<'f> Refusal<'f> {
    pub fn new(form: RefusedForm<'f>, problem: impl Into<Problem>) -> Self {
        Self { form, problem: problem.into() }
    }
}
