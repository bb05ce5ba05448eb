//! HTTP requests, and a browser without JavaScript that keeps cookies and sends forms.

use std::collections::BTreeMap;

use super::form::{Form, forms, unescape};
use super::mailbox::{Mailbox, Message};

/// The password of all people in the tests.
pub const PASSWORD: &str = "correct horse, no battery";

/// A request.
#[derive(Clone)]
pub struct Call {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A response.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// For messages of tests: the body as text, after the headers.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {:?}", self.status, self.headers)?;
        f.write_str(&String::from_utf8_lossy(&self.body))
    }
}

impl Call {
    pub fn new(port: u16, method: &str, path: &str) -> Self {
        Self::to(&format!("http://127.0.0.1:{port}{path}"), method)
    }

    /// A request to another server.
    pub fn to(url: &str, method: &str) -> Self {
        Self { url: url.to_owned(), method: method.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, credential: &str) -> Self {
        self.header("Authorization", &format!("Bearer {credential}"))
    }

    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let text: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.header("Content-Type", "application/x-www-form-urlencoded").body(text.join("&"))
    }

    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// Sends the request. Redirects are not followed.
    pub fn send(self) -> Answer {
        self.try_send().unwrap_or_else(|error| panic!("the request failed: {error}"))
    }

    /// As [`Call::send`], if the server may be gone.
    pub fn try_send(self) -> Result<Answer, ureq::Error> {
        self.try_send_over(&Self::agent())
    }

    /// As [`Call::send`], over kept connections, for thousands of requests.
    pub fn send_over(self, agent: &ureq::Agent) -> Answer {
        self.try_send_over(agent).unwrap_or_else(|error| panic!("the request failed: {error}"))
    }

    /// Keeps connections open from one call to the next.
    pub fn agent() -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .timeout_global(Some(std::time::Duration::from_secs(60)))
            // Each request fills its buffers with zeros, byte by byte in a debug build. The defaults are 128 KiB each.
            .input_buffer_size(16 << 10)
            .output_buffer_size(16 << 10)
            .build()
            .into()
    }

    /// As [`Call::try_send`], over kept connections.
    pub fn try_send_over(self, agent: &ureq::Agent) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = agent.run(request.body(self.body)?)?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec()?;
        let answer = Answer { status, headers, body };
        super::described::check(&self.method, &self.url, &answer);
        Ok(answer)
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The target of the redirect.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The hidden fields of the forms in the page, as a browser would send them.
    pub fn fields(&self) -> Vec<(String, String)> {
        let text = self.text();
        let hidden = text.split('<').filter(|tag| tag.starts_with("input type=\"hidden\""));
        let part = |tag: &str, name: &str| {
            let (_, rest) = tag.split_once(&format!("{name}=\""))?;
            Some(unescape(rest.split('"').next().unwrap_or_default()))
        };
        hidden.filter_map(|tag| Some((part(tag, " name")?, part(tag, " value")?))).collect()
    }

    /// The forms of the page.
    pub fn forms(&self) -> Vec<Form> {
        forms(&self.text())
    }

    /// The value of the first input or output in the page with this attribute text, such as `name="csrf"`.
    pub fn value_of(&self, attribute: &str) -> String {
        let text = self.text();
        let tag = text.split('<').find(|tag| tag.contains(attribute));
        let tag = tag.unwrap_or_else(|| panic!("no element with {attribute} in\n{text}"));
        match tag.split_once("value=\"") {
            Some((_, rest)) => rest.split('"').next().unwrap_or_default().to_owned(),
            None => tag.split_once('>').map(|(_, content)| content.trim().to_owned()).unwrap_or_default(),
        }
    }
}

