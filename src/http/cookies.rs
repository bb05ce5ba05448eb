//! Cookies. Their names begin with `__Host-`, so that no sibling domain can set them (RFC 6265bis §4.1.3.2).
//!
//! Browsers accept this prefix only for cookies that are `Secure`, and WebKit keeps no `Secure` cookie over http, not even
//! on this machine. So where the site itself is http, which is only possible on the loopback interface, cookies have plain
//! names outside. They are translated in the middleware, and nothing else knows.

use std::time::Duration;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// The beginning of all names.
const PREFIX: &str = "__Host-";
/// The beginning of all names where the site is http. All sites on this machine share their cookies, whatever the port.
const PLAIN_PREFIX: &str = "domicile-";

/// The session cookie.
pub const SESSION: &str = "__Host-session";

/// The device cookie: recognises a browser that its person has signed in with before. It grants no access.
pub const DEVICE: &str = "__Host-device";

/// A cookie for this host only: Secure, HttpOnly, SameSite=Lax, path `/`. `keep`: how long the browser keeps it;
/// `None`: until the browser is closed.
pub fn cookie(name: &'static str, value: String, keep: Option<Duration>) -> Cookie<'static> {
    let mut cookie =
        Cookie::build(name, value).path("/").secure(true).http_only(true).same_site(SameSite::Lax).finish();
    if let Some(keep) = keep {
        cookie.set_max_age(CookieDuration::seconds(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX)));
    }
    cookie
}

/// A cookie that makes the browser delete the one of this name.
pub fn forget(name: &'static str) -> Cookie<'static> {
    let mut expired = cookie(name, String::new(), None);
    expired.set_max_age(CookieDuration::ZERO);
    expired
}

/// Gives the cookies of a request the names that the server knows, where the site is http. Ignores others: a page at
/// another port of this machine may have set them.
pub fn take_plain_names(headers: &mut HeaderMap) {
    let renamed: Vec<String> = headers
        .get_all(header::COOKIE)
        // Another program on this machine may have set a cookie that is not ASCII.
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| Some(format!("{PREFIX}{}", pair.trim().strip_prefix(PLAIN_PREFIX)?)))
        .collect();
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_str(&renamed.join("; "))
        && !renamed.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Removes cookies with an encoded name, where the site is https. A sibling domain can set `%5F%5FHost-session`, because
/// browsers look at the name as it is written. The framework decodes names, so it would count as `__Host-session`.
pub fn drop_encoded_names(headers: &mut HeaderMap) {
    if !headers.get_all(header::COOKIE).any(|value| value.as_bytes().contains(&b'%')) {
        return;
    }
    let is_plain = |pair: &&[u8]| !pair.split(|byte| *byte == b'=').next().unwrap_or_default().contains(&b'%');
    let kept: Vec<Vec<u8>> = headers
        .remove(header::COOKIE)
        .map(|value| value.as_bytes().split(|byte| *byte == b';').filter(is_plain).collect::<Vec<_>>().join(&b';'))
        .collect();
    for value in kept.iter().filter_map(|value| HeaderValue::from_bytes(value.trim_ascii()).ok()) {
        headers.append(header::COOKIE, value);
    }
}

/// Gives the cookies of a response plain names without `Secure`, where the site is http.
pub fn give_plain_names(headers: &mut HeaderMap) {
    let set: Vec<HeaderValue> = headers.remove(header::SET_COOKIE).collect();
    for value in set {
        let renamed = value.to_str().ok().and_then(|text| text.strip_prefix(PREFIX)).map(|rest| {
            format!(
                "{PLAIN_PREFIX}{}",
                rest.split("; ").filter(|part| *part != "Secure").collect::<Vec<_>>().join("; ")
            )
        });
        let renamed = renamed.and_then(|text| HeaderValue::from_str(&text).ok());
        headers.append(header::SET_COOKIE, renamed.unwrap_or(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_translated_both_ways_and_others_are_ignored() {
        let mut headers = HeaderMap::new();
        for set in [cookie(SESSION, "s=1".into(), None), cookie(DEVICE, "d".into(), Some(Duration::from_secs(60)))] {
            headers.append(header::SET_COOKIE, HeaderValue::from_str(&set.to_string()).unwrap());
        }
        give_plain_names(&mut headers);
        let set: Vec<&str> = headers.get_all(header::SET_COOKIE).map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            set,
            [
                "domicile-session=s=1; HttpOnly; SameSite=Lax; Path=/",
                "domicile-device=d; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"
            ]
        );

        let mut headers = HeaderMap::new();
        for sent in ["other=1; domicile-session=s=1;domicile-device=d", "__Host-session=foreign"] {
            headers.append(header::COOKIE, HeaderValue::from_static(sent));
        }
        let foreign = "other=ü; domicile-theme=dark".as_bytes();
        headers.append(header::COOKIE, HeaderValue::from_bytes(foreign).unwrap());
        take_plain_names(&mut headers);
        assert_eq!(headers.get(header::COOKIE).unwrap(), "__Host-session=s=1; __Host-device=d; __Host-theme=dark");
        assert_eq!(headers.get_all(header::COOKIE).count(), 1);
    }

    #[test]
    fn a_name_that_is_only_ours_when_it_is_decoded_is_not_ours() {
        let kept = |sent: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_static(sent));
            drop_encoded_names(&mut headers);
            headers.get(header::COOKIE).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(kept("__Host-session=s; a=1").as_deref(), Some("__Host-session=s; a=1"));
        assert_eq!(
            kept("%5F%5FHost-session=bad; __Host-session=s%20=%; a=1").as_deref(),
            Some("__Host-session=s%20=%; a=1")
        );
        assert_eq!(kept("a=1; __Host%2Dsession=bad").as_deref(), Some("a=1"));
        assert_eq!(kept("%5f%5fHost-visit=bad").unwrap_or_default(), "");
    }
}
