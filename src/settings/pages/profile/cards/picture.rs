//! The card of the picture: an uploaded file, or initials on a colour.

use super::super::refusal::{Refusal, RefusedForm};
use super::choice::Choice;
use crate::accounts::{Account, Colour};
use crate::http::page::{FormFault, initials};
use crate::people::{self, PictureSize};

pub(in super::super) struct PictureCard {
    pub fault: Option<FormFault>,
    /// The path of the picture. `None`: there is none.
    pub picture: Option<String>,
    pub initials: String,
    pub colour: &'static str,
    pub colours: Vec<Choice>,
}

impl PictureCard {
    /// `picture`: the name of the stored picture.
    pub fn new(person: &Account, picture: Option<&str>, refusal: Option<&Refusal<'_>>) -> Self {
        let choice =
            |known: &Colour| Choice { value: known.as_str(), label: known.label(), is_chosen: *known == person.colour };
        Self {
            fault: match refusal {
                Some(Refusal { form: RefusedForm::Picture, problem }) => Some(FormFault::from(problem)),
                _ => None,
            },
            picture: picture.map(|name| people::picture_path(name, PictureSize::Large)),
            initials: initials(&person.display_name),
            colour: person.colour.as_str(),
            colours: Colour::ALL.iter().map(choice).collect(),
        }
    }
}
