//! Sign-in with Google, GitHub and Apple: emulated providers with their own paths, and the real program.

use serde_json::{Value, json};

use crate::support::{Answer, Appliance, Browser, Call, HelperProcess};
use crate::texts::page_is_same;

/// An appliance and the three emulated providers.
pub struct EmulatedProviders {
    pub site: Appliance,
    process: HelperProcess,
    urls: Value,
}

const ANN: &str = "ann.lee@gmail.com";
const HUB: &str = "ann@example.net";
const APPLE: &str = "ann@icloud.com";

impl EmulatedProviders {
    pub fn new() -> Self {
        let site = Appliance::configured("");
        let back = |name: &str| json!([format!("{}/oauth/{name}/callback", site.url())]);
        let (process, urls) = HelperProcess::provider(
            "emulated.mjs",
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
        let mut providers = Self { site, process, urls };
        providers.configure_and_start();
        providers
    }

    pub fn url(&self, name: &str) -> String {
        self.urls[name].as_str().unwrap().to_owned()
    }

    /// Writes the settings and starts the appliance.
    fn configure_and_start(&mut self) {
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

    /// Goes to a provider and chooses an account there: the answer of the provider.
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
        // The form of the first account, with the wanted account in it.
        let mut fields: Vec<(String, String)> = Vec::new();
        for (known, value) in shown.fields() {
            if !fields.iter().any(|(other, _)| *other == known) {
                fields.push((known.clone(), if known == field { account.to_owned() } else { value }));
            }
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Call::to(&format!("{}{path}", self.url(name)), "POST").form(&fields).send()
    }

    /// The whole trip to the provider and back: the answer of the appliance.
    fn round_trip(&self, browser: &mut Browser, name: &str, account: &str) -> Answer {
        let response = self.choose(browser, name, account);
        self.follow_back(browser, &response)
    }

    /// The browser follows the answer of the provider.
    fn follow_back(&self, browser: &mut Browser, response: &Answer) -> Answer {
        if response.status == 302 {
            return browser.get(self.path(response.location()));
        }
        let posted = self.post(response);
        assert_eq!(posted.status, 303, "{}", posted.text());
        browser.get(posted.location())
    }

    fn path<'a>(&self, url: &'a str) -> &'a str {
        url.strip_prefix(self.site.url().as_str()).unwrap_or_else(|| panic!("{url} leads elsewhere"))
    }

    /// Apple's page sends its form across sites, so without our cookies.
    fn post(&self, page: &Answer) -> Answer {
        let fields = page.fields();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = self.site.call("POST", "/oauth/apple/callback").header("Origin", &self.url("apple"));
        call.header("Sec-Fetch-Site", "cross-site").form(&fields).send()
    }

