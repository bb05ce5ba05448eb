//! What a service says about itself, and what it may say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::resource_type::{Category, RESERVED_TYPES, ResourceType, is_identifier};
use crate::base::is_visible;
use crate::config::LimitKey;

/// Types of resources in a manifest at most.
pub const TYPES_MAX: usize = 50;
/// SKUs in a manifest at most.
pub const SKUS_MAX: usize = 200;
/// The longest label, in characters.
const LABEL_MAX: usize = 64;
/// The highest version: the largest integer that JSON parsers read exactly (RFC 8259 §6).
const VERSION_MAX: i64 = (1 << 53) - 1;

/// What a service says about itself. It exists only in a valid form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The service's own number, from 1: a higher one replaces a lower one.
    pub version: i64,
    /// Besides the built-in types.
    pub resource_types: Vec<ResourceType>,
    /// What it charges for.
    pub skus: Vec<Sku>,
    /// Where it receives webhooks; [`crate::inbox`] checks it. `None`: it reads its inbox.
    pub webhook_url: Option<String>,
    /// Whether it exports the data of a person when it is told to.
    pub can_export: bool,
    /// Whether it erases the data of a person when it is told to.
    pub can_erase: bool,
}

/// Something that a service charges for. Its price is in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Sku {
    pub sku: String,
    pub label: String,
    pub unit: String,
}

/// A manifest as a service sends it, which may be wrong.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ManifestDraft {
    pub version: i64,
    pub resource_types: Vec<ResourceTypeDraft>,
    pub skus: Vec<Sku>,
    pub webhook_url: Option<String>,
    pub can_export: bool,
    pub can_erase: bool,
}

/// A type of resources as a service sends it.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ResourceTypeDraft {
    pub name: String,
    pub label: String,
    pub parent: Option<String>,
    pub category: Option<String>,
    pub limit: Option<String>,
}

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFault {
    /// The member of the manifest.
    pub member: &'static str,
    /// The path to what is wrong: `resource_types[2].label`.
    pub path: String,
    #[allow(missing_docs)]
    pub kind: FaultKind,
}

/// What is wrong with one value of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The version is below 1 or too high.
    Version,
    /// The list has more elements than this.
    TooMany(usize),
    /// The name has other characters than allowed, is empty or too long.
    Identifier,
    /// The name is that of a built-in type.
    BuiltIn,
    /// The name is in the list twice.
    Repeated,
    /// The label is empty or too long, or has markup or characters that cannot be seen.
    Label,
    /// There is no type with the name of the parent.
    NoParent,
    /// The type contains itself, through its parents.
    Cycle,
    /// There is no such category.
    Category,
    /// No plan counts something of this name.
    Limit,
    /// The SKU or its unit is empty or too long, or has other characters than allowed.
    Sku,
}

impl Manifest {
    /// Checks what a service sends.
    ///
    /// # Errors
    /// The first [`ManifestFault`].
    pub fn new(draft: ManifestDraft) -> Result<Self, ManifestFault> {
        let ManifestDraft { version, resource_types, skus, webhook_url, can_export, can_erase } = draft;
        let fault = |member, kind| ManifestFault { member, path: member.to_owned(), kind };
        if !(1..=VERSION_MAX).contains(&version) {
            return Err(fault("version", FaultKind::Version));
        }
        let resource_types = check_types(resource_types)?;
        check_skus(&skus)?;
        Ok(Self { version, resource_types, skus, webhook_url, can_export, can_erase })
    }

    /// The SHA-256 of all members: two manifests with the same one say the same.
    pub fn digest(&self) -> [u8; 32] {
        let types = self.resource_types.iter().map(|one| {
            json!([
                one.name,
                one.label,
                one.parent,
                one.category.map(Category::as_str),
                one.limit.map(LimitKey::as_str)
            ])
        });
        let skus = self.skus.iter().map(|one| json!([one.sku, one.label, one.unit]));
        let members = json!([
            self.version,
            types.collect::<Vec<_>>(),
            skus.collect::<Vec<_>>(),
            self.webhook_url,
            self.can_export,
            self.can_erase,
        ]);
        Sha256::digest(members.to_string().as_bytes()).into()
    }
}

