//! The trash and the storage, as their pages show them.

use serde_json::json;

use crate::support::{Answer, Appliance, Browser};

const TRASH: &str = "/settings/trash";

/// A site with a person, and the service that keeps their resources.
struct Kept {
    site: Appliance,
    ada: Browser,
    service: String,
    workspace: String,
}

impl Kept {
    fn new(more: &str) -> Self {
        let site = Appliance::running_with(more);
        site.account("ada-l");
        let mut ada = site.browser();
        ada.sign_in("ada-l");
        let (service, workspace) = (site.service("registry"), site.workspace("ada-l"));
        Self { site, ada, service, workspace }
    }

    fn put(&self, id: &str, kind: &str, name: &str, parent: Option<&str>, size: u64) {
        let body = json!({
            "workspace": self.workspace, "type": kind, "name": name, "parent": parent, "size": size, "version": 1,
        });
        let answer = self.call("PUT", &format!("/v1/resources/{id}")).json(&body).send();
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }

    fn call(&self, method: &str, path: &str) -> crate::support::Call {
        self.site.call(method, path).bearer(&self.service)
    }

    fn move_to_trash(&self, id: &str) {
        let answer = self.call("POST", &format!("/v1/resources/{id}/trash")).send();
        assert!(answer.status < 300, "{answer:?}");
    }

    /// Presses a button of the row with this name.
    fn press(&mut self, name: &str, act: &str) -> Answer {
        let page = self.ada.get(TRASH);
        let text = page.text();
        let row = text.split("<tr>").find(|row| row.contains(&format!("<strong>{name}</strong>"))).unwrap();
        let action = row.split('"').find(|word| word.ends_with(act)).unwrap().to_owned();
        self.ada.submit_open(&page, TRASH, &action, &[])
    }
}

#[test]
fn the_trash_lists_filters_and_restores_and_undoes() {
    let mut kept = Kept::new("");
    assert!(kept.ada.get(TRASH).text().contains("The trash is empty"));
    kept.put("p-1", "project", "Hillside", None, 0);
    kept.put("m-1", "model", "Orchard & v2", Some("p-1"), 5_000_000);
    kept.put("d-1", "dataset", "Apples", None, 2_000_000_000);
    kept.move_to_trash("m-1");
    kept.move_to_trash("p-1");
    kept.move_to_trash("d-1");

    let page = kept.ada.get(TRASH).text();
    assert!(page.contains("3 items, 2.1 GB"), "{page}");
    assert!(page.contains("Orchard &#38; v2") && page.contains("30 days"), "{page}");
    let models = kept.ada.get("/settings/trash?type=model").text();
    assert!(models.contains("Orchard") && !models.contains("<strong>Apples"), "{models}");
    let found = kept.ada.get("/settings/trash?q=APPL").text();
    assert!(found.contains("<strong>Apples") && !found.contains("Orchard"), "{found}");
    assert!(kept.ada.get("/settings/trash?q=pear").text().contains("Nothing matches"));

    let refused = kept.press("Orchard &#38; v2", "/restore");
    assert_eq!(refused.status, 409);
    let sentence = "while its parent";
    assert!(refused.text().contains(sentence) && refused.text().contains("role=\"alert\""), "{}", refused.text());
    let restored = kept.press("Hillside", "/restore");
    let page = kept.ada.follow(&restored).text();
    assert!(page.contains("Restored.") && !page.contains("<strong>Hillside"), "{page}");
    let undo = page.split('"').find(|word| word.ends_with("/undo")).unwrap().to_owned();
    let undone = kept.ada.submit(restored.location(), &undo, &[]);
    let page = kept.ada.follow(&undone).text();
    assert!(page.contains("It is in the trash again.") && page.contains("<strong>Hillside"), "{page}");
}