/// Percent-encodes all characters except letters and digits.
pub fn encode(text: &str) -> String {
    let one =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// A browser without JavaScript.
#[derive(Clone)]
pub struct Browser {
    port: u16,
    pub cookies: BTreeMap<String, String>,
    /// All `Set-Cookie` headers that it got, unchanged.
    pub set_cookies: Vec<String>,
}

impl Browser {
    pub fn at(port: u16) -> Self {
        Self { port, cookies: BTreeMap::new(), set_cookies: Vec::new() }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        let answer = self.call("GET", path).send();
        self.keep(&answer);
        answer
    }

    /// Opens `page`, fills in its form for `action` and sends it, with the hidden fields of that form.
    pub fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let opened = self.get(page);
        assert_eq!(opened.status, 200, "{page} did not open: {} {}", opened.status, opened.location());
        self.submit_open(&opened, page, action, fields)
    }

    /// As [`Browser::submit`], with a page that is already open.
    pub fn submit_open(&mut self, opened: &Answer, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let path = page.split('?').next().unwrap_or_default();
        let forms = opened.forms();
        let form = forms.iter().find(|form| form.is_sent_to(path, action));
        let form = form.unwrap_or_else(|| panic!("{page} has no form for {action}, only {forms:#?}"));
        let is_given = |name: &str| fields.iter().any(|(given, _)| *given == name);
        let hidden = form.hidden.iter().filter(|(name, _)| !is_given(name));
        let mut all: Vec<(&str, &str)> = hidden.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(fields);
        self.post(action, &all)
    }

    /// Sends a form that `page` does not have, with the token of the session: what an attacker on the page, or a test
    /// of a forgotten button, would send.
    pub fn submit_unlisted(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let opened = self.get(page);
        assert_eq!(opened.status, 200, "{page} did not open: {} {}", opened.status, opened.location());
        let forms = opened.forms();
        assert!(!forms.iter().any(|form| form.is_sent_to(page, action)), "{page} has the form for {action}: submit it");
        let csrf = forms.iter().find_map(|form| form.hidden("csrf")).unwrap_or_else(|| panic!("{page} has no form"));
        let mut all = vec![("csrf", csrf)];
        all.extend(fields);
        self.post(action, &all)
    }

    /// Sends a form of a page that is already open.
    pub fn post(&mut self, action: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.call("POST", action).header("Sec-Fetch-Site", "same-origin").form(fields).send();
        self.keep(&answer);
        answer
    }

    /// Sets up an authenticator app for the person who is signed in, with its code at this time. Answers its secret.
    pub fn set_up_app(&mut self, unix_seconds: i64) -> String {
        const TOTP: &str = "/settings/security/totp";
        self.submit("/settings/security", "/settings/security/totp/new", &[]);
        let secret = self.get(TOTP).value_of("id=\"totp-secret\"").replace(' ', "");
        let code = super::oath_code(&secret, unix_seconds);
        let answer = self.submit(TOTP, TOTP, &[("code", &code)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        secret
    }

    /// The page that a redirect leads to.
    #[track_caller]
    pub fn follow(&mut self, answer: &Answer) -> Answer {
        assert_eq!(answer.status, 303, "{}", answer.text());
        self.get(answer.location().split('#').next().unwrap_or_default())
    }

    /// A request with this browser's cookies.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let cookies = self.cookie_header();
        let call =
            Call::new(self.port, method, path).header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0");
        if cookies.is_empty() { call } else { call.header("Cookie", &cookies) }
    }

    /// The `Cookie` header that it sends.
    pub fn cookie_header(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            self.set_cookies.push(cookie.clone());
            let (pair, rest) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Signs in with [`PASSWORD`].
    pub fn sign_in(&mut self, name: &str) -> Answer {
        let answer = self.submit("/signin", "/signin", &[("name", name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer
    }

    /// Signs up, reads the mail and verifies the address.
    pub fn sign_up(&mut self, mailbox: &Mailbox, username: &str) -> Message {
        let email = format!("{username}@example.org");
        let fields = [("email", email.as_str()), ("username", username), ("password", PASSWORD)];
        let answer = self.submit("/signup", "/signup", &fields);
        assert_eq!((answer.status, answer.location()), (303, "/verify"), "{}", answer.text());
        let message = mailbox.wait_for(&email, "code");
        let answer = self.submit("/verify", "/verify", &[("code", &message.code())]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        message
    }
}
