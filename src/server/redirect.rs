//! The addresses that only send browsers to the public URL.

use std::net::SocketAddr;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use super::listeners::{self, Listeners};

/// The server of these addresses. `None`: there are none.
///
/// # Errors
/// A sentence for the admin.
pub(super) fn server(
    addresses: &[SocketAddr],
    listeners: &mut Listeners,
    public_url: &str,
) -> Result<Option<Server>, String> {
    if addresses.is_empty() {
        return Ok(None);
    }
    let target = Data::new(public_url.to_owned());
    let mut server = HttpServer::new(move || App::new().app_data(target.clone()).default_service(web::to(redirect)))
        .workers(1)
        .disable_signals();
    for address in addresses {
        server = server.listen(listeners.listen(*address)?).map_err(listeners::unusable)?;
    }
    Ok(Some(server.run()))
}

/// The same path under the public URL. The `Host` of the request is not used.
async fn redirect(request: HttpRequest, public_url: Data<String>) -> HttpResponse {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, format!("{}{path}", public_url.as_str())))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .finish()
}
