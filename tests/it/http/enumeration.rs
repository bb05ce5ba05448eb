//! P8: no public endpoint reveals who has an account. Requests about known and unknown people alternate. Their answers
//! must be identical to the byte, and their times must not be distinguishable.

use domicile::base::Stopwatch;

use crate::support::{Answer, Appliance, Browser, rounds};

/// Requests of each kind at each of four endpoints.
fn each() -> usize {
    rounds(30, 50)
}

const WRONG: &str = "battery horse, no staple";

/// The answers of one endpoint and their times: index 0 for unknown, index 1 for known people.
#[derive(Default)]
struct Responses {
    answers: [Vec<Answer>; 2],
    seconds: [Vec<f64>; 2],
}

impl Responses {
    /// Sends [`each`] requests of each kind, in an order that favours neither kind.
    fn by(mut ask: impl FnMut(usize, bool) -> Answer) -> Self {
        let mut responses = Self::default();
        for round in 0..each() {
            for is_known in if round % 2 == 0 { [true, false] } else { [false, true] } {
                let watch = Stopwatch::start();
                let answer = ask(round, is_known);
                let kind = usize::from(is_known);
                responses.seconds[kind].push(watch.elapsed().as_secs_f64());
                responses.answers[kind].push(answer);
            }
        }
        responses
    }

    /// Fails if an answer differs from the first one, except for random values and for the typed names.
    fn must_be_identical(&self, endpoint: &str, masked: impl Fn(&str) -> String) {
        let visible = |answer: &Answer| {
            let is_random = |name: &str| ["date", "set-cookie", "x-request-id"].contains(&name);
            let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !is_random(name)).cloned().collect();
            headers.sort();
            (answer.status, headers, masked(&answer.text()))
        };
        let first = visible(&self.answers[0][0]);
        for (kind, answers) in self.answers.iter().enumerate() {
            for (round, answer) in answers.iter().enumerate() {
                let this = visible(answer);
                assert!(
                    this == first,
                    "{endpoint} differs (kind {kind}, round {round}):\n{this:?}\ninstead of\n{first:?}"
                );
            }
        }
    }

    /// Fails if the times of known and unknown people are distinguishable. The measure is the Mann-Whitney statistic as
    /// a share: how often an answer about a known person takes longer than one about an unknown person. By chance alone
    /// it leaves these bounds once in a hundred thousand runs; an answer without its hash is at 0 or 1.
    fn must_take_the_same_time(&self, endpoint: &str) {
        let [unknown, known] = &self.seconds;
        let longer = |known: f64| unknown.iter().filter(|unknown| known > **unknown).count();
        let wins: usize = known.iter().map(|known| longer(*known)).sum();
        let share = f64::from(u32::try_from(wins).unwrap()) / f64::from(u32::try_from(each() * each()).unwrap());
        println!("{endpoint}: an answer about a known person takes longer in {share:.3} of all pairs");
        assert!((0.15..=0.85).contains(&share), "{endpoint} takes a different time for known people: {share:.3}");
    }
}

/// Masks what differs in every answer: tokens and typed names.
fn masked(page: &str) -> String {
    let mut left = page.to_owned();
    for attribute in ["name=\"csrf\" value=\"", "person-", "nobody-"] {
        let mut done = String::new();
        for (number, part) in left.split(attribute).enumerate() {
            let rest = if number == 0 {
                part
            } else {
                part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            };
            done.push_str(rest);
        }
        left = done;
    }
    left
}

/// Each round comes from another network, like the requests of a patient attacker.
fn from(browser: &Browser, round: usize, path: &str, fields: &[(&str, &str)]) -> Answer {
    let address = format!("198.51.{round}.7");
    browser
        .call("POST", path)
        .header("Sec-Fetch-Site", "same-origin")
        .header("X-Forwarded-For", &address)
        .form(fields)
        .send()
}

fn name(round: usize, is_known: bool) -> String {
    format!("{}-{round:02}", if is_known { "person" } else { "nobody" })
}

/// An appliance with accounts, behind a proxy that sends the addresses of visitors.
fn site_with_accounts() -> Appliance {
    let site = Appliance::initialized();
    for round in 0..each() {
        site.account(&name(round, true));
    }
    let listen = format!("address = \"127.0.0.1:{}\"\n", site.port);
    site.reconfigure(&listen, &format!("{listen}trusted_proxies = [\"127.0.0.1/32\"]\n"));
    let mut site = site;
    site.start();
    site
}

#[test]
fn p8_no_endpoint_reveals_who_has_an_account_by_words_or_by_time() {
    let site = site_with_accounts();
    let mut browser = site.browser();
    let csrf = browser.get("/signin").value_of("name=\"csrf\"");
    let token = ("csrf", csrf.as_str());

    let by_name = Responses::by(|round, is_known| {
        from(&browser, round, "/signin", &[token, ("name", &name(round, is_known)), ("password", WRONG)])
    });
    let by_address = Responses::by(|round, is_known| {
        let email = format!("{}@example.org", name(round, is_known));
        from(&browser, each() + round, "/signin", &[token, ("name", &email), ("password", WRONG)])
    });
    let sign_up = Responses::by(|round, is_known| {
        let (email, username) =
            (format!("{}@example.org", name(round, is_known)), format!("fresh-{round:02}-{is_known}"));
        let fields = [token, ("email", &email), ("username", &username), ("password", "a walk by the river")];
        from(&browser, 2 * each() + round, "/signup", &fields)
    });
    let forgot = Responses::by(|round, is_known| {
        // The sign-ups above have claimed the unknown addresses meanwhile.
        let email = format!("{}@example.{}", name(round, is_known), if is_known { "org" } else { "com" });
        from(&browser, 3 * each() + round, "/forgot", &[token, ("email", &email)])
    });

    for (endpoint, responses) in
        [("by name", &by_name), ("by address", &by_address), ("sign-up", &sign_up), ("forgot", &forgot)]
    {
        responses.must_be_identical(endpoint, masked);
    }
    assert_eq!(
        (by_name.answers[0][0].status, sign_up.answers[0][0].status, forgot.answers[0][0].status),
        (401, 303, 200)
    );
    for (endpoint, responses) in
        [("by name", &by_name), ("by address", &by_address), ("sign-up", &sign_up), ("forgot", &forgot)]
    {
        responses.must_take_the_same_time(endpoint);
    }
}

#[test]
fn p8_a_guessed_link_looks_like_a_used_one() {
    let site = Appliance::running_with("[signup]\nmode = \"invite\"\n");
    site.run(&["account", "invite", "--email", "ada@example.org"]).ok();
    let link = site.mailbox().wait_for("ada@example.org", "You are invited").link("/signup?invite=");
    let used = link.strip_prefix(&site.url()).unwrap().to_owned();
    site.run(&["account", "uninvite", "ada@example.org"]).ok();
    let guessed = format!("{}x", &used[..used.len() - 1]);
    let mut browser = site.browser();

    let [of_used, of_guessed] = [used, guessed].map(|path| {
        let answer = browser.get(&path);
        (answer.status, masked(&answer.text()))
    });

    assert_eq!(of_used, of_guessed);
    assert_eq!(of_used.0, 400);
}