#[test]
fn people_see_what_services_keep_and_move_it_to_the_trash() {
    const ITEMS: &str = "/settings/usage/items";
    let mut kept = Kept::new("");
    assert!(kept.ada.get(ITEMS).text().contains("Nothing yet"));
    kept.put("p-1", "project", "Hillside", None, 0);
    kept.put("m-1", "model", "Orchard & v2", Some("p-1"), 5_000_000);
    kept.put("d-1", "dataset", "Apples", None, 2_000_000_000);
    assert!(kept.ada.get("/settings/usage").text().contains("href=\"/settings/usage/items\""));

    let page = kept.ada.get(ITEMS).text();
    let place = |name: &str| page.find(&format!("<strong>{name}</strong>")).unwrap_or_else(|| panic!("{name}: {page}"));
    assert!(place("Apples") < place("Orchard &#38; v2") && place("Orchard &#38; v2") < place("Hillside"));
    assert!(page.contains("registry") && page.contains("project Hillside") && page.contains("2.0 GB"), "{page}");
    let found = kept.ada.get("/settings/usage/items?q=ORCH").text();
    assert!(found.contains("Orchard") && !found.contains("<strong>Apples"), "{found}");
    assert!(kept.ada.get("/settings/usage/items?q=pear").text().contains("Nothing matches"));

    let row = page.split("<tr>").find(|row| row.contains("<strong>Hillside")).unwrap();
    let action = row.split('"').find(|word| word.ends_with("/trash") && word.contains("res_")).unwrap().to_owned();
    let moved = kept.ada.submit(ITEMS, &action, &[]);
    let page = kept.ada.follow(&moved).text();
    assert!(page.contains("You can restore it for 30 days.") && !page.contains("<strong>Hillside"), "{page}");
    assert!(!page.contains("Orchard"), "what is below it went with it");
    assert!(kept.ada.get(TRASH).text().contains("<strong>Hillside"));
    let told = kept.call("GET", "/v1/inbox").send().json();
    assert_eq!(told["commands"][0]["type"], "resource.trash");
    assert_eq!(told["commands"][0]["data"]["resource"], "p-1");

    let page = kept.ada.get("/settings/privacy/delete").text();
    assert!(page.contains(">3 items</a> that services keep"), "{page}");
    kept.site.account("grace-h");
    let mut grace = kept.site.browser();
    grace.sign_in("grace-h");
    assert!(grace.get(ITEMS).text().contains("Nothing yet"));
    let apples = kept.ada.get(ITEMS).text();
    let foreign = apples.split('"').find(|word| word.ends_with("/trash") && word.contains("res_")).unwrap().to_owned();
    assert_eq!(grace.submit_unlisted("/settings/usage", &foreign, &[]).status, 404, "a resource of others");
}

#[test]
fn the_filter_has_the_types_of_what_is_in_the_trash_with_the_labels_of_the_manifest() {
    let mut kept = Kept::new("");
    let manifest = json!({"version": 1, "resource_types": [
        {"name": "radius", "label": "Search radius", "limit": "models"}, {"name": "unused", "label": "Unused"},
    ]});
    assert_eq!(kept.call("PUT", "/v1/services/self").json(&manifest).send().status, 200);
    kept.put("r-1", "radius", "Ten miles", None, 1_000);
    kept.put("m-1", "model", "Orchard", None, 1_000);
    kept.put("d-1", "dataset", "Apples", None, 1_000);
    for id in ["r-1", "m-1"] {
        kept.move_to_trash(id);
    }

    let page = kept.ada.get(TRASH).text();
    let choices: Vec<&str> =
        page.split("<option value=\"").skip(1).map(|rest| rest.split("</").next().unwrap()).collect();
    assert_eq!(
        choices,
        ["\">All", "model\">Model", "radius\">Search radius"],
        "of the trash only, each by its own name"
    );
    let chosen = kept.ada.get("/settings/trash?type=radius").text();
    assert!(chosen.contains("<strong>Ten miles") && !chosen.contains("<strong>Orchard"), "{chosen}");
    assert!(chosen.contains("<span class=\"under\">Search radius"), "{chosen}");
}

#[test]
fn what_is_deleted_for_good_waits_for_its_service() {
    let mut kept = Kept::new("");
    kept.put("d-1", "dataset", "Apples", None, 1_000);
    kept.put("d-2", "dataset", "Pears", None, 1_000);
    kept.move_to_trash("d-1");
    kept.move_to_trash("d-2");
    let page = kept.ada.get(TRASH).text();
    let rows = page.split("<tr>").find(|row| row.contains("<strong>Apples")).unwrap();
    let confirm = rows.split('"').find(|word| word.ends_with("/delete")).unwrap().to_owned();
    assert!(kept.ada.get(&confirm).text().contains("Delete “Apples” for good?"));
    let deleted = kept.ada.submit(&confirm, &confirm, &[]);
    let page = kept.ada.follow(&deleted).text();
    assert!(page.contains("as soon as the service that keeps it has confirmed"), "{page}");
    assert!(!page.contains("<strong>Apples") && page.contains("<strong>Pears"), "{page}");
    assert_eq!(kept.ada.get(&confirm).status, 404, "it is not in the trash any more");
    assert!(kept.ada.get("/settings/usage").text().contains("2 KB"), "it counts until the service has confirmed");

    let empty = "/settings/trash/empty";
    assert!(kept.ada.get(empty).text().contains("1 item with 1 KB"));
    let emptied = kept.ada.submit(empty, empty, &[]);
    let page = kept.ada.follow(&emptied).text();
    assert!(page.contains("The trash is being emptied.") && page.contains("The trash is empty"), "{page}");
}

