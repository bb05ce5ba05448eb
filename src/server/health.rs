//! Is the process there, and may it be given work.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::app::App;
use crate::base::Problem;
use crate::db;
use crate::http::{Answer, json};

/// `GET /healthz`: the process answers.
pub async fn healthz() -> HttpResponse {
    json::private(200, r#"{"status":"ok"}"#.to_owned())
}

/// `GET /readyz`: the database is read and the writer writes.
pub async fn readyz(app: Data<Arc<App>>) -> Answer {
    let not_ready = |error: db::Error| {
        let mut problem = Problem::busy("not_ready", "This server cannot work right now. Its log says why.", 5);
        problem.cause = Some(error.to_string());
        problem
    };
    app.query_inline(db::find_stamp).map_err(not_ready)?;
    app.write(|_| Ok::<(), db::Error>(())).await.map_err(not_ready)?;
    Ok(json::private(200, r#"{"status":"ready"}"#.to_owned()))
}
