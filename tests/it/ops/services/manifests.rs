//! What a service says about itself: versions, and what they change.

use domicile::base::ServiceId;
use domicile::services::{Category, Manifest, ManifestDraft, ResourceTypeDraft, Sku};

use super::*;

fn manifest(version: i64, label: &str) -> Manifest {
    let kind = ResourceTypeDraft {
        name: "checkpoint".into(),
        label: label.into(),
        parent: Some("model".into()),
        category: Some("models".into()),
        limit: Some("models".into()),
    };
    let sku = Sku { sku: "gpu.h100".into(), label: "H100".into(), unit: "second".into() };
    let draft =
        ManifestDraft { version, resource_types: vec![kind], skus: vec![sku], can_erase: true, ..Default::default() };
    Manifest::new(draft).unwrap()
}

fn put(site: &TestApp, service: ServiceId, manifest: Manifest) -> Result<Option<Secret<String>>, ServiceError> {
    let actor = Actor::Service { service, name: String::new(), request: String::new() };
    site.write(move |tx| services::put_manifest(tx, &actor, &manifest))
}

#[test]
fn a_manifest_replaces_only_a_lower_version() {
    let site = TestApp::new();
    let service = site.write(|tx| create_service(tx, "training")).unwrap().0.id;
    let stored = || site.read(|view| services::manifest(view, service).unwrap().map(|stored| stored.manifest));
    assert!(stored().is_none());

    put(&site, service, manifest(3, "Checkpoint")).unwrap();
    assert_eq!(stored(), Some(manifest(3, "Checkpoint")));
    let before = site.footprint();
    put(&site, service, manifest(3, "Checkpoint")).unwrap();
    for stale in [manifest(3, "Another"), manifest(2, "Checkpoint")] {
        let refused = put(&site, service, stale);
        assert!(matches!(refused, Err(ServiceError::StaleVersion { stored: 3 })));
    }
    assert_eq!(site.footprint(), before);

    let empty = Manifest::new(ManifestDraft { version: 4, ..Default::default() }).unwrap();
    put(&site, service, empty.clone()).unwrap();
    assert_eq!(stored(), Some(empty));
}

#[test]
fn a_service_has_the_types_of_its_own_manifest_only() {
    let site = TestApp::new();
    let [one, other] = ["training", "other"].map(|name| site.write(move |tx| create_service(tx, name)).unwrap().0.id);
    put(&site, one, manifest(1, "Checkpoint")).unwrap();

    let find = |service| site.read(|view| services::resource_type(view, service, "checkpoint").unwrap());
    let found = find(one).unwrap();
    assert_eq!((found.label.as_str(), found.category), ("Checkpoint", Some(Category::Models)));
    assert_eq!((found.parent.as_deref(), found.limit.unwrap().as_str()), (Some("model"), "models"));
    assert!(find(other).is_none());
    assert_eq!(site.read(|view| services::resource_types(view, one).unwrap().len()), 6);
}

#[test]
fn only_a_service_sends_a_manifest() {
    let site = TestApp::new();
    let refused = site.write(|tx| services::put_manifest(tx, &Actor::Operator, &manifest(1, "Checkpoint")).map(drop));
    assert!(matches!(refused, Err(ServiceError::NotAService)), "{refused:?}");
}
