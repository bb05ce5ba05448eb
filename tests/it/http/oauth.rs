//! Coming in from Google, GitHub and Apple, at their own paths, through the real program.

use serde_json::{Value, json};

use crate::support::{Answer, Appliance, Browser, Call, HelperProcess};

/// An appliance with the three providers beside it.
pub struct Neighbours {
    pub site: Appliance,
    beside: HelperProcess,
    urls: Value,
}

const ANN: &str = "ann.lee@gmail.com";
const HUB: &str = "ann@example.net";
const APPLE: &str = "ann@icloud.com";

impl Neighbours {
    pub fn new() -> Self {
        let site = Appliance::configured("");
        let back = |name: &str| json!([format!("{}/oauth/{name}/callback", site.url())]);
        let (beside, urls) = HelperProcess::provider(
            "lookalikes.mjs",
            &json!({
                "google": {
                    "users": [
                        {"email": ANN, "name": "Ann Lee", "email_verified": true},
                        {"email": "bea@firm.example", "name": "Bea", "email_verified": true, "hd": "firm.example"},
                        {"email": "cy@example.net", "name": "Cy", "email_verified": true, "hd": ""},
                    ],
                    "oauth_clients": [{"client_id": "gid", "client_secret": "gsec", "name": "D", "redirect_uris": back("google")}],
                },
                "github": {
                    "users": [{"login": "annhub", "name": "Ann Hub", "email": HUB}],
                    "oauth_apps": [{"client_id": "hid", "client_secret": "hsec", "name": "D", "redirect_uris": back("github")}],
                },
                "apple": {
                    "users": [
                        {"email": APPLE, "name": "Ann Apple"},
                        {"email": "hidden@icloud.com", "name": "Hid Den", "is_private_email": true},
                    ],
                    "oauth_clients": [{"client_id": "com.example.d", "team_id": "TEAM000001", "name": "D", "redirect_uris": back("apple")}],
                },
            }),
        );
        let mut neighbours = Self { site, beside, urls };
        neighbours.open();
        neighbours
    }

    pub fn url(&self, name: &str) -> String {
        self.urls[name].as_str().unwrap().to_owned()
    }

    /// Writes the settings and starts the appliance.
    fn open(&mut self) {
        let key = self.site.folder().join("apple.p8");
        std::fs::write(&key, self.urls["apple_key"].as_str().unwrap()).unwrap();
        let (google, github, apple) = (self.url("google"), self.url("github"), self.url("apple"));
        self.site.add_settings(&format!(
            "[oauth.google]\nclient_id = \"gid\"\nclient_secret = \"gsec\"\nissuer = \"{google}\"\n\
             [oauth.github]\nclient_id = \"hid\"\nclient_secret = \"hsec\"\nissuer = \"{github}\"\napi_url = \"{github}\"\n\
             [oauth.apple]\nclient_id = \"com.example.d\"\nteam_id = \"TEAM000001\"\nkey_id = \"KEY0000001\"\n\
             private_key_file = \"{}\"\nissuer = \"{apple}\"\n",
            key.display()
        ));
        self.site.run(&["init"]).ok();
        self.site.start();
    }

    /// Leaves for a provider and chooses an account there: what it answers.
    fn choose(&self, browser: &mut Browser, name: &str, account: &str) -> Answer {
        self.choose_from(browser, &format!("/oauth/{name}/start"), name, account)
    }

    fn choose_from(&self, browser: &mut Browser, start: &str, name: &str, account: &str) -> Answer {
        let left = browser.get(start);
        assert_eq!(left.status, 303, "{}", left.text());
        let shown = Call::to(left.location(), "GET").send();
        assert_eq!(shown.status, 200, "{}", shown.text());
        let (path, field) = match name {
            "google" => ("/o/oauth2/v2/auth/callback", "email"),
            "github" => ("/login/oauth/callback", "login"),
            _ => ("/auth/authorize/callback", "email"),
        };
        // The first account's form, with another account in it.
        let mut fields: Vec<(String, String)> = Vec::new();
        for (known, value) in shown.fields() {
            if !fields.iter().any(|(other, _)| *other == known) {
                fields.push((known.clone(), if known == field { account.to_owned() } else { value }));
            }
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Call::to(&format!("{}{path}", self.url(name)), "POST").form(&fields).send()
    }

    /// There and back: what the appliance shows.
    fn come(&self, browser: &mut Browser, name: &str, account: &str) -> Answer {
        let answered = self.choose(browser, name, account);
        self.bring(browser, &answered)
    }

    /// The browser follows the provider's answer.
    fn bring(&self, browser: &mut Browser, answered: &Answer) -> Answer {
        if answered.status == 302 {
            return browser.get(self.path(answered.location()));
        }
        let posted = self.post(answered);
        assert_eq!(posted.status, 303, "{}", posted.text());
        browser.get(posted.location())
    }

    fn path<'a>(&self, url: &'a str) -> &'a str {
        url.strip_prefix(self.site.url().as_str()).unwrap_or_else(|| panic!("{url} leads elsewhere"))
    }

    /// Apple's page sends its form across sites: without our cookies.
    fn post(&self, page: &Answer) -> Answer {
        let fields = page.fields();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = self.site.call("POST", "/oauth/apple/callback").header("Origin", &self.url("apple"));
        call.header("Sec-Fetch-Site", "cross-site").form(&fields).send()
    }

    /// Rows by table, by an independent look.
    fn rows(&self) -> Value {
        self.site.run(&["snapshot", "now"]).ok();
        let manifest = std::fs::read_to_string(self.site.data().join("domicile.sqlite.json")).unwrap();
        let mut rows: Value = serde_json::from_str::<Value>(&manifest).unwrap()["rows"].take();
        for table in ["job", "oauth_flow", "audit_event", "audit_private", "subject_key"] {
            rows.as_object_mut().unwrap().remove(table);
        }
        rows
    }
}

