//! Plans that operators changed after a backup.

use serde_json::json;

use super::{Backup, restored};
use crate::support::Appliance;

const PLANS: &str = r#"
[[plans]]
code = "free"
name = "Free"

[[plans]]
code = "pro"
name = "Pro"
"#;

#[test]
fn a_workspace_keeps_the_plan_that_it_got_after_the_backup() {
    let site = Appliance::initialized_with(PLANS);
    let names = ["ada-l", "bob-b", "cy-c"];
    names.iter().for_each(|name| drop(site.account(name)));
    let change = |name: &str, plan: &str| site.run(&["account", "plan", name, plan]).ok();
    change("ada-l", "pro");
    change("cy-c", "pro");
    let backup = Backup::of(&site);
    change("ada-l", "free");
    change("bob-b", "pro");
    change("cy-c", "free");
    change("cy-c", "pro");
    change("cy-c", "pro");
    let told = restored(&site, &backup.file(), &["--replace"]);

    assert_eq!(told["journal_lines_applied"], json!(4), "the same plan again has no line: {told}");
    let database = site.database();
    let plan = |name: &str| -> String {
        database.query_row("select plan from workspace where slug = ?1", [name], |row| row.get(0)).unwrap()
    };
    assert_eq!(names.map(plan), ["free", "pro", "pro"]);
}
