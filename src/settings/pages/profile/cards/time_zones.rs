//! The list of time zones.

use std::sync::LazyLock;

use askama::Template;

use crate::base::Zone;

/// The time zones of one region of the world.
struct ZoneGroup {
    label: &'static str,
    /// The name of each zone, and its place without the region.
    zones: Vec<(&'static str, String)>,
}

/// All zones as options; none is selected.
#[derive(Template)]
#[template(
    source = r#"{% for group in groups %}<optgroup label="{{ group.label }}">{% for (name, place) in group.zones %}<option value="{{ name }}">{{ place }}</option>{% endfor %}</optgroup>{% endfor %}"#,
    ext = "html"
)]
struct ZoneOptions {
    groups: Vec<ZoneGroup>,
}

/// Hundreds of options that are the same for everybody except for the selected one, so they are rendered once.
static ZONE_OPTIONS: LazyLock<String> = LazyLock::new(|| {
    let mut groups: Vec<ZoneGroup> = Vec::new();
    for name in Zone::names().iter().map(String::as_str) {
        let (region, place) = name.split_once('/').unwrap_or(("Everywhere", name));
        let zone = (name, place.replace('_', " ").replace('/', ", "));
        match groups.last_mut().filter(|group| group.label == region) {
            Some(group) => group.zones.push(zone),
            None => groups.push(ZoneGroup { label: region, zones: vec![zone] }),
        }
    }
    ZoneOptions { groups }.render().unwrap_or_default()
});

/// The options of the zones, split where the selected one needs its `selected` attribute.
pub(in super::super) struct Zones {
    pub before: &'static str,
    pub after: &'static str,
    pub is_chosen: bool,
}

impl Zones {
    pub fn with(chosen: &str) -> Self {
        let option = format!("<option value=\"{chosen}\"");
        // An unknown zone from a form is not found, and none is selected.
        match ZONE_OPTIONS.find(&option).map(|place| ZONE_OPTIONS.split_at(place + option.len())) {
            Some((before, after)) => Self { before, after, is_chosen: true },
            None => Self { before: &ZONE_OPTIONS, after: "", is_chosen: false },
        }
    }
}