fn is_in(browser: &mut Browser) -> bool {
    browser.get("/settings/profile").status == 200
}

/// Sends the page of a new person.
fn become_somebody(browser: &mut Browser, username: &str, email: &str) -> Answer {
    browser.submit("/oauth/sign-up", "/oauth/sign-up", &[("username", username), ("email", email)])
}

#[test]
fn somebody_comes_in_from_google_whose_word_about_its_own_addresses_is_enough() {
    let neighbours = Neighbours::new();
    let mut ann = neighbours.site.browser();
    let back = neighbours.come(&mut ann, "google", ANN);
    assert_eq!((back.status, back.location()), (303, "/oauth/sign-up"), "{}", back.text());
    assert!(!is_in(&mut ann));
    let form = ann.get("/oauth/sign-up");
    assert_eq!(form.value_of("name=\"username\""), "ann-lee");
    assert!(form.text().contains("no code is needed"));
    let made = become_somebody(&mut ann, "ann-lee", "");
    assert_eq!(made.status, 303, "{}", made.text());
    assert!(is_in(&mut ann));

    // In another browser, and again.
    let mut laptop = neighbours.site.browser();
    let back = neighbours.come(&mut laptop, "google", ANN);
    assert_eq!((back.status, back.location()), (303, "/settings/profile"), "{}", back.text());
    assert!(is_in(&mut laptop));

    // An organisation's address is good, too; anybody else's needs a code.
    for (email, username, leads_to) in
        [("bea@firm.example", "bea-firm", "/settings/profile"), ("cy@example.net", "cy-cyan", "/verify")]
    {
        let mut browser = neighbours.site.browser();
        neighbours.come(&mut browser, "google", email);
        let made = become_somebody(&mut browser, username, email);
        assert_eq!((made.status, made.location()), (303, leads_to), "{email}: {}", made.text());
    }
}

#[test]
fn somebody_comes_in_from_github_after_a_code_to_their_address() {
    let neighbours = Neighbours::new();
    let mut ann = neighbours.site.browser();
    neighbours.come(&mut ann, "github", "annhub");
    assert_eq!(ann.get("/oauth/sign-up").value_of("name=\"email\""), HUB);
    let made = become_somebody(&mut ann, "ann-hub", HUB);
    assert_eq!((made.status, made.location()), (303, "/verify"), "{}", made.text());
    assert!(!is_in(&mut ann), "of no use before the proof");
    let code = neighbours.site.mailbox().wait_for(HUB, "code").code();
    ann.submit("/verify", "/verify", &[("code", &code)]);
    assert!(is_in(&mut ann));

    let mut laptop = neighbours.site.browser();
    neighbours.come(&mut laptop, "github", "annhub");
    assert!(is_in(&mut laptop));
}

