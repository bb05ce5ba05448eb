//! A site in which every kind of thing exists once, for the tests that visit all routes.

use domicile::server::ROUTES;
use serde_json::json;

use crate::support::{Appliance, Browser, PASSWORD, wait_for};

/// The pages on which a person finds their things.
const PAGES: [&str; 7] = [
    "/settings/profile",
    "/settings/profile/emails",
    "/settings/security",
    "/settings/keys",
    "/settings/usage/items",
    "/settings/trash",
    "/settings/privacy",
];

/// Things that only another program can make: a passkey, and an account at a provider.
const ROWS: &str = "
    insert into passkey (id, account_id, credential_id, credential_json, name, sign_count, is_backed_up, created_at)
    select 'psk_00000000000000000000000001', id, x'01', '{}', 'Laptop', 0, 0, created_at from account
    where username = 'ada-l';
    insert into identity (id, account_id, provider, issuer, subject, label, linked_at, last_used_at)
    select 'idn_00000000000000000000000001', id, 'forge', 'https://forge.example', '1', 'ada', created_at, created_at
    from account where username = 'ada-l';";
const OTHER_PATHS: [&str; 2] = [
    "/settings/security/passkeys/psk_00000000000000000000000001",
    "/settings/security/identities/idn_00000000000000000000000001/disconnect",
];

pub struct Seeded {
    pub site: Appliance,
    /// The owner of everything.
    pub ada: Browser,
    /// Another person.
    pub grace: Browser,
    /// An operator.
    pub olga: Browser,
    /// Paths of things of the owner.
    paths: Vec<String>,
}

impl Seeded {
    pub fn new() -> Self {
        let site = Appliance::running();
        for name in ["ada-l", "grace-h"] {
            site.account(name);
        }
        let [mut ada, mut phone, mut grace] = [site.browser(), site.browser(), site.browser()];
        ada.sign_in("ada-l");
        phone.sign_in("ada-l");
        grace.sign_in("grace-h");
        site.api_key("ada-l", &["read"]);
        let added =
            ada.submit("/settings/profile/emails", "/settings/profile/emails", &[("email", "ada@work.example")]);
        assert_eq!(added.status, 303, "{}", added.text());
        let fields = [("passphrase", PASSWORD)];
        assert_eq!(ada.submit("/settings/privacy", "/settings/privacy/export", &fields).status, 303);
        wait_for("the export", || ada.get("/settings/privacy").text().contains("/download\"").then_some(()));
        site.database().execute_batch(ROWS).unwrap();
        let service = site.service("training");
        let model =
            json!({"workspace": site.workspace("ada-l"), "type": "model", "name": "Birds", "size": 9, "version": 1});
        assert_eq!(site.call("PUT", "/v1/resources/birds").bearer(&service).json(&model).send().status, 201);
        assert_eq!(site.call("POST", "/v1/resources/birds/trash").bearer(&service).send().status, 200);
        let kept =
            json!({"workspace": site.workspace("ada-l"), "type": "model", "name": "Owls", "size": 9, "version": 1});
        assert_eq!(site.call("PUT", "/v1/resources/owls").bearer(&service).json(&kept).send().status, 201);
        let mut paths: Vec<String> = OTHER_PATHS.iter().map(|path| (*path).to_owned()).collect();
        for page in PAGES {
            let text = ada.get(page).text();
            paths.extend(text.split('"').filter(|word| word.starts_with('/')).map(str::to_owned));
        }
        let (mut olga, _) = site.operator("olga-o");
        site.run(&["inbox", "ping", "training"]).ok();
        // The page of the service names its command.
        // An erasure that waits for an operator, because a service was disconnected that kept something.
        let (left, kept) = (site.service("worn"), {
            site.account("gone-g");
            json!({"workspace": site.workspace("gone-g"), "type": "model", "name": "Crows", "size": 9, "version": 1})
        });
        assert_eq!(site.call("PUT", "/v1/resources/crows").bearer(&left).json(&kept).send().status, 201);
        site.run(&["service", "disconnect", "worn", "--yes"]).ok();
        let receipt = site.run(&["account", "delete", "gone-g", "--yes"]).ok();
        // The server goes on with it: the log is emptied, and the snapshot replaced.
        let is_settled = "select not exists (select 1 from erasure_pending) and not exists \
                          (select 1 from erasure where snapshot_replaced_at is null)";
        wait_for("the erasure", || {
            site.database().query_row(is_settled, [], |row| row.get::<_, bool>(0)).unwrap().then_some(())
        });
        paths.extend(["/erasure/", "/admin/erasures/"].map(|start| format!("{start}{}", receipt.trim())));
        for list in 0..2 {
            let page = match list {
                0 => "/admin/services".to_owned(),
                _ => paths.iter().find(|path| path.starts_with("/admin/services/svc_")).unwrap().clone(),
            };
            let text = olga.get(&page).text();
            paths.extend(text.split('"').filter(|word| word.starts_with('/')).map(str::to_owned));
        }
        Self { site, ada, grace, olga, paths }
    }

    /// The id of a thing of the owner for a route with `{id}`.
    pub fn id_for(&self, route: &str) -> &str {
        let (start, _) = route.split_once("{id}").unwrap();
        // `/settings/keys/scopes` is a page of its own.
        let is_own = |id: &&str| !id.is_empty() && !ROUTES.iter().any(|known| known.path == format!("{start}{id}"));
        let ids = self.paths.iter().filter_map(|path| path.strip_prefix(start));
        ids.map(|rest| rest.split(['/', '?']).next().unwrap()).find(is_own).unwrap_or_else(|| {
            panic!(
                "no page of the seeded person names a thing for {route}: create one in Seeded::new, or give its path in \
                 OTHER_PATHS, in tests/it/coverage/seeded.rs"
            )
        })
    }
}
