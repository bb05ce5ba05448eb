//! Variables that Kubernetes and Docker set for a service that is called "domicile": they look like settings.

/// Whether a variable is the link of a service, and no setting. `name` begins with `DOMICILE_`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix("DOMICILE_") else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match rest {
        "PORT" => value.contains("://"),
        "SERVICE_HOST" | "SERVICE_PORT" | "NAME" => true,
        _ => {
            let ports = rest.strip_prefix("PORT_").and_then(|rest| rest.split_once('_'));
            let is_port = ports.is_some_and(|(port, rest)| {
                is_number(port) && ["TCP", "UDP", "SCTP"].contains(&rest.split('_').next().unwrap_or_default())
            });
            is_port || rest.starts_with("SERVICE_PORT_") || rest.starts_with("ENV_")
        }
    }
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
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        for (name, value) in [("DOMICILE_PORT", "8080"), ("DOMICILE_REGION", "eu"), ("DOMICILE_PORTS", "tcp://x")] {
            assert!(!is_service_link(name, value), "{name}");
        }
    }
}
