//! The name of a browser, from its User-Agent.

/// Browsers by a token of their User-Agent. The order matters: most browsers also claim to be Chrome or Safari.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
];
/// Operating systems; a phone's before the one it is built on.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
];

/// Browser and system of a User-Agent (RFC 9110 §10.1.5), such as `Firefox on Linux`. It is a guess to show to people;
/// nothing depends on it.
pub fn device_of(agent: &str) -> String {
    let named =
        |known: &[(&str, &'static str)]| known.iter().find(|(token, _)| agent.contains(token)).map(|(_, name)| *name);
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("A browser on {system}"),
        (None, None) => "Unknown device".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::device_of;

    #[test]
    fn a_user_agent_becomes_a_readable_name() {
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        for (agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0".to_owned(), "Firefox on Linux"),
            (format!("{mac} Version/18.0 Safari/605.1.15"), "Safari on Mac"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/156.0 Safari/537.36 Edg/156.0".to_owned(), "Edge on Windows"),
            ("Mozilla/5.0 (Linux; Android 15) Chrome/156.0 Mobile Safari/537.36".to_owned(), "Chrome on Android"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)".to_owned(), "A browser on iPhone"),
            ("curl/8.5.0".to_owned(), "curl"),
            (String::new(), "Unknown device"),
        ] {
            assert_eq!(device_of(&agent), words, "{agent}");
        }
    }
}
