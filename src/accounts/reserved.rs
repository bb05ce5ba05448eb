//! Names nobody may take as a username.

/// First path segments of our routes (a test compares them with the router), role names of RFC 2142, and words that
/// would let a person pose as the house.
const RESERVED: &[&str] = &[
    // Routes.
    ".well-known", "activity", "admin", "api", "assets", "demo", "forgot", "healthz", "oauth", "readyz", "reset",
    "settings", "signin", "signout", "signup", "theme", "v1", "verify", "metrics", "favicon.ico", "robots.txt",
    // RFC 2142.
    "abuse", "hostmaster", "info", "marketing", "news", "noc", "postmaster", "root", "sales", "security", "support",
    "usenet", "uucp", "webmaster", "www", "ftp",
    // The house and its parts.
    "account", "accounts", "administrator", "billing", "deleted", "docs", "domicile", "everyone", "explore", "former-member",
    "help", "house", "keys", "login", "logout", "mail", "member", "members", "nobody", "none", "null", "official",
    "operator", "operators", "owner", "privacy", "profile", "register", "staff", "status", "system", "team", "teams",
    "trash", "undefined", "usage", "user", "users", "workspace", "workspaces",
];

/// Whether the name is kept back. The name is folded already.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}