#[test]
fn the_storage_has_the_colours_of_its_fill() {
    let mut kept = Kept::new("[[plans]]\ncode = \"free\"\nname = \"Free\"\nstorage_bytes = 1000\nmodels = 1\n");
    let usage = |kept: &mut Kept| kept.ada.get("/settings/usage").text();
    assert!(usage(&mut kept).contains("class=\"fill ok\""));
    kept.put("m-1", "model", "Orchard", None, 700);
    let page = usage(&mut kept);
    assert!(page.contains("class=\"fill warn\"") && page.contains("70 %") && page.contains("Full"), "{page}");
    kept.put("d-1", "dataset", "Apples", None, 200);
    let page = usage(&mut kept);
    assert!(page.contains("class=\"fill bad\"") && page.contains("90 %"), "{page}");
    assert!(page.find("Orchard").unwrap() < page.find("Apples").unwrap(), "the largest is first: {page}");

    let counted = kept.ada.submit("/settings/usage", "/settings/usage/recalculate", &[]);
    assert!(kept.ada.follow(&counted).text().contains("Recalculated. The numbers were right."));
}

#[test]
fn what_a_disconnected_service_keeps_is_moved_to_the_trash_by_its_page_and_by_a_key() {
    let mut kept = Kept::new("");
    kept.put("d-1", "dataset", "Apples", None, 2_000_000);
    kept.put("m-1", "model", "Orchard", None, 1_000);
    assert!(!kept.ada.get(TRASH).text().contains("Kept by disconnected services"));
    let told = kept.site.run(&["service", "disconnect", "registry", "--yes"]);
    assert!(told.stderr.contains("Resources that it keeps: 2."), "{told:?}");
    let listed = |kept: &Kept, scopes: &[&str]| {
        let key = kept.site.api_key("ada-l", scopes);
        (kept.site.call("GET", "/api/trash").bearer(&key).send().json()["leftByServices"].clone(), key)
    };
    let (left, narrow) = listed(&kept, &["datasets:write"]);
    assert_eq!(left, json!(null), "it has models too, which this key cannot read");
    let (left, _) = listed(&kept, &["read"]);
    assert_eq!(
        (&left[0]["name"], &left[0]["count"], &left[0]["sizeBytes"]),
        (&json!("registry"), &json!(2), &json!(2_001_000))
    );
    let body = json!({"service": left[0]["service"]});
    let put = |kept: &Kept, key: &str, body| kept.site.call("PUT", "/api/trash").bearer(key).json(body).send();
    assert_eq!(put(&kept, &narrow, &body).status, 403);
    let page = kept.ada.get(TRASH);
    assert!(page.text().contains("2 items, 2.1 MB"), "{}", page.text());
    let action = page.text().split('"').find(|word| word.starts_with("/settings/trash/left/")).unwrap().to_owned();

    let moved = kept.ada.submit(TRASH, &action, &[]);
    let page = kept.ada.follow(&moved).text();
    assert!(page.contains("It is in the trash.") && page.contains("<strong>Apples"), "{page}");
    assert!(!page.contains("Kept by disconnected services"), "{page}");

    let (none, wide) = listed(&kept, &["write"]);
    assert_eq!(none, json!(null));
    let answer = put(&kept, &wide, &body);
    assert_eq!((answer.status, &answer.json()["movedCount"]), (200, &json!(0)));
    assert_eq!(put(&kept, &wide, &json!({"service": "svc_00000000000000000000000000"})).status, 404);
    assert_eq!(
        kept.site.call("DELETE", "/api/trash").bearer(&wide).json(&json!({"all": true})).send().json()["deletedCount"],
        2
    );
    assert!(kept.ada.get("/settings/usage").text().contains("class=\"figure\">0 bytes"));
}
