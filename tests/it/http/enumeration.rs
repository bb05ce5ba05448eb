//! P8: nobody learns at a door who is here. Known and unknown people are asked about in turns: their answers must be the same
//! to the byte, and their times must not tell them apart.

use domicile::base::Stopwatch;

use crate::support::{Answer, Appliance, Browser};

/// Of each kind, at each of four doors: four hundred requests.
const TURNS: usize = 50;
const WRONG: &str = "battery horse, no staple";

/// What one door answered, and how long it took, known and unknown in turns.
#[derive(Default)]
struct Told {
    answers: [Vec<Answer>; 2],
    seconds: [Vec<f64>; 2],
}

impl Told {
    /// Asks `TURNS` times about each kind, in an order that gives no kind the better place.
    fn by(mut ask: impl FnMut(usize, bool) -> Answer) -> Self {
        let mut told = Self::default();
        for turn in 0..TURNS {
            for is_known in if turn % 2 == 0 { [true, false] } else { [false, true] } {
                let watch = Stopwatch::start();
                let answer = ask(turn, is_known);
                let kind = usize::from(is_known);
                told.seconds[kind].push(watch.elapsed().as_secs_f64());
                told.answers[kind].push(answer);
            }
        }
        told
    }

    /// Fails where an answer differs from the first one, but for what is drawn anew in each and what was typed.
    fn must_look_alike(&self, door: &str, masked: impl Fn(&str) -> String) {
        let seen = |answer: &Answer| {
            let is_drawn = |name: &str| ["date", "set-cookie", "x-request-id"].contains(&name);
            let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !is_drawn(name)).cloned().collect();
            headers.sort();
            (answer.status, headers, masked(&answer.text()))
        };
        let first = seen(&self.answers[0][0]);
        for (kind, answers) in self.answers.iter().enumerate() {
            for (turn, answer) in answers.iter().enumerate() {
                let this = seen(answer);
                assert!(this == first, "{door} betrays (kind {kind}, turn {turn}):\n{this:?}\ninstead of\n{first:?}");
            }
        }
    }

    /// Fails where the known take longer than the unknown, or less long, often enough to be told apart. That is the statistic
    /// of Mann and Whitney as a share: how often a known person's answer takes longer than an unknown one's. By rng alone
    /// it leaves these bounds once in ten million times; an answer without its hash is at 0 or 1.
    fn must_take_alike(&self, door: &str) {
        let [unknown, known] = &self.seconds;
        let longer = |known: f64| unknown.iter().filter(|unknown| known > **unknown).count();
        let wins: usize = known.iter().map(|known| longer(*known)).sum();
        let share = f64::from(u32::try_from(wins).unwrap()) / f64::from(u32::try_from(TURNS * TURNS).unwrap());
        println!("{door}: a known person's answer takes longer in {share:.3} of all pairs");
        assert!((0.15..=0.85).contains(&share), "{door} takes another time for known people: {share:.3}");
    }
}

/// Hides what is another one in every answer: tokens, and the names that were typed.
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

/// Each turn comes from another network, as a patient spy's would.
fn from(browser: &Browser, turn: usize, path: &str, fields: &[(&str, &str)]) -> Answer {
    let address = format!("198.51.{turn}.7");
    browser
        .call("POST", path)
        .header("Sec-Fetch-Site", "same-origin")
        .header("X-Forwarded-For", &address)
        .form(fields)
        .send()
}

fn name(turn: usize, is_known: bool) -> String {
    format!("{}-{turn:02}", if is_known { "person" } else { "nobody" })
}

/// An appliance with people in it, behind a proxy that says where visitors come from.
fn peopled() -> Appliance {
    let site = Appliance::made();
    for turn in 0..TURNS {
        site.account(&name(turn, true));
    }
    let listen = format!("address = \"127.0.0.1:{}\"\n", site.port);
    site.reconfigure(&listen, &format!("{listen}trusted_proxies = [\"127.0.0.1/32\"]\n"));
    let mut site = site;
    site.start();
    site
}

#[test]
fn p8_no_door_tells_who_is_here_by_words_or_by_time() {
    let site = peopled();
    let mut browser = site.browser();
    let csrf = browser.get("/signin").value_of("name=\"csrf\"");
    let token = ("csrf", csrf.as_str());

    let by_name = Told::by(|turn, is_known| {
        from(&browser, turn, "/signin", &[token, ("name", &name(turn, is_known)), ("password", WRONG)])
    });
    let by_address = Told::by(|turn, is_known| {
        let email = format!("{}@example.org", name(turn, is_known));
        from(&browser, TURNS + turn, "/signin", &[token, ("name", &email), ("password", WRONG)])
    });
    let sign_up = Told::by(|turn, is_known| {
        let (email, username) =
            (format!("{}@example.org", name(turn, is_known)), format!("fresh-{turn:02}-{is_known}"));
        let fields = [token, ("email", &email), ("username", &username), ("password", "a walk by the river")];
        from(&browser, 2 * TURNS + turn, "/signup", &fields)
    });
    let forgot = Told::by(|turn, is_known| {
        // Those above have claimed the unknown addresses meanwhile.
        let email = format!("{}@example.{}", name(turn, is_known), if is_known { "org" } else { "com" });
        from(&browser, 3 * TURNS + turn, "/forgot", &[token, ("email", &email)])
    });

    for (door, told) in [("by name", &by_name), ("by address", &by_address), ("sign-up", &sign_up), ("forgot", &forgot)]
    {
        told.must_look_alike(door, masked);
    }
    assert_eq!(
        (by_name.answers[0][0].status, sign_up.answers[0][0].status, forgot.answers[0][0].status),
        (401, 303, 200)
    );
    for (door, told) in [("by name", &by_name), ("by address", &by_address), ("sign-up", &sign_up), ("forgot", &forgot)]
    {
        told.must_take_alike(door);
    }
}

#[test]
fn p8_a_link_that_nobody_made_looks_like_one_that_is_used_up() {
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
