//! Forms with a file (RFC 7578): read part by part, with limits, and only from pages of this site.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;

use super::{Fault, Form, csrf, json};
use crate::app::App;
use crate::base::Problem;

/// The maximum number of bytes that are kept of an uploaded file. One byte more is kept, so that the handler can see
/// that the file is larger.
pub const FILE_BYTES_MAX: usize = 5 * 1024 * 1024;
/// The maximum length in bytes of a field that is not a file.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// The maximum number of bytes that are read. What exceeds the kept part is read and discarded, so that the person gets
/// an error message instead of a broken connection.
const READ_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The maximum number of parts in a form.
const PARTS_MAX: usize = 20;

/// A form with a file that passed the same CSRF checks as a [`Form`].
pub struct Upload {
    /// The file in the field `file`, cut off one byte after [`FILE_BYTES_MAX`]. Empty: the form has no file.
    pub file: Vec<u8>,
}

fn malformed() -> Problem {
    Problem::new(400, "malformed_form", "The form could not be read. Go back, reload the page and send it again.")
}

impl FromRequest for Upload {
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Fault>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if request.content_type() != "multipart/form-data" {
            // The form may still be valid: then only the file is missing.
            let form = Form::from_request(request, payload);
            return Box::pin(async move { form.await.map(|_| Self { file: Vec::new() }) });
        }
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let app =
                request.app_data::<Data<Arc<App>>>().ok_or_else(|| Problem::internal("no app in the request"))?.clone();
            csrf::require_same_origin(&request, &app.config().public_url, app.config().demo)?;
            csrf::require_cookie(&request)?;
            let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
            if announced.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > READ_BYTES_MAX) {
                return Err(too_large().into());
            }
            let (token, file) = read(Multipart::new(request.headers(), payload)).await?;
            csrf::check(&app, &request, &token)?;
            Ok(Self { file })
        })
    }
}

fn too_large() -> Problem {
    Problem::new(413, "too_large", "The file is larger than this address accepts. Send a smaller file.")
}

fn unreadable(error: MultipartError) -> Problem {
    let is_refused = if let MultipartError::Payload(error) = &error { json::payload_problem(error) } else { None };
    is_refused.unwrap_or_else(malformed)
}

/// Reads the CSRF token and the file of a form.
async fn read(mut parts: Multipart) -> Result<(String, Vec<u8>), Problem> {
    let (mut token, mut file) = (String::new(), Vec::new());
    let (mut left, mut count) = (READ_BYTES_MAX, 0);
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(unreadable)?;
        count += 1;
        if count > PARTS_MAX {
            return Err(malformed());
        }
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            csrf::FIELD => {
                let text = read_part(&mut part, TEXT_BYTES_MAX, &mut left).await?;
                token = String::from_utf8(text).map_err(|_| malformed())?;
            }
            "file" => file = read_part(&mut part, FILE_BYTES_MAX, &mut left).await?,
            _ => drop(read_part(&mut part, 0, &mut left).await?),
        }
    }
    Ok((token, file))
}

/// Reads a part and returns at most `keep` + 1 bytes of it. Subtracts its length from `left`, the bytes that may still
/// be read.
async fn read_part(part: &mut Field, keep: usize, left: &mut usize) -> Result<Vec<u8>, Problem> {
    let mut kept = Vec::new();
    while let Some(bytes) = part.next().await {
        let bytes = bytes.map_err(unreadable)?;
        *left = left.checked_sub(bytes.len()).ok_or_else(too_large)?;
        let space = (keep + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(space)]);
    }
    Ok(kept)
}
