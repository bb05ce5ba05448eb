//! Which passwords are accepted, how they are stored, and that nothing reveals who has an account. Through the flows,
//! with real hashes.

use std::process::{Command, Stdio};

use domicile::accounts::AccountError;
use domicile::base::{Actor, Secret, minutes, seconds};
use domicile::crypto::{NewPasswordError, PasswordFault};
use domicile::signin::{self, NewPerson, PasswordContext, SignInOutcome, SigninError, StepUp, flows};

use super::signin::token_in;
use crate::support::{PASSWORD, Person, TestApp, finish, tool, tool_script};

const WRONG: &str = "battery horse, no staple";
const OTHER: &str = "a brand new set of words";
/// Passwords that guessing programs try.
const KNOWN: &str = include_str!("../../../src/crypto/known_passwords.txt");
/// Passphrases that people chose when they were told to use several words, in many languages.
const GOOD: &str = include_str!("../data/good_passphrases.txt");

impl TestApp {
    /// Whether a sign-up may use the password, without doing it.
    fn judge(&self, password: &str) -> Result<(), PasswordFault> {
        let min_length = self.app.config().passwords.min_length;
        let words = ["account.example.org", "ada-lovelace", "augusta.king@example.com"].map(str::to_owned).to_vec();
        let text = Secret::new(password.to_owned());
        match self.block_on(self.app.passwords().parse(text, min_length, words)) {
            Ok(_) => Ok(()),
            Err(NewPasswordError::Fault(fault)) => Err(fault),
            Err(busy) => panic!("{busy:?}"),
        }
    }

    /// The score of the meter for a person who signs up.
    fn score(&self, password: &str) -> u8 {
        let context =
            PasswordContext::SigningUp { email: "augusta.king@example.com".into(), username: "ada-lovelace".into() };
        self.block_on(flows::rate_password(&self.app, context, Secret::new(password.to_owned()))).unwrap().score
    }

    fn stored_hash(&self, username: &str) -> String {
        let account = self.find(username).unwrap().id;
        self.read(|view| domicile::accounts::password_hash(view, account).unwrap().unwrap())
    }

