//! Forms: each has its token, also one that a page shows only after a click. Changes need a fresh proof of identity, or
//! say why not.

use std::path::Path;

use domicile::server::{Access, ROUTES};

use super::{files_under, none_of};

/// Changes for which a session is enough, and why.
const WITHOUT_A_PROOF: &[(&str, &str)] = &[
    ("/signout", "ends access"),
    ("/session/stay", "only says that the person is there"),
    ("/session/notice", "only says that the person has read a notice, in this browser"),
    ("/step-up/challenge", "begins the proof"),
    ("/settings/profile", "public facts, which are easily changed back"),
    ("/settings/profile/picture", "public facts, which are easily changed back"),
    ("/settings/profile/picture/remove", "public facts, which are easily changed back"),
    ("/settings/profile/colour", "public facts, which are easily changed back"),
    ("/settings/profile/appearance", "only the person sees them"),
    ("/settings/profile/notifications", "security mails cannot be turned off"),
    ("/settings/security/sessions/{id}/end", "ends access"),
    ("/settings/security/sessions/end-others", "ends access"),
    ("/settings/security/reset/cancel", "keeps the second factors"),
    ("/settings/keys/{id}/revoke", "ends access"),
    ("/settings/keys/{id}/disable", "ends access"),
    ("/settings/keys/{id}/scopes", "only takes scopes away"),
    ("/settings/billing/redeem", "only adds credit"),
    ("/settings/usage/recalculate", "only counts"),
    ("/settings/usage/items/{id}/trash", "moves to the trash, from where it can be restored"),
    ("/settings/trash/left/{service}", "moves to the trash, from where it can be restored"),
    ("/settings/trash/{id}/restore", "brings back, and can be undone"),
    ("/settings/trash/{id}/undo", "moves to the trash, from where it can be restored"),
    ("/settings/privacy/export", "sealed; downloading it needs a proof"),
    ("/settings/privacy/delete", "the form asks for the password itself"),
];

#[test]
fn every_change_needs_a_fresh_proof_or_says_why_not() {
    let open = ROUTES
        .iter()
        .filter(|route| route.method != "GET" && matches!(route.access, Access::SignedIn | Access::Operator));
    let open: Vec<&str> = open.map(|route| route.path).collect();

    let unlisted = open.iter().filter(|path| !WITHOUT_A_PROOF.iter().any(|(known, _)| known == *path));
    none_of(
        unlisted.map(|path| format!("src/server/routes.rs: POST {path} is SignedIn")).collect(),
        "a person with a borrowed browser must not change what matters",
        "make the route Fresh, or say in WITHOUT_A_PROOF (tests/it/architecture/forms.rs) why a session is enough",
    );
    let outdated = WITHOUT_A_PROOF.iter().filter(|(known, _)| !open.contains(known));
    none_of(
        outdated.map(|(path, _)| format!("tests/it/architecture/forms.rs: {path}")).collect(),
        "no such route is SignedIn any more",
        "remove the line from WITHOUT_A_PROOF",
    );
}

#[test]
fn every_form_of_the_templates_has_its_token() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut breaches, mut forms) = (Vec::new(), 0);
    for file in files_under(&root.join("templates"), "html") {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("<form ") {
            let form = text[at..].split("</form>").next().unwrap_or_default();
            if form.split('>').next().unwrap_or_default().contains("method=\"post\"") {
                forms += 1;
                if !form.contains("parts::csrf(") && !form.contains("name=\"csrf\"") {
                    let number = text[..at].lines().count();
                    breaches.push(format!("{}:{number}", file.strip_prefix(root).unwrap().display()));
                }
            }
        }
    }
    assert!(forms > 50, "only {forms} forms");
    none_of(
        breaches,
        "a form without the token of its page is refused with 403",
        "write {% call parts::csrf(context) %}{% endcall %} in the form",
    );
}
