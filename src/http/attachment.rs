//! Files that a person downloads.

use actix_web::HttpResponse;
use actix_web::http::header;

use super::json;

/// A file that the browser saves under this name. It has personal data, so nothing caches it.
pub fn attachment(kind: &'static str, name: &str, body: Vec<u8>) -> HttpResponse {
    let mut response = json::private(200, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    if let Ok(value) = header::HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A table as CSV (RFC 4180): the names of its columns, then its rows. What people typed must be escaped as text for a
/// spreadsheet ([`crate::base::escape_formula`]).
///
/// # Errors
/// [`csv::Error`] if a row has another number of cells.
pub fn csv_text<const N: usize>(
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(columns)?;
    for cells in rows {
        table.write_record(cells)?;
    }
    table.into_inner().map_err(|error| error.into_error().into())
}