    /// What a request costs: the KiB of memory that hashing fills, and the rows that are written, by table.
    fn cost_of(&self, request: impl FnOnce()) -> (u64, Vec<(&'static str, i64)>) {
        let filled = self.app.passwords().filled_kib();
        let grown = self.growth(request);
        (self.app.passwords().filled_kib() - filled, grown)
    }
}

#[test]
fn p1_the_minimum_length_is_a_setting_in_characters() {
    for (min_length, short, enough) in [(15, "fourteen chars", "fifteen letters"), (8, "xk7#mQ2", "xk7#mQ2p")] {
        let site = TestApp::with(|config| config.passwords.min_length = min_length);

        assert_eq!(site.judge(short), Err(PasswordFault::TooShort { min: min_length }));
        assert_eq!(site.judge(enough), Ok(()));
    }
    let site = TestApp::new();
    assert_eq!(site.app.config().passwords.min_length, 15);
    // Each is one character of four bytes.
    assert_eq!(site.judge("🦊🐢🌵🎈🍀🦉🐙🌊🔔🧭🪐🥨🧩🎻"), Err(PasswordFault::TooShort { min: 15 }));
    assert_eq!(site.judge("🦊🐢🌵🎈🍀🦉🐙🌊🔔🧭🪐🥨🧩🎻🛶"), Ok(()));
}

#[test]
fn p2_a_too_long_password_is_refused_without_a_hash() {
    let site = TestApp::new();
    site.person("ada-ada");
    let megabyte = "several words in a row, ".repeat(1 << 16);
    let cost = site.cost_of(|| {
        let refused = site.sign_up_with("eve@example.org", "eve-eve", &megabyte);
        assert!(matches!(refused, Err(SigninError::Password(PasswordFault::TooLong))));
        for name in ["ada-ada", "nobody-here"] {
            assert!(matches!(site.sign_in(name, &megabyte), Err(SigninError::BadCredentials)));
        }
    });

    assert_eq!(cost.0, 0);
}

#[test]
fn p2_long_passwords_count_to_their_last_character() {
    let site = TestApp::new();
    let pattern = "wörter und mehr, ";
    for (number, chars) in [15, 64, 128, 900].into_iter().enumerate() {
        let password: String = pattern.chars().cycle().take(chars - 1).chain(['x']).collect();
        let almost: String = pattern.chars().cycle().take(chars - 1).chain(['y']).collect();
        let (name, email) = (format!("somebody-{number}"), format!("somebody-{number}@example.org"));
        site.sign_up_with(&email, &name, &password).unwrap();

        assert!(matches!(site.sign_in(&name, &almost), Err(SigninError::BadCredentials)), "{chars}");
        let shorter: String = password.chars().take(chars - 1).collect();
        assert!(matches!(site.sign_in(&name, &shorter), Err(SigninError::BadCredentials)), "{chars}");
        assert!(matches!(site.sign_in(&name, &password), Ok(SignInOutcome::VerificationPending(_))), "{chars}");
    }
}

#[test]
fn p2_a_password_of_the_maximum_length_is_not_truncated() {
    let site = TestApp::new();
    let longest: String = "several words in a row, ".chars().cycle().take(1024).collect();
    let before = site.footprint();
    let too_long = site.sign_up_with("ada@example.org", "ada-ada", &format!("{longest}x"));
    assert!(matches!(too_long, Err(SigninError::Password(PasswordFault::TooLong))));
    assert_eq!(site.footprint(), before);

    site.sign_up_with("ada@example.org", "ada-ada", &longest).unwrap();

    for more in ["x", "xyz", &"x".repeat(1 << 20)] {
        let wrong = site.sign_in("ada-ada", &format!("{longest}{more}"));
        assert!(matches!(wrong, Err(SigninError::BadCredentials)), "{} more", more.len());
    }
    assert!(matches!(site.sign_in("ada-ada", &longest), Ok(SignInOutcome::VerificationPending(_))));
}

#[test]
fn p3_one_kind_of_characters_is_as_good_as_four() {
    let site = TestApp::new();
    for password in [
        "geranienbrunnenkissen",
        "kettleornamentvalley",
        "umbrellasquiddrawer",
        "tractorvioletpencil",
        "GERANIENBRUNNENKISSEN",
        "KETTLEORNAMENTVALLEY",
        "UMBRELLASQUIDDRAWER",
        "840275916372058",
        "591720386412795",
        "702946183057261",
        "чайникпоётпередпоездом",
        "ζεστόψωμίκαιελιές",
        "雨の朝に白い猫が窓辺で眠っている",
        "비오는날고양이가창가에서잔다네요",
        "&§)=?%$§/(&%§!?)(=&/%",
    ] {
        assert_eq!(site.judge(password), Ok(()), "{password}");
    }
}

#[test]
fn p4_a_known_password_is_refused_in_every_lengthened_form() {
    let site = TestApp::new();
    let known: Vec<&str> = KNOWN.lines().filter(|line| !line.starts_with("# ")).take(3000).collect();
    assert_eq!(known.len(), 3000);
    let doubled = |word: &str| word.repeat(15_usize.div_ceil(word.len()));
    let padded = |word: &str, with: &str| format!("{word}{}", with.repeat(15 - word.len().min(14)));
    let counted = |word: &str| format!("{word}{}", &"12345678901234567890"[..15 - word.len().min(14)]);
    let disguised =
        |word: &str| padded(&word.replace('a', "@").replace('o', "0").replace('s', "$").to_uppercase(), "!");
    let reversed = |word: &str| padded(&word.chars().rev().collect::<String>(), "1");
    let framed = |word: &str| format!("{}{word}{}", "!".repeat(8), "?".repeat(8));

    let mut taken = Vec::new();
    for word in known {
        let forms = [
            doubled(word),
            padded(word, "1"),
            padded(word, "!"),
            counted(word),
            disguised(word),
            reversed(word),
            framed(word),
        ];
        for form in forms {
            assert!(form.len() >= 15, "{form}");
            if site.judge(&form).is_ok() {
                taken.push(form);
            }
        }
    }
    assert_eq!(taken, Vec::<String>::new());
}

#[test]
fn p4_known_passwords_of_eight_characters_are_refused_beside_a_second_factor() {
    let site = TestApp::with(|config| config.passwords.min_length = 8);
    let known: Vec<&str> = KNOWN.lines().filter(|line| !line.starts_with("# ") && line.len() >= 8).collect();
    assert!(known.len() >= 3000, "{}", known.len());

    let taken: Vec<_> = known.into_iter().filter(|word| site.judge(word).is_ok()).collect();

    assert_eq!(taken, Vec::<&str>::new());
}

#[test]
fn p4_words_about_the_person_and_the_site_are_refused() {
    let site = TestApp::new();
    for personal in [
        "ada-lovelace-1815",
        "AdaLovelace12345!",
        "augusta.king@example.com",
        "augusta.king.1815",
        "kinggnikkinggnik",
        "account.example.org",
        "account.example.org!1",
        "Domicile!Domicile!",
        "domicile12345678",
        "ecalevol-ada-1815",
    ] {
        assert!(site.judge(personal).is_err(), "{personal}");
    }
    // The meter knows the same words: the other fields of the form, and the address of the site.
    for personal in ["ada-lovelace-1815", "augusta.king@example.com", "localhost:8600!localhost", "Domicile!Domicile!"]
    {
        assert_eq!(site.score(personal), 1, "{personal}");
    }
}

#[test]
fn p4_passphrases_of_real_people_are_accepted_and_the_meter_agrees() {
    let site = TestApp::new();
    let refused: Vec<_> = GOOD.lines().filter(|line| site.judge(line).is_err()).collect();
    assert_eq!(refused, Vec::<&str>::new());

    for line in GOOD.lines().step_by(10) {
        assert!(site.score(line) >= 2, "{line}");
    }
    for refused in ["", "fourteen chars", "password-password", &"x".repeat(2000)] {
        assert_eq!(site.score(refused), u8::from(!refused.is_empty()), "{refused}");
    }
}

#[test]
fn rating_a_password_leaves_no_trace() {
    let site = TestApp::new();
    site.person("ada-ada");
    let cost = site.cost_of(|| {
        site.score("a marmalade of eleven quinces");
    });

    assert_eq!(cost.0, 0);
    assert!(cost.1.iter().all(|(_, grown)| *grown == 0), "{cost:?}");
    assert!(site.columns_with("marmalade").is_empty());
}

#[test]
fn p5_a_password_is_the_same_on_every_keyboard() {
    let site = TestApp::new();
    site.sign_up_with("ada@example.org", "ada-ada", "caf\u{e9} cr\u{e8}me br\u{fb}l\u{e9}e").unwrap();
    site.sign_up_with("bob@example.org", "bob-bob", "🦊🐢🌵🎈🍀🦉🐙🌊🔔🧭🪐🥨🧩🎻🛶").unwrap();

    let decomposed = site.sign_in("ada-ada", "cafe\u{301} cre\u{300}me bru\u{302}le\u{301}e");
    let plain = site.sign_in("ada-ada", "cafe creme brulee");
    let emoji = site.sign_in("bob-bob", "🦊🐢🌵🎈🍀🦉🐙🌊🔔🧭🪐🥨🧩🎻🛶");

    assert!(matches!(decomposed, Ok(SignInOutcome::VerificationPending(_))));
    assert!(matches!(plain, Err(SigninError::BadCredentials)));
    assert!(matches!(emoji, Ok(SignInOutcome::VerificationPending(_))));
}

#[test]
fn p6_another_library_reads_the_stored_hash_and_verifies_the_password() {
    let site = TestApp::new();
    site.sign_up("ada@example.org", "ada-ada").unwrap();
    let stored = site.stored_hash("ada-ada");

    let mut parse = Command::new(tool("python3"));
    parse
        .arg(tool_script("passwords/argon2_parse.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let read = finish(&mut parse, &format!("{stored}\n{PASSWORD}\n")).ok();

    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    assert_eq!((read["kind"].as_str(), read["version"].as_u64()), (Some("ID"), Some(19)), "{read}");
    assert!(read["memory_kib"].as_u64() >= Some(19_456) && read["passes"].as_u64() >= Some(2), "{read}");
    assert_eq!(
        (read["lanes"].as_u64(), read["salt_bytes"].as_u64(), read["hash_bytes"].as_u64()),
        (Some(1), Some(16), Some(32))
    );
    assert_eq!(
        (read["is_right"].as_bool(), read["is_right_for_another"].as_bool()),
        (Some(true), Some(false)),
        "{read}"
    );
}

#[test]
fn p6_a_hash_is_renewed_at_the_first_sign_in_after_its_cost_was_raised() {
    let site = TestApp::new();
    site.person("ada-ada");
    site.person("bob-bob");
    let (of_ada, of_bob) = (site.stored_hash("ada-ada"), site.stored_hash("bob-bob"));
    site.session("ada-ada");
    assert_eq!(site.stored_hash("ada-ada"), of_ada, "the cost did not change");

    let site = site.reopen_with(|config| {
        config.passwords.memory_kib = 24 * 1024;
        config.passwords.passes = 3;
    });
    let changed = "select sum(changed_at) from password";
    let changed_before = site.number(changed);
    assert!(matches!(site.sign_in("ada-ada", WRONG), Err(SigninError::BadCredentials)));
    assert_eq!(site.stored_hash("ada-ada"), of_ada, "only the right password renews it");
    site.session("ada-ada");

    let renewed = site.stored_hash("ada-ada");
    assert!(renewed.starts_with("$argon2id$v=19$m=24576,t=3,p=1$"), "{renewed}");
    assert_eq!(site.stored_hash("bob-bob"), of_bob);
    assert_eq!(site.number(changed), changed_before, "the password is the same as before");
    site.session("ada-ada");
    assert_eq!(site.stored_hash("ada-ada"), renewed);
}

#[test]
fn p8_a_known_and_an_unknown_name_cost_the_same_work() {
    let site = TestApp::new();
    site.person("ada-ada");
    site.suspend(&site.person("suspended"));
    // An account with an older hash costs no less.
    let site = site.reopen_with(|config| config.passwords.passes = 3);
    site.person("new-new");
    let unknown = site.cost_of(|| drop(site.sign_in("nobody-here", WRONG)));
    assert_eq!(unknown.0, 3 * 19 * 1024);

    for name in ["ada-ada", "new-new", "suspended", "ada-ada@example.org", "nobody@example.org", "", "not a name"] {
        let (filled, rows) =
            site.cost_of(|| assert!(matches!(site.sign_in(name, WRONG), Err(SigninError::BadCredentials))));
        assert!(filled.abs_diff(unknown.0) < 3, "{name:?}: {filled} KiB instead of {}", unknown.0);
        assert_eq!(rows, unknown.1, "{name:?}");
    }
}

#[test]
fn p8_a_wrong_proof_costs_the_same_work_whether_there_is_a_password_or_not() {
    let site = TestApp::new();
    let (ada, without) = (site.person("ada-ada"), NewPerson { password: None, ..site.new_person("bob-bob") });
    let bob = site.write(move |tx| signin::create_account(tx, &Actor::Operator, without)).unwrap();
    let bob = Person { account: bob, workspace: ada.workspace };
    let wrong_proof = |person: &Person| {
        let (actor, account) = (person.by_browser(), person.account.id);
        let Actor::SignedIn { session, .. } = actor else { panic!("not signed in") };
        let typed = StepUp::Password(Secret::new(WRONG.to_owned()));
        let step_up = flows::step_up(&site.app, actor, account, session, typed);
        site.cost_of(|| assert!(matches!(site.block_on(step_up), Err(SigninError::NotProved))))
    };

    let (with, without) = (wrong_proof(&ada), wrong_proof(&bob));

    assert_eq!(with.0, 2 * 19 * 1024);
    assert_eq!(with, without);
}

#[test]
fn p8_a_known_and_an_unknown_address_cost_the_same_work() {
    let site = TestApp::new();
    site.person("ada-ada");
    let sign_up = |email: &str, name: &str| site.cost_of(|| assert!(site.sign_up(email, name).is_ok()));
    let reset = |email: &str| site.cost_of(|| site.ask_for_reset(email).unwrap());

    assert_eq!(sign_up("ada-ada@example.org", "mallory"), sign_up("nobody@example.org", "trudy-t"));
    let (known, unknown) = (reset("ada-ada@example.org"), reset("nobody-here@example.org"));
    assert_eq!((known.0, unknown.0), (0, 0));
    let but_the_mail = |rows: Vec<(&'static str, i64)>| {
        rows.into_iter().filter(|(table, _)| !["mail_outbox", "job"].contains(table)).collect::<Vec<_>>()
    };
    assert_eq!(but_the_mail(known.1), but_the_mail(unknown.1));
}

#[test]
fn p9_a_reset_link_works_once_within_30_minutes_and_survives_a_weak_password() {
    let site = TestApp::new();
    site.person("ada-ada");
    site.ask_for_reset("ada-ada@example.org").unwrap();
    let token = site.reset_token("ada-ada@example.org");

    let weak = site.reset(&token, "too short");
    site.clock.advance(minutes(30) - seconds(1));
    site.reset(&token, OTHER).unwrap();
    let twice = site.reset(&token, WRONG);
    site.ask_for_reset("ada-ada@example.org").unwrap();
    let late = site.reset_token("ada-ada@example.org");
    site.clock.advance(minutes(30));
    let too_late = site.reset(&late, WRONG);

    assert!(matches!(weak, Err(SigninError::Password(PasswordFault::TooShort { .. }))));
    for refused in [twice, too_late, site.reset("nonsense", WRONG), site.reset("", WRONG)] {
        assert!(matches!(refused, Err(SigninError::Account(AccountError::LinkRefused))));
    }
    assert!(matches!(site.sign_in("ada-ada", OTHER), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn p9_a_reset_link_is_stored_nowhere_after_its_mail_was_sent() {
    let site = TestApp::with(|config| config.demo = false);
    site.person("ada-ada");
    site.ask_for_reset("ada-ada@example.org").unwrap();
    let token = site.reset_token("ada-ada@example.org");
    assert_eq!(site.columns_with(&token), ["mail_outbox.body_text", "mail_outbox.body_html"]);

    site.run_jobs();

    assert_eq!(site.columns_with(&token), Vec::<String>::new());
    assert_eq!(token_in(&site.mailbox().wait_for("ada-ada@example.org", "Set your password").link("/reset")), token);
    site.reset(&token, OTHER).unwrap();
}

#[test]
fn p9_a_reset_link_has_256_bits_and_is_stored_as_a_digest() {
    let site = TestApp::with(|config| config.demo = false);
    site.person("ada-ada");
    site.ask_for_reset("ada-ada@example.org").unwrap();
    let token = site.reset_token("ada-ada@example.org");

    // Base64 of 32 bytes.
    assert_eq!(token.len(), 43);
    site.run_jobs();
    assert!(site.columns_with(&token).is_empty());
    assert_eq!(site.number("select length(digest) from one_time_link"), 32);
}

#[test]
fn p9_using_one_of_two_reset_links_invalidates_the_other() {
    let site = TestApp::new();
    site.person("ada-ada");
    site.ask_for_reset("ada-ada@example.org").unwrap();
    let first = site.reset_token("ada-ada@example.org");
    site.clock.advance(seconds(1));
    site.ask_for_reset("ada-ada@example.org").unwrap();
    let second = site.reset_token("ada-ada@example.org");
    assert_ne!(first, second);

    site.reset(&second, OTHER).unwrap();

    assert!(matches!(site.reset(&first, WRONG), Err(SigninError::Account(AccountError::LinkRefused))));
    assert!(matches!(site.sign_in("ada-ada", OTHER), Ok(SignInOutcome::Session { .. })));
}