fn check_types(drafts: Vec<ResourceTypeDraft>) -> Result<Vec<ResourceType>, ManifestFault> {
    const MEMBER: &str = "resource_types";
    if drafts.len() > TYPES_MAX {
        let path = MEMBER.to_owned();
        return Err(ManifestFault { member: MEMBER, path, kind: FaultKind::TooMany(TYPES_MAX) });
    }
    let fault =
        |index: usize, of: &str, kind| ManifestFault { member: MEMBER, path: format!("{MEMBER}[{index}].{of}"), kind };
    let mut types = Vec::with_capacity(drafts.len());
    let mut names = BTreeSet::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        if !is_identifier(&draft.name) {
            return Err(fault(index, "name", FaultKind::Identifier));
        }
        if ResourceType::is_built_in(&draft.name) || RESERVED_TYPES.contains(&draft.name.as_str()) {
            return Err(fault(index, "name", FaultKind::BuiltIn));
        }
        if !names.insert(draft.name.clone()) {
            return Err(fault(index, "name", FaultKind::Repeated));
        }
        if !is_label(&draft.label) {
            return Err(fault(index, "label", FaultKind::Label));
        }
        let category = match draft.category {
            None => None,
            Some(name) => {
                let declared = Category::DECLARABLE.into_iter().find(|category| category.as_str() == name);
                Some(declared.ok_or_else(|| fault(index, "category", FaultKind::Category))?)
            }
        };
        let limit = match draft.limit {
            None => None,
            Some(name) => {
                let known = LimitKey::parse(&name).filter(|limit| limit.counted().is_some());
                Some(known.ok_or_else(|| fault(index, "limit", FaultKind::Limit))?)
            }
        };
        types.push(ResourceType { name: draft.name, label: draft.label, parent: draft.parent, category, limit });
    }
    let parents: BTreeMap<&str, Option<&str>> =
        types.iter().map(|one| (one.name.as_str(), one.parent.as_deref())).collect();
    for (index, one) in types.iter().enumerate() {
        let Some(parent) = one.parent.as_deref() else { continue };
        if !ResourceType::is_built_in(parent) && !parents.contains_key(parent) {
            return Err(fault(index, "parent", FaultKind::NoParent));
        }
        // A path without a circle is not longer than the list. Built-in types have only built-in parents.
        let mut above = Some(parent);
        for _ in 0..types.len() {
            above = above.and_then(|name| parents.get(name).copied().flatten());
        }
        if above.is_some() {
            return Err(fault(index, "parent", FaultKind::Cycle));
        }
    }
    Ok(types)
}

fn check_skus(skus: &[Sku]) -> Result<(), ManifestFault> {
    const MEMBER: &str = "skus";
    if skus.len() > SKUS_MAX {
        return Err(ManifestFault { member: MEMBER, path: MEMBER.to_owned(), kind: FaultKind::TooMany(SKUS_MAX) });
    }
    let fault =
        |index: usize, of: &str, kind| ManifestFault { member: MEMBER, path: format!("{MEMBER}[{index}].{of}"), kind };
    let mut names = BTreeSet::new();
    for (index, one) in skus.iter().enumerate() {
        if !is_code(&one.sku, 64) {
            return Err(fault(index, "sku", FaultKind::Sku));
        }
        if !names.insert(&one.sku) {
            return Err(fault(index, "sku", FaultKind::Repeated));
        }
        if !is_label(&one.label) {
            return Err(fault(index, "label", FaultKind::Label));
        }
        if !is_code(&one.unit, 32) {
            return Err(fault(index, "unit", FaultKind::Sku));
        }
    }
    Ok(())
}

/// Whether people can read the text, and no page could take it for markup.
fn is_label(text: &str) -> bool {
    let length = text.chars().count();
    (1..=LABEL_MAX).contains(&length) && text.trim() == text && is_visible(text) && !text.contains(['<', '>'])
}

