//! The error of handlers: a [`Problem`] that the middleware renders as a page or as JSON.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use crate::base::Problem;

/// The result of a handler.
pub type Answer = Result<HttpResponse, Fault>;

/// A problem that a handler returns. The response carries it in its extensions, and the middleware renders it in the
/// format that the client of the route reads.
#[derive(Debug)]
pub struct Fault(pub Problem);

impl<E: Into<Problem>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0.status, self.0.code)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(self.0.clone());
        response
    }
}
