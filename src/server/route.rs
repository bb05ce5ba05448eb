//! What is known about a route. The router, the middleware, the fast path, the sidebar and the tests all read this
//! record, so that a fact about a route is written once, in `routes.rs`.

use crate::base::RequestClass;
use crate::http::page::SidebarEntry;

/// The largest body in bytes: enough for forms and small JSON bodies. A route that accepts more says so.
pub(super) const BODY_MAX: usize = 64 * 1024;

/// Who may use a route. The extractor in the handler's signature enforces it; a test compares both by sending requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A visitor with a pending sign-in or sign-up, which a cookie names. Others are told that it is over, or redirected
    /// to the sign-in page.
    Pending,
    /// A person in a session; others are redirected to the sign-in page.
    SignedIn,
    /// Like [`Access::SignedIn`], but the last proof of identity must be at most `session.step_up_after` old; otherwise
    /// the person is asked for a new one.
    Fresh,
    /// An operator in a session, with a second factor, who proved who they are or used the console in the last 15 minutes
    /// ([`crate::base::CONSOLE_IDLE`]). For other persons there is no such path.
    Operator,
    /// Like [`Access::Operator`], and the last proof must be recent, as for [`Access::Fresh`].
    FreshOperator,
    /// The holder of an API key with one of these scopes. Without a valid key the answer is 401, without the scope 403.
    /// If there are several scopes, the handler requires the one for the resource type that the request names.
    KeyHolder(&'static [&'static str]),
    /// A connected service; others get 401.
    Service,
    /// A gateway on a trusted network, or a service. It asks about the requests of others.
    Gateway,
    /// Anyone, but only in a demonstration.
    Demo,
}

impl Access {
    /// Whether it is a page or a form of the operator console.
    pub const fn is_console(self) -> bool {
        matches!(self, Self::Operator | Self::FreshOperator)
    }

    /// Whether a change needs a recent proof of identity.
    pub const fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh | Self::FreshOperator)
    }
}

/// Who asks for a path: decides the format of a fault and what has to be known about the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// A person with a browser. Faults are pages.
    Page,
    /// A service or a probe. Faults are problem+json (RFC 9457).
    Service,
    /// A gateway that asks about a request it has received. Like a service, but that request may belong to a person in
    /// a session.
    Gateway,
    /// The reference's client. Faults are `{"error": …}`.
    KeyHolder,
}

impl ClientKind {
    /// Who asks for the paths with this beginning, also for those that no route has.
    pub const fn of_path(path: &str) -> Self {
        if starts_with(path, "/api/") {
            Self::KeyHolder
        } else if starts_with(path, "/v1/") || starts_with(path, "/.well-known/") {
            Self::Service
        } else {
            Self::Page
        }
    }
}

/// A question that the fast path answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastAnswer {
    /// A gateway: may this request pass?
    ForwardAuth,
    /// A service: is this key good?
    Introspect,
}

/// A route: who may use it, and what the server does before and after its handler.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method. A route for GET also answers HEAD.
    pub method: &'static str,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may use the route.
    pub access: Access,
    /// Who asks for it.
    pub client: ClientKind,
    /// Whether the body is a form of one of our pages, with the CSRF token of that page.
    pub needs_csrf_token: bool,
    /// Its form signs a person in, so that it gives way to a session that another window of the browser has begun meanwhile,
    /// unless one of these fields has a value. `None`: it does not sign in.
    pub gives_way_unless: Option<&'static [&'static str]>,
    /// Whether it is open to a person who must set up a second factor first: the pages for that, and signing out.
    pub is_open_without_factor: bool,
    /// Whether a request counts as use of the session. `false` for requests that the script of a page sends by itself.
    pub touches_session: bool,
    /// Whether the handler has to know the network address of a program. Pages always know it.
    pub needs_visitor: bool,
    /// The entry in the sidebar. `None`: it has none.
    pub sidebar: Option<SidebarEntry>,
    /// What the fast path answers here. `None`: only the router answers.
    pub fast_answer: Option<FastAnswer>,
    /// Whether the handler answers all methods, at this path and at every path below it.
    pub has_subpaths: bool,
    /// The largest body in bytes.
    pub body_max: usize,
    /// How its requests are counted. `None`: as the client says.
    pub counted_as: Option<RequestClass>,
    /// Whether it changes nothing, although its method says so.
    pub only_asks: bool,
    /// What a person does with it, as the page that asks for a proof says it: "create an API key".
    pub act: Option<&'static str>,
}