/// Whether the text is one word of letters, digits and a few signs.
fn is_code(text: &str, most: usize) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
    (1..=most).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, label: &str, parent: Option<&str>) -> ResourceTypeDraft {
        ResourceTypeDraft {
            name: name.into(),
            label: label.into(),
            parent: parent.map(str::to_owned),
            ..Default::default()
        }
    }

    fn types(types: &[(&str, &str, Option<&str>)]) -> Result<Manifest, ManifestFault> {
        let resource_types = types.iter().map(|(name, label, parent)| kind(name, label, *parent)).collect();
        Manifest::new(ManifestDraft { version: 1, resource_types, ..Default::default() })
    }

    fn faults(result: Result<Manifest, ManifestFault>) -> (String, FaultKind) {
        let fault = result.unwrap_err();
        (fault.path, fault.kind)
    }

    #[test]
    fn types_have_plain_names_visible_labels_and_parents_without_a_circle() {
        let good = types(&[("checkpoint", "Point de contrôle", Some("model")), ("shard", "Shard", Some("checkpoint"))]);
        assert_eq!(good.unwrap().resource_types.len(), 2);

        for name in ["", "Model", "a b", "1st", "naïve", "a\u{202e}b", "<b>", &"a".repeat(65)] {
            assert_eq!(faults(types(&[(name, "A", None)])), ("resource_types[0].name".into(), FaultKind::Identifier));
        }
        for label in ["", " A", "A\nB", "a\u{202e}b", "\u{200b}", "<b>A</b>", "a\0", &"a".repeat(65)] {
            assert_eq!(faults(types(&[("a", label, None)])), ("resource_types[0].label".into(), FaultKind::Label));
        }
        assert_eq!(faults(types(&[("model", "A", None)])).1, FaultKind::BuiltIn);
        assert_eq!(faults(types(&[("a", "A", None), ("a", "B", None)])).1, FaultKind::Repeated);
        assert_eq!(faults(types(&[("a", "A", Some("b"))])), ("resource_types[0].parent".into(), FaultKind::NoParent));
        assert_eq!(faults(types(&[("a", "A", Some("a"))])).1, FaultKind::Cycle);
        assert_eq!(
            faults(types(&[("a", "A", Some("b")), ("b", "B", Some("c")), ("c", "C", Some("a"))])).1,
            FaultKind::Cycle
        );
        // Below a circle.
        let below = types(&[("z", "Z", Some("a")), ("a", "A", Some("b")), ("b", "B", Some("a"))]);
        assert_eq!(faults(below), ("resource_types[0].parent".into(), FaultKind::Cycle));
        let many: Vec<String> = (0..=TYPES_MAX).map(|number| format!("t{number}")).collect();
        // The longest chain is no circle.
        let chain = |count: usize| {
            let one = |number: usize| {
                kind(&many[number], "T", number.checked_sub(1).map(|above| many[above].as_str()).or(Some("model")))
            };
            Manifest::new(ManifestDraft {
                version: 1,
                resource_types: (0..count).map(one).collect(),
                ..Default::default()
            })
        };
        assert!(chain(TYPES_MAX).is_ok());
        assert_eq!(faults(chain(TYPES_MAX + 1)).1, FaultKind::TooMany(TYPES_MAX));
    }

    #[test]
    fn other_members_have_bounds_too() {
        let draft = || ManifestDraft { version: 1, ..Default::default() };
        for version in [i64::MIN, 0, VERSION_MAX + 1] {
            assert_eq!(faults(Manifest::new(ManifestDraft { version, ..draft() })).1, FaultKind::Version);
        }
        let sku = |sku: &str, label: &str, unit: &str| Sku { sku: sku.into(), label: label.into(), unit: unit.into() };
        let with = |skus: Vec<Sku>| Manifest::new(ManifestDraft { skus, ..draft() });
        assert!(with(vec![sku("gpu.h100", "H100", "second")]).is_ok());
        assert_eq!(faults(with(vec![sku("a b", "A", "s")])), ("skus[0].sku".into(), FaultKind::Sku));
        assert_eq!(faults(with(vec![sku("a", "A", "")])).0, "skus[0].unit");
        assert_eq!(faults(with(vec![sku("a", "<i>", "s")])).1, FaultKind::Label);
        assert_eq!(
            faults(with(vec![sku("a", "A", "s"), sku("a", "B", "s")])),
            ("skus[1].sku".into(), FaultKind::Repeated)
        );
        let many = (0..=SKUS_MAX).map(|number| sku(&number.to_string(), "A", "s")).collect();
        assert_eq!(faults(with(many)), ("skus".into(), FaultKind::TooMany(SKUS_MAX)));
        let mut drafts = types(&[("a", "A", None)]).unwrap();
        let first = drafts.digest();
        drafts.resource_types[0].category = Some(Category::Models);
        assert_ne!(drafts.digest(), first);
        let wrong = ResourceTypeDraft { category: Some("other".into()), ..kind("a", "A", None) };
        assert_eq!(
            faults(Manifest::new(ManifestDraft { resource_types: vec![wrong], ..draft() })).1,
            FaultKind::Category
        );
        assert_eq!(faults(types(&[("image", "Image", None)])).1, FaultKind::BuiltIn, "leases have this name");
        let wrong = ResourceTypeDraft { limit: Some("No limit".into()), ..kind("a", "A", None) };
        assert_eq!(
            faults(Manifest::new(ManifestDraft { resource_types: vec![wrong], ..draft() })).0,
            "resource_types[0].limit"
        );
        let size = ResourceTypeDraft { limit: Some("storage_bytes".into()), ..kind("a", "A", None) };
        let size = Manifest::new(ManifestDraft { resource_types: vec![size], ..draft() });
        assert_eq!(faults(size).1, FaultKind::Limit, "nothing of that name is counted");
    }
}