    /// The number of rows by table, from the manifest of a snapshot.
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

/// Submits the sign-up form.
fn sign_up(browser: &mut Browser, username: &str, email: &str) -> Answer {
    browser.submit("/oauth/sign-up", "/oauth/sign-up", &[("username", username), ("email", email)])
}

#[test]
fn people_sign_up_with_google_without_a_code_for_its_own_addresses() {
    let providers = EmulatedProviders::new();
    let mut ann = providers.site.browser();
    let back = providers.round_trip(&mut ann, "google", ANN);
    assert_eq!((back.status, back.location()), (303, "/oauth/sign-up"), "{}", back.text());
    assert!(!is_in(&mut ann));
    let form = ann.get("/oauth/sign-up");
    assert_eq!(form.value_of("name=\"username\""), "ann-lee");
    assert!(form.text().contains("no code is needed"));
    page_is_same("oauth.sign-up", &form);
    let made = sign_up(&mut ann, "ann-lee", "");
    assert_eq!(made.status, 303, "{}", made.text());
    assert!(is_in(&mut ann));

    // Again, in another browser.
    let mut laptop = providers.site.browser();
    let back = providers.round_trip(&mut laptop, "google", ANN);
    assert_eq!((back.status, back.location()), (303, "/settings/profile"), "{}", back.text());
    assert!(is_in(&mut laptop));

    // The address of an organization needs no code either; any other address needs one.
    for (email, username, leads_to) in
        [("bea@firm.example", "bea-firm", "/settings/profile"), ("cy@example.net", "cy-cyan", "/verify")]
    {
        let mut browser = providers.site.browser();
        providers.round_trip(&mut browser, "google", email);
        let made = sign_up(&mut browser, username, email);
        assert_eq!((made.status, made.location()), (303, leads_to), "{email}: {}", made.text());
    }
}

#[test]
fn people_sign_up_with_github_after_a_code_to_their_address() {
    let providers = EmulatedProviders::new();
    let mut ann = providers.site.browser();
    providers.round_trip(&mut ann, "github", "annhub");
    assert_eq!(ann.get("/oauth/sign-up").value_of("name=\"email\""), HUB);
    let made = sign_up(&mut ann, "ann-hub", HUB);
    assert_eq!((made.status, made.location()), (303, "/verify"), "{}", made.text());
    assert!(!is_in(&mut ann), "not usable before it is verified");
    let code = providers.site.mailbox().wait_for(HUB, "code").code();
    ann.submit("/verify", "/verify", &[("code", &code)]);
    assert!(is_in(&mut ann));

    let mut laptop = providers.site.browser();
    providers.round_trip(&mut laptop, "github", "annhub");
    assert!(is_in(&mut laptop));
}

#[test]
fn people_sign_up_with_apple_whose_form_has_no_cookie_and_the_name_only_once() {
    let mut providers = EmulatedProviders::new();
    let mut ann = providers.site.browser();
    let response = providers.choose(&mut ann, "apple", APPLE);
    assert!(response.fields().iter().any(|(name, _)| name == "user"), "the first form has the name");
    let back = providers.follow_back(&mut ann, &response);
    assert_eq!((back.status, back.location()), (303, "/oauth/sign-up"), "{}", back.text());
    let made = sign_up(&mut ann, "ann-apple", "");
    assert_eq!((made.status, made.location()), (303, "/settings/profile"), "{}", made.text());
    let profile = ann.get("/settings/profile");
    assert_eq!(profile.value_of("name=\"display_name\""), "Ann Apple");

    let mut laptop = providers.site.browser();
    let response = providers.choose(&mut laptop, "apple", APPLE);
    assert!(response.fields().iter().all(|(name, _)| name != "user"));
    providers.follow_back(&mut laptop, &response);
    assert!(is_in(&mut laptop));
    assert_eq!(laptop.get("/settings/profile").value_of("name=\"display_name\""), "Ann Apple");

    // Each exchange has its own client secret, signed with the key of the file.
    let seen = providers.process.request(&json!({"seen": "apple"}));
    let exchanges: Vec<&str> = seen
        .as_array()
        .unwrap()
        .iter()
        .filter(|asked| asked["path"] == "/auth/token")
        .map(|asked| asked["body"].as_str().unwrap())
        .collect();
    assert_eq!(exchanges.len(), 2);
    let issuer = providers.url("apple");
    for body in exchanges {
        let secret = body.split('&').find_map(|pair| pair.strip_prefix("client_secret=")).unwrap();
        let good = providers.process.request(&json!({"secret": secret}));
        assert_eq!((&good["header"]["alg"], &good["header"]["kid"]), (&json!("ES256"), &json!("KEY0000001")));
        let claims = &good["payload"];
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("TEAM000001"), &json!("com.example.d")));
        assert_eq!(claims["aud"], json!(issuer));
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!(life <= 15_777_000, "Apple accepts at most half a year: {life}");
    }
}

#[test]
fn a_relay_address_of_apple_is_accepted() {
    let providers = EmulatedProviders::new();
    let mut ann = providers.site.browser();
    providers.round_trip(&mut ann, "apple", "hidden@icloud.com");
    let shown = ann.get("/oauth/sign-up");
    let relay = shown.value_of("name=\"email\"");
    assert!(relay.ends_with("@privaterelay.appleid.com"), "{relay}");
    let made = sign_up(&mut ann, "ann-hidden", "");
    assert_eq!((made.status, made.location()), (303, "/settings/profile"), "{}", made.text());
    providers.site.mailbox().wait_for(&relay, "Welcome");
}

#[test]
fn o1_the_form_of_apple_decides_nothing_and_counts_once_in_the_browser_that_started() {
    let providers = EmulatedProviders::new();
    let mut ann = providers.site.browser();
    providers.round_trip(&mut ann, "apple", APPLE);
    sign_up(&mut ann, "ann-apple", "");

    let mut laptop = providers.site.browser();
    let response = providers.choose(&mut laptop, "apple", APPLE);
    let before = providers.rows();
    let posted = providers.post(&response);
    assert!(posted.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("set-cookie")), "{posted:?}");
    assert_eq!(providers.rows(), before);

    // A thief who intercepts the state of the form has another browser.
    let mut thief = providers.site.browser();
    thief.get("/signin");
    let refused = thief.get(posted.location());
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(!is_in(&mut thief));
    assert_eq!(providers.rows(), before);

    laptop.get(posted.location());
    assert!(is_in(&mut laptop));
    for again in [posted.location().to_owned(), providers.post(&response).location().to_owned()] {
        let mut other = laptop.clone();
        other.cookies.remove("domicile-session");
        assert_eq!(other.get(&again).status, 400, "{again}");
        assert!(!is_in(&mut other), "a state counts once");
    }

    // A response that matches no request is dropped.
    let before = providers.rows();
    let long = "x".repeat(20_000);
    for fields in [
        vec![],
        vec![("state", "x"), ("code", "y")],
        vec![("state", "\r\nSet-Cookie: a=b"), ("code", "y")],
        vec![("state", "x"), ("code", long.as_str())],
    ] {
        let posted = providers.site.call("POST", "/oauth/apple/callback").form(&fields).send();
        assert!(matches!(posted.status, 303 | 400), "{fields:?}: {}", posted.status);
        assert!(posted.location().is_empty() || posted.location().starts_with("/oauth/apple/finish?state="));
    }
    for other in ["google", "github", "corp"] {
        let path = format!("/oauth/{other}/callback");
        assert_eq!(providers.site.call("POST", &path).form(&[("state", "x")]).send().status, 404, "{other}");
    }
    assert_eq!(providers.rows(), before);
}