#[test]
fn somebody_comes_in_from_apple_whose_form_brings_no_cookie_and_the_name_once() {
    let mut neighbours = Neighbours::new();
    let mut ann = neighbours.site.browser();
    let answered = neighbours.choose(&mut ann, "apple", APPLE);
    assert!(answered.fields().iter().any(|(name, _)| name == "user"), "the name comes the first time");
    let back = neighbours.bring(&mut ann, &answered);
    assert_eq!((back.status, back.location()), (303, "/oauth/sign-up"), "{}", back.text());
    let made = become_somebody(&mut ann, "ann-apple", "");
    assert_eq!((made.status, made.location()), (303, "/settings/profile"), "{}", made.text());
    let profile = ann.get("/settings/profile");
    assert_eq!(profile.value_of("name=\"display_name\""), "Ann Apple");

    let mut laptop = neighbours.site.browser();
    let answered = neighbours.choose(&mut laptop, "apple", APPLE);
    assert!(answered.fields().iter().all(|(name, _)| name != "user"));
    neighbours.bring(&mut laptop, &answered);
    assert!(is_in(&mut laptop));
    assert_eq!(laptop.get("/settings/profile").value_of("name=\"display_name\""), "Ann Apple");

    // A secret of its own for every exchange, each signed with the key of the file.
    let seen = neighbours.beside.tell(&json!({"seen": "apple"}));
    let exchanges: Vec<&str> = seen
        .as_array()
        .unwrap()
        .iter()
        .filter(|asked| asked["path"] == "/auth/token")
        .map(|asked| asked["body"].as_str().unwrap())
        .collect();
    assert_eq!(exchanges.len(), 2);
    let issuer = neighbours.url("apple");
    for body in exchanges {
        let secret = body.split('&').find_map(|pair| pair.strip_prefix("client_secret=")).unwrap();
        let good = neighbours.beside.tell(&json!({"secret": secret}));
        assert_eq!((&good["header"]["alg"], &good["header"]["kid"]), (&json!("ES256"), &json!("KEY0000001")));
        let claims = &good["payload"];
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("TEAM000001"), &json!("com.example.d")));
        assert_eq!(claims["aud"], json!(issuer));
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!(life <= 15_777_000, "Apple takes half a year at most: {life}");
    }
}

#[test]
fn apples_relay_address_is_an_address() {
    let neighbours = Neighbours::new();
    let mut ann = neighbours.site.browser();
    neighbours.come(&mut ann, "apple", "hidden@icloud.com");
    let shown = ann.get("/oauth/sign-up");
    let relay = shown.value_of("name=\"email\"");
    assert!(relay.ends_with("@privaterelay.appleid.com"), "{relay}");
    let made = become_somebody(&mut ann, "ann-hidden", "");
    assert_eq!((made.status, made.location()), (303, "/settings/profile"), "{}", made.text());
    neighbours.site.mailbox().wait_for(&relay, "Welcome");
}

#[test]
fn o1_apples_form_decides_nothing_and_counts_once_in_the_browser_that_left() {
    let neighbours = Neighbours::new();
    let mut ann = neighbours.site.browser();
    neighbours.come(&mut ann, "apple", APPLE);
    become_somebody(&mut ann, "ann-apple", "");

    let mut laptop = neighbours.site.browser();
    let answered = neighbours.choose(&mut laptop, "apple", APPLE);
    let before = neighbours.rows();
    let posted = neighbours.post(&answered);
    assert!(posted.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("set-cookie")), "{posted:?}");
    assert_eq!(neighbours.rows(), before);

    // Somebody who reads the form's state over the wire has another browser.
    let mut thief = neighbours.site.browser();
    thief.get("/signin");
    let refused = thief.get(posted.location());
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(!is_in(&mut thief));
    assert_eq!(neighbours.rows(), before);

    laptop.get(posted.location());
    assert!(is_in(&mut laptop));
    for again in [posted.location().to_owned(), neighbours.post(&answered).location().to_owned()] {
        let mut other = laptop.clone();
        other.cookies.remove("__Host-session");
        assert_eq!(other.get(&again).status, 400, "{again}");
        assert!(!is_in(&mut other), "a state counts once");
    }

    // What fits nothing is dropped, whatever it is.
    let before = neighbours.rows();
    let long = "x".repeat(20_000);
    for fields in [
        vec![],
        vec![("state", "x"), ("code", "y")],
        vec![("state", "\r\nSet-Cookie: a=b"), ("code", "y")],
        vec![("state", "x"), ("code", long.as_str())],
    ] {
        let posted = neighbours.site.call("POST", "/oauth/apple/callback").form(&fields).send();
        assert!(matches!(posted.status, 303 | 400), "{fields:?}: {}", posted.status);
        assert!(posted.location().is_empty() || posted.location().starts_with("/oauth/apple/finish?state="));
    }
    for other in ["google", "github", "corp"] {
        let path = format!("/oauth/{other}/callback");
        assert_eq!(neighbours.site.call("POST", &path).form(&[("state", "x")]).send().status, 404, "{other}");
    }
    assert_eq!(neighbours.rows(), before);
}

#[test]
fn buttons_are_shown_for_what_is_configured_and_nothing_else() {
    let neighbours = Neighbours::new();
    let mut browser = neighbours.site.browser();
    let plain = Appliance::running();
    for page in ["/signin", "/signup"] {
        let shown = browser.get(page).text();
        let nothing = plain.browser().get(page).text();
        for name in ["google", "github", "apple"] {
            assert!(shown.contains(&format!("/oauth/{name}/start")), "{page} {name}");
            assert!(!nothing.contains("/oauth/"), "{page} {name}");
        }
    }
    for path in ["/oauth/google/start", "/oauth/google/callback", "/oauth/google/finish", "/oauth/corp/start"] {
        assert_eq!(plain.browser().get(path).status, 404, "{path}");
    }
}

