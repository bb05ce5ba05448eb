//! The card of the preferences.

use super::super::refusal::{Refusal, RefusedForm};
use super::choice::Choice;
use super::time_zones::Zones;
use crate::http::page::FormFault;
use crate::people::{Language, Settings, Theme};

pub(in super::super) struct PreferencesCard {
    pub fault: Option<FormFault>,
    pub themes: Vec<Choice>,
    pub languages: Vec<Choice>,
    pub zones: Zones,
}

impl PreferencesCard {
    /// `theme_now`: the theme of this browser, which can differ from the stored one.
    pub fn new(chosen: &Settings, theme_now: &str, refusal: Option<&Refusal<'_>>) -> Self {
        let (typed, fault) = match refusal {
            Some(Refusal { form: RefusedForm::Preferences(form), problem }) => {
                (Some(*form), Some(FormFault::from(problem)))
            }
            _ => (None, None),
        };
        let theme = typed.map_or(theme_now, |form| form.text("theme"));
        let language = typed.map_or(chosen.language.as_str(), |form| form.text("language"));
        let zone = typed.map_or(chosen.zone.name(), |form| form.text("time_zone"));
        let choice = |value: &'static str, label, chosen: &str| Choice { value, label, is_chosen: value == chosen };
        Self {
            fault,
            themes: Theme::ALL.map(|known| choice(known.as_str(), known.label(), theme)).into(),
            languages: Language::ALL.map(|known| choice(known.as_str(), known.label(), language)).into(),
            zones: Zones::with(zone),
        }
    }
}