#[test]
fn buttons_are_shown_for_configured_providers_only() {
    let providers = EmulatedProviders::new();
    let mut browser = providers.site.browser();
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
fn check_names_the_providers_and_no_secret() {
    let providers = EmulatedProviders::new();
    let answer = providers.site.run(&["check"]).ok();
    for name in ["google", "github", "apple"] {
        assert!(answer.contains(&providers.url(name)), "{name}: {answer}");
    }
    for secret in ["gsec", "hsec", "PRIVATE KEY"] {
        assert!(!answer.contains(secret) && !providers.site.log().contains(secret), "{secret}");
    }
}

/// Row 34 of the fault catalogue.
#[test]
fn a_provider_that_never_answers_delays_nobody_else() {
    let unresponsive = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Appliance::running_with(&format!(
        "[oauth.oidc.tar]\nclient_id = \"x\"\nclient_secret = \"y\"\nissuer = \"http://{}\"\n",
        unresponsive.local_addr().unwrap()
    ));
    site.account("ada-l");
    let slow = site.call("GET", "/oauth/tar/start");
    let slow = std::thread::spawn(move || slow.send());
    let (held, _) = unresponsive.accept().unwrap();

    let mut ada = site.browser();
    ada.sign_in("ada-l");
    assert!(is_in(&mut ada));
    assert!(!slow.is_finished(), "others signed in while it waited");
    let answer = slow.join().unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("Tar does not answer") && answer.text().contains("name=\"password\""));
    drop(held);
}

#[test]
fn the_other_sign_in_methods_work_while_a_provider_is_down() {
    let mut providers = EmulatedProviders::new();
    providers.site.account("ada-l");
    let mut ann = providers.site.browser();
    let response = providers.choose(&mut ann, "google", ANN);
    // The provider stops while the person is there.
    let gone = HelperProcess::provider("emulated.mjs", &json!({}));
    providers.process = gone.0;
    let back = providers.follow_back(&mut ann, &response);
    assert_eq!(back.status, 503, "{}", back.text());
    assert!(!back.header("retry-after").is_empty());
    assert!(back.text().contains("Google does not answer") && back.text().contains("name=\"password\""));
    let left = ann.get("/oauth/github/start");
    assert_eq!(left.status, 303, "GitHub needs no metadata, so only the browser notices");
    let left = providers.site.browser().get("/oauth/apple/start");
    assert_eq!(left.status, 503, "{}", left.text());
    ann.sign_in("ada-l");
    assert!(is_in(&mut ann));
}

#[test]
fn the_security_page_connects_and_disconnects() {
    let providers = EmulatedProviders::new();
    providers.site.account("ada-l");
    let mut ada = providers.site.browser();
    ada.sign_in("ada-l");
    let page = ada.get("/settings/security").text();
    assert!(page.contains("Connected accounts") && page.contains("Connect Google"), "{page}");

    let start = "/oauth/google/start?purpose=connect&next=/settings/security";
    let response = providers.choose_from(&mut ada, start, "google", ANN);
    let back = providers.follow_back(&mut ada, &response);
    assert_eq!((back.status, back.location()), (303, "/oauth/connect"), "{}", back.text());
    let form = ada.get("/oauth/connect");
    assert!(form.text().contains(ANN));
    page_is_same("oauth.connect", &form);
    assert!(!ada.get("/settings/security").text().contains("Disconnect"), "a form asks first");
    let connected = ada.submit("/oauth/connect", "/oauth/connect", &[]);
    assert_eq!(
        (connected.status, connected.location()),
        (303, "/settings/security#identities-card"),
        "{}",
        connected.text()
    );
    let page = ada.get("/settings/security");
    assert!(page.text().contains(ANN) && !page.text().contains("Connect Google"), "{}", page.text());

    let mut laptop = providers.site.browser();
    providers.round_trip(&mut laptop, "google", ANN);
    assert!(is_in(&mut laptop));
    let text = page.text();
    let (_, rest) = text.split_once("/settings/security/identities/").unwrap();
    let path = format!("/settings/security/identities/{}", rest.split('"').next().unwrap());
    let csrf = page.value_of("name=\"csrf\"");
    let off = ada.post(&path, &[("csrf", &csrf)]);
    assert_eq!((off.status, off.location()), (303, "/settings/security#identities-card"), "{}", off.text());
    assert!(!is_in(&mut laptop), "the session that it started has ended");
    let back = providers.round_trip(&mut laptop, "google", ANN);
    assert_ne!(back.location(), "/settings/profile", "it no longer signs in");
}