#[test]
fn check_tells_who_may_vouch_and_no_secret() {
    let neighbours = Neighbours::new();
    let told = neighbours.site.run(&["check"]).ok();
    for name in ["google", "github", "apple"] {
        assert!(told.contains(&neighbours.url(name)), "{name}: {told}");
    }
    for secret in ["gsec", "hsec", "PRIVATE KEY"] {
        assert!(!told.contains(secret) && !neighbours.site.log().contains(secret), "{secret}");
    }
}

/// Row 34 of the fault catalogue.
#[test]
fn a_provider_that_never_answers_holds_up_nobody_else() {
    let tar = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Appliance::running_with(&format!(
        "[oauth.oidc.tar]\nclient_id = \"x\"\nclient_secret = \"y\"\nissuer = \"http://{}\"\n",
        tar.local_addr().unwrap()
    ));
    site.account("ada-l");
    let slow = site.call("GET", "/oauth/tar/start");
    let slow = std::thread::spawn(move || slow.send());
    let (held, _) = tar.accept().unwrap();

    let mut ada = site.browser();
    ada.sign_in("ada-l");
    assert!(is_in(&mut ada));
    assert!(!slow.is_finished(), "others came in while it waited");
    let told = slow.join().unwrap();
    assert_eq!(told.status, 503, "{}", told.text());
    assert!(told.text().contains("Tar does not answer") && told.text().contains("name=\"password\""));
    drop(held);
}

#[test]
fn a_provider_that_is_down_leaves_the_other_ways_in_open() {
    let mut neighbours = Neighbours::new();
    neighbours.site.account("ada-l");
    let mut ann = neighbours.site.browser();
    let answered = neighbours.choose(&mut ann, "google", ANN);
    // It goes away while somebody is there.
    let gone = HelperProcess::provider("lookalikes.mjs", &json!({}));
    neighbours.beside = gone.0;
    let back = neighbours.bring(&mut ann, &answered);
    assert_eq!(back.status, 503, "{}", back.text());
    assert!(!back.header("retry-after").is_empty());
    assert!(back.text().contains("Google does not answer") && back.text().contains("name=\"password\""));
    let left = ann.get("/oauth/github/start");
    assert_eq!(left.status, 303, "GitHub needs no metadata: browsers find out");
    let left = neighbours.site.browser().get("/oauth/apple/start");
    assert_eq!(left.status, 503, "{}", left.text());
    ann.sign_in("ada-l");
    assert!(is_in(&mut ann));
}

#[test]
fn security_connects_and_disconnects() {
    let neighbours = Neighbours::new();
    neighbours.site.account("ada-l");
    let mut ada = neighbours.site.browser();
    ada.sign_in("ada-l");
    let page = ada.get("/settings/security").text();
    assert!(page.contains("Connected accounts") && page.contains("Connect Google"), "{page}");

    let start = "/oauth/google/start?purpose=connect&next=/settings/security";
    let answered = neighbours.choose_from(&mut ada, start, "google", ANN);
    let back = neighbours.bring(&mut ada, &answered);
    assert_eq!((back.status, back.location()), (303, "/oauth/connect"), "{}", back.text());
    assert!(ada.get("/oauth/connect").text().contains(ANN));
    assert!(!ada.get("/settings/security").text().contains("Disconnect"), "a form asks first");
    let connected = ada.submit("/oauth/connect", "/oauth/connect", &[]);
    assert_eq!((connected.status, connected.location()), (303, "/settings/security"), "{}", connected.text());
    let page = ada.get("/settings/security");
    assert!(page.text().contains(ANN) && !page.text().contains("Connect Google"), "{}", page.text());

    let mut laptop = neighbours.site.browser();
    neighbours.come(&mut laptop, "google", ANN);
    assert!(is_in(&mut laptop));
    let text = page.text();
    let (_, rest) = text.split_once("/settings/security/identities/").unwrap();
    let path = format!("/settings/security/identities/{}", rest.split('"').next().unwrap());
    let csrf = page.value_of("name=\"csrf\"");
    let off = ada.post(&path, &[("csrf", &csrf)]);
    assert_eq!((off.status, off.location()), (303, "/settings/security"), "{}", off.text());
    assert!(!is_in(&mut laptop), "what came in by it is out");
    let back = neighbours.come(&mut laptop, "google", ANN);
    assert_ne!(back.location(), "/settings/profile", "it opens nothing any more");
}
