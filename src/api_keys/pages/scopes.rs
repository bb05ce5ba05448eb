//! `/settings/keys/scopes`: what each scope implies.

use actix_web::HttpRequest;
use askama::Template;

use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, SignedIn};

struct ScopeRow {
    name: String,
    description: String,
    rights: Vec<String>,
}

#[derive(Template)]
#[template(path = "api_keys/scopes.html")]
struct ScopesPage {
    context: PageContext,
    scopes: Vec<ScopeRow>,
}

/// `GET /settings/keys/scopes`: the scope table that verification uses.
pub async fn scopes(app: AppData, request: HttpRequest, _who: SignedIn) -> Answer {
    let table = &app.config().scopes;
    let row = |entry: &crate::base::ScopeEntry| ScopeRow {
        name: entry.name.clone(),
        description: entry.description.clone(),
        rights: table.implied_by(&entry.name).into_iter().map(str::to_owned).collect(),
    };
    let scopes = table.entries().iter().map(row).collect();
    page::render(&ScopesPage { context: PageContext::new(&app, &request, "Scopes"), scopes })
}