/// One function for each rule that a line of the table can have.
impl Route {
    pub(super) const fn new(method: &'static str, path: &'static str, access: Access) -> Self {
        let client = ClientKind::of_path(path);
        let is_post = starts_with(method, "POST");
        Self {
            method,
            path,
            access,
            client,
            needs_csrf_token: is_post && matches!(client, ClientKind::Page),
            gives_way_unless: None,
            is_open_without_factor: false,
            touches_session: true,
            needs_visitor: matches!(client, ClientKind::Page | ClientKind::KeyHolder),
            sidebar: None,
            fast_answer: None,
            has_subpaths: false,
            body_max: BODY_MAX,
            counted_as: None,
            only_asks: false,
            act: None,
        }
    }

    /// This kind of client asks, although the path looks like that of another kind.
    pub(super) const fn client(mut self, client: ClientKind) -> Self {
        self.client = client;
        self
    }

    /// Another site sends the form. It is bound to the browser in another way.
    pub(super) const fn form_of_another_site(mut self) -> Self {
        self.needs_csrf_token = false;
        self
    }

    /// Its form signs a person in.
    pub(super) const fn signs_in(mut self) -> Self {
        self.gives_way_unless = Some(&[]);
        self
    }

    /// Its form signs a person in; with one of these fields as somebody else than who is signed in.
    pub(super) const fn signs_in_anew_with(mut self, fields: &'static [&'static str]) -> Self {
        self.gives_way_unless = Some(fields);
        self
    }

    pub(super) const fn open_without_factor(mut self) -> Self {
        self.is_open_without_factor = true;
        self
    }

    pub(super) const fn does_not_touch_session(mut self) -> Self {
        self.touches_session = false;
        self
    }

    pub(super) const fn visitor(mut self) -> Self {
        self.needs_visitor = true;
        self
    }

    pub(super) const fn sidebar(mut self, group: &'static str, label: &'static str, icon: &'static str) -> Self {
        let is_for_operators = self.access.is_console();
        self.sidebar = Some(SidebarEntry { path: self.path, group, label, icon, is_for_operators });
        self
    }

    pub(super) const fn counted(mut self, class: RequestClass) -> Self {
        self.counted_as = Some(class);
        self
    }

    pub(super) const fn fast(mut self, answer: FastAnswer) -> Self {
        self.fast_answer = Some(answer);
        self.counted_as = Some(RequestClass::Verify);
        self
    }

    /// It changes nothing: a question that needs a body.
    pub(super) const fn only_asks(mut self) -> Self {
        self.only_asks = true;
        self
    }

    pub(super) const fn act(mut self, act: &'static str) -> Self {
        self.act = Some(act);
        self
    }

    pub(super) const fn subpaths(mut self) -> Self {
        self.has_subpaths = true;
        self
    }

    pub(super) const fn body(mut self, bytes: usize) -> Self {
        self.body_max = bytes;
        self
    }
}

impl Route {
    /// Whether it belongs to the API, which the OpenAPI document describes. Other routes are pages.
    pub fn is_api(&self) -> bool {
        self.client != ClientKind::Page || ClientKind::of_path(self.path) != ClientKind::Page
    }

    /// Whether it is a write of a service, which can be repeated with the header `Idempotency-Key`.
    pub fn is_write(&self) -> bool {
        self.access == Access::Service && self.method != "GET" && !self.only_asks
    }

    /// How a request of this client at this route is counted.
    pub(super) fn class(client: ClientKind, route: Option<&Self>) -> RequestClass {
        let usual = if client == ClientKind::Page { RequestClass::Page } else { RequestClass::Api };
        route.and_then(|route| route.counted_as).unwrap_or(usual)
    }

    /// Whether this route answers requests with this method.
    pub(super) fn answers(&self, method: &str) -> bool {
        self.has_subpaths || self.method == method || (self.method == "GET" && method == "HEAD")
    }
}

/// The route among `routes` that the fast path answers with `answer`.
///
/// # Panics
/// There is none. It runs when the program is compiled.
pub(super) const fn fast_route(routes: &'static [Route], answer: FastAnswer) -> &'static Route {
    let mut next = 0;
    while next < routes.len() {
        if let Some(known) = routes[next].fast_answer
            && known as u8 == answer as u8
        {
            return &routes[next];
        }
        next += 1;
    }
    // A compile error: the table has no such route.
    panic!("no route has this answer")
}

const fn starts_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut next = 0;
    while next < start.len() {
        if next >= text.len() || text[next] != start[next] {
            return false;
        }
        next += 1;
    }
    true
}