/// The scripted provider as `corp`, as `other`, whose metadata are about `corp`, and as GitHub.
fn scripted() -> (Appliance, HelperProcess) {
    let (process, ready) = HelperProcess::provider("scripted.mjs", &json!({"paths": ["/other"]}));
    let origin = ready["issuer"].as_str().unwrap();
    let site = Appliance::running_with(&format!(
        "[oauth.oidc.corp]\nlabel = \"Example Corp\"\nclient_id = \"domicile\"\nclient_secret = \"scripted-secret\"\n\
         issuer = \"{origin}\"\njwks_url = \"{origin}/keys\"\nallowed_domains = [\"example.org\"]\n\
         [oauth.oidc.other]\nclient_id = \"domicile\"\nclient_secret = \"scripted-secret\"\nissuer = \"{origin}/other\"\n\
         [oauth.github]\nclient_id = \"hid\"\nclient_secret = \"hsec\"\nissuer = \"{origin}\"\napi_url = \"{origin}/api\"\n\
         authorize_url = \"{origin}/authorize\"\n"
    ));
    (site, process)
}

#[test]
fn a_page_tells_the_person_what_to_do_and_the_log_tells_the_admin_what_was_wrong() {
    let (site, mut process) = scripted();
    let now = jiff::Timestamp::now().as_second();
    let person = json!({"sub": "1", "email": "ada@example.org", "email_verified": true, "name": "Ada"});
    let with = |claim: &str, value: Value| {
        let mut claims = person.clone();
        claims[claim] = value;
        json!({"claims": claims})
    };
    let lacks_emails = json!({"github": {
        "user": {"id": 7, "login": "ada"}, "emails_status": 403,
        "emails": {"message": "Resource not accessible by integration"},
    }});
    for (name, answers, status, said, logged) in [
        ("corp", with("aud", json!("another")), 400, "tell your operator", "member=aud"),
        ("corp", with("nbf", json!(now + 3600)), 400, "could not be verified", "member=nbf"),
        ("corp", with("email", json!("ada@example.net")), 403, "may sign in here", "member=email"),
        ("corp", with("email_verified", json!(false)), 403, "is verified, and this site requires it", "trust_emails"),
        ("corp", with("email", Value::Null), 403, "did not give this site your e-mail address", "scope email"),
        (
            "corp",
            json!({"claims": person, "accepts": "client_secret_post"}),
            503,
            "does not accept this site",
            "token_endpoint_auth_method",
        ),
        ("corp", json!({"redirect": {"error": "invalid_scope"}}), 400, "could not be verified", "member=error"),
        ("other", json!({"metadata": {"issuer": "http://x"}}), 503, "Other is not set up correctly", "its issuer is"),
        ("github", lacks_emails, 200, "GitHub did not tell this site your address", "Email addresses: read-only"),
    ] {
        process.request(&json!({"now": now, "answers": answers}));
        let mut browser = site.browser();
        let mut shown = browser.get(&format!("/oauth/{name}/start"));
        if shown.status == 303 {
            let back = Call::to(shown.location(), "GET").send();
            let path = back.location().strip_prefix(site.url().as_str()).expect("back to the site").to_owned();
            shown = browser.get(&path);
        }
        if shown.status == 303 {
            shown = browser.get("/oauth/sign-up");
        }
        let (text, log) = (shown.text(), site.log());
        assert_eq!(shown.status, status, "{name} {said}: {text}");
        assert!(text.contains(said), "{name} {said}: {text}");
        assert!(log.contains(logged), "{name} {logged}: {log}");
        assert!(!log.contains("ada@example") && !log.contains("scripted-secret"), "{name}: {log}");
        // Other ways to sign in are on the same page.
        assert!(status == 200 || text.contains("name=\"password\""), "{name}: {text}");
    }
}
