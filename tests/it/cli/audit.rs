//! `domicile audit`: checkpoints that are kept elsewhere, and what it says of them.

use serde_json::Value;

use crate::support::Appliance;

#[test]
fn a_checkpoint_is_signed_published_and_compared() {
    let site = Appliance::running();
    site.account("ada-l");
    let file = site.folder().join("checkpoint.txt");
    let note = site.run(&["audit", "head"]).ok();
    std::fs::write(&file, format!("{note}\n")).unwrap();

    let published = site.call("GET", "/v1/audit/head").send();
    assert_eq!((published.status, published.text().trim_end()), (200, note.trim_end()));
    let all = std::fs::read_to_string(site.data().join("audit/checkpoints")).unwrap();
    assert!(all.trim_end().ends_with(note.trim_end()), "{all}");
    let key = site.run(&["audit", "key"]).ok();
    assert!(key.starts_with(note.lines().next().unwrap()), "{key}");

    site.account("bob-b");
    let name = file.to_str().unwrap();
    let verified = site.run(&["audit", "verify", "--checkpoint", name]).ok();
    assert!(verified.contains("It contains all events of the checkpoint."), "{verified}");
    let json: Value =
        serde_json::from_str(&site.run(&["audit", "verify", "--checkpoint", name, "--json"]).ok()).unwrap();
    assert_eq!(json["checkpoints"], serde_json::json!({"confirmed": 1, "lost_by_restore": null}));
}

#[test]
fn what_cannot_be_compared_and_what_does_not_match_are_told_apart() {
    let site = Appliance::initialized();
    site.account("ada-l");
    let file = site.folder().join("checkpoint.txt");
    let name = file.to_str().unwrap();
    let verify = || site.run(&["audit", "verify", "--checkpoint", name]);

    let missing = verify();
    assert_eq!(missing.status, 1, "{missing:?}");
    let note = site.run(&["audit", "head"]).ok();
    for (text, says) in
        [("hello", "it is not a checkpoint"), (&note.replacen("audit/1", "audit/9", 1), "not signed by this appliance")]
    {
        std::fs::write(&file, text).unwrap();
        let refused = verify();
        assert_eq!(refused.status, 1, "{refused:?}");
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }

    std::fs::write(&file, note).unwrap();
    // Somebody with every key also removes what would tell that the database lacks something.
    for other in ["live/head", "domicile.sqlite", "domicile.sqlite.json"] {
        let _ = std::fs::remove_file(site.data().join(other));
    }
    site.database()
        .execute_batch(
            "drop trigger audit_event_is_never_deleted; pragma foreign_keys = off; delete from audit_tree; \
             delete from audit_event where seq = (select max(seq) from audit_event);",
        )
        .unwrap();
    let cut = verify();
    assert_eq!(cut.status, 3, "{cut:?}");
    assert!(cut.stderr.contains("it is missing, and a signed checkpoint has"), "{}", cut.stderr);
}
