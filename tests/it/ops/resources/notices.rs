//! The owner of a workspace gets a mail when its storage reaches 80, 90 and 100 %, once each.

use domicile::config::LimitKey;
use domicile::people::{self, MailChoices};
use domicile::resources::{self, NewResource};

use super::Farm;

impl Farm {
    /// Gives the model so many bytes.
    fn resize(&mut self, version: i64, size_bytes: i64) {
        let new = NewResource { size_bytes, version, ..self.new_of("model", "m-1") };
        self.put(&new).unwrap();
    }

    /// What the schedule does. Returns the subjects of all mails about storage so far, sorted.
    fn notified(&mut self) -> Vec<String> {
        let workspace = self.ada.workspace;
        if self.site.read(|view| resources::is_notice_due(view, workspace).unwrap()) {
            self.site.write(|tx| resources::send_storage_notice(tx, workspace)).unwrap();
        }
        assert!(!self.site.read(|view| resources::is_notice_due(view, workspace).unwrap()), "once is enough");
        let sql = "select subject from mail_outbox where subject like 'Your storage is%' order by subject";
        self.site.read(|view| view.list(sql, [], |row| row.get(0)).unwrap())
    }
}

#[test]
fn each_share_gets_one_mail_until_the_storage_falls_below_it_again() {
    let mut farm = Farm::new(&[(LimitKey::StorageBytes, 1000)]);
    farm.resize(1, 799);
    assert_eq!(farm.notified(), Vec::<String>::new());
    farm.resize(2, 800);
    assert_eq!(farm.notified(), ["Your storage is 80 % full"]);
    farm.resize(3, 850);
    assert_eq!(farm.notified().len(), 1, "still the same share");
    farm.resize(4, 1000);
    assert_eq!(farm.notified(), ["Your storage is 80 % full", "Your storage is full"], "90 was passed on the way");
    farm.resize(5, 950);
    assert_eq!(farm.notified().len(), 2, "falling is no news");
    farm.resize(6, 1000);
    assert_eq!(farm.notified().len(), 3, "it was below 100 % in between");
    farm.resize(7, 100);
    assert_eq!(farm.notified().len(), 3);
    farm.resize(8, 900);
    let all = ["80 % full", "90 % full", "full", "full"].map(|end| format!("Your storage is {end}"));
    assert_eq!(farm.notified(), all);
}

#[test]
fn without_a_limit_or_the_wish_for_such_mails_there_is_none() {
    let mut farm = Farm::new(&[]);
    farm.resize(1, 1_000_000);
    assert_eq!(farm.notified().len(), 0, "no limit");
    farm.set_limits(&[(LimitKey::StorageBytes, 1_000_000)]);
    let (actor, choices) = (farm.ada.by_browser(), MailChoices { usage: false, ..MailChoices::default() });
    let account = farm.ada.account.id;
    farm.site.write(|tx| people::save_mail_choices(tx, &actor, account, choices)).unwrap();
    assert_eq!(farm.notified().len(), 0, "it is reached, and not wanted");
}
