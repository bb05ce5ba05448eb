//! Liveness and readiness probes.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::app::App;
use crate::base::Problem;
use crate::db;
use crate::http::{Answer, json};

/// `GET /healthz`: 200 while the process answers.
pub async fn healthz() -> HttpResponse {
    json::private(200, r#"{"status":"ok"}"#.to_owned())
}

/// `GET /readyz`: 200 when the database can be read and written, otherwise 503.
pub async fn readyz(app: Data<Arc<App>>) -> Answer {
    let not_ready = |error: db::Error| {
        let mut problem = Problem::busy("not_ready", "This server is not ready. See its log for the reason.", 5);
        problem.cause = Some(error.to_string());
        problem
    };
    app.query_inline(db::find_stamp).map_err(not_ready)?;
    app.write(|_| Ok::<(), db::Error>(())).await.map_err(not_ready)?;
    Ok(json::private(200, r#"{"status":"ready"}"#.to_owned()))
}
