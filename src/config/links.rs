//! Variables that Kubernetes and Docker set for a service that is called "domicile": they look like settings.

/// Whether a variable is the link of a service, and no setting. `name` begins with `DOMICILE_`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix("DOMICILE_") else { return false };
    let is_of_this_service = match rest {
        "PORT" => value.contains("://"),
        "SERVICE_HOST" | "SERVICE_PORT" | "NAME" => true,
        _ => is_port(rest) || rest.starts_with("SERVICE_PORT_") || rest.starts_with("ENV_"),
    };
    is_of_this_service || is_of_neighbour(rest, value)
}

/// The link of a service whose name begins with ours, such as "domicile-metrics". Names alone do not tell it from a setting,
/// so its value must look like that of a link.
fn is_of_neighbour(rest: &str, value: &str) -> bool {
    let has_part = |part: &str| rest.find(part).is_some_and(|at| at > 0);
    let port = || rest.match_indices("_PORT_").any(|(at, _)| at > 0 && is_port(&rest[at + 1..]));
    (rest.ends_with("_SERVICE_HOST") && value.parse::<std::net::IpAddr>().is_ok())
        || ((rest.ends_with("_SERVICE_PORT") || has_part("_SERVICE_PORT_")) && is_number(value))
        || (rest.ends_with("_PORT") && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme)))
        || port()
}

/// Whether it is the rest of a name such as `PORT_8080_TCP_ADDR`.
fn is_port(rest: &str) -> bool {
    let parts = rest.strip_prefix("PORT_").and_then(|rest| rest.split_once('_'));
    parts.is_some_and(|(port, rest)| {
        is_number(port) && ["TCP", "UDP", "SCTP"].contains(&rest.split('_').next().unwrap_or_default())
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn links_are_told_from_settings() {
        for (name, value) in [
            ("DOMICILE_PORT", "tcp://10.96.0.12:80"),
            ("DOMICILE_PORT_8080_TCP", "tcp://10.96.0.12:8080"),
            ("DOMICILE_PORT_8080_TCP_ADDR", "10.96.0.12"),
            ("DOMICILE_PORT_53_UDP_PROTO", "udp"),
            ("DOMICILE_SERVICE_HOST", "10.96.0.12"),
            ("DOMICILE_SERVICE_PORT", "80"),
            ("DOMICILE_SERVICE_PORT_HTTP", "80"),
            ("DOMICILE_NAME", "/web/domicile"),
            ("DOMICILE_ENV_PATH", "/bin"),
            ("DOMICILE_METRICS_SERVICE_HOST", "10.96.0.13"),
            ("DOMICILE_METRICS_SERVICE_PORT", "9090"),
            ("DOMICILE_METRICS_SERVICE_PORT_HTTP", "9090"),
            ("DOMICILE_METRICS_PORT", "tcp://10.96.0.13:9090"),
            ("DOMICILE_METRICS_PORT_9090_TCP", "tcp://10.96.0.13:9090"),
            ("DOMICILE_METRICS_PORT_9090_TCP_PROTO", "tcp"),
            ("DOMICILE_MY_DB_SERVICE_HOST", "fd00::1"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        for (name, value) in [
            ("DOMICILE_PORT", "8080"),
            ("DOMICILE_REGION", "eu"),
            ("DOMICILE_PORTS", "tcp://x"),
            ("DOMICILE_METRICS_PORT", "9090"),
            ("DOMICILE_METRICS_SERVICE_HOST", "metrics"),
            ("DOMICILE_METRICS_SERVICE_PORT", "http"),
            ("DOMICILE_LISTEN__METRICS_PORT", "9090"),
            ("DOMICILE_METRICS_PORT_HTTP_TCP", "tcp://x"),
        ] {
            assert!(!is_service_link(name, value), "{name}");
        }
    }
}
