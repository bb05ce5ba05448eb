//! `/admin/services`: the connected services.

use actix_web::HttpRequest;
use askama::Template;

use crate::db::Error;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Moment, OperatorInSession, TimeFormat};
use crate::services as register;

struct ServiceRow {
    id: String,
    name: String,
    created: Moment,
    /// Credentials with which it can authenticate now.
    valid: usize,
}

#[derive(Template)]
#[template(path = "console/services.html")]
struct ServicesPage {
    context: PageContext,
    services: Vec<ServiceRow>,
}

/// `GET /admin/services`.
pub async fn services(app: AppData, request: HttpRequest, OperatorInSession(who): OperatorInSession) -> Answer {
    let listed = app
        .read_offloaded(|view| {
            let services = register::list(view)?.into_iter();
            let with_credentials = services.map(|service| {
                let credentials = register::list_credentials(view, service.id)?;
                Ok((service, credentials))
            });
            with_credentials.collect::<Result<Vec<_>, Error>>()
        })
        .await?;
    let (now, times) = (app.now(), TimeFormat::new(app.now(), &who.identity.zone));
    let row = |(service, credentials): (register::Service, Vec<register::ServiceCredential>)| ServiceRow {
        id: service.id.to_string(),
        name: service.name,
        created: times.day(service.created_at),
        valid: credentials.iter().filter(|credential| credential.is_valid(now)).count(),
    };
    page::render(&ServicesPage {
        context: PageContext::new(&app, &request, "Services"),
        services: listed.into_iter().map(row).collect(),
    })
}
