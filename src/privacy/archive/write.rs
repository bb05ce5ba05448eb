//! Writes the archive.

use std::io::Write;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::super::{ExportRecipient, PrivacyError};
use super::activity;
use super::cells;
use super::manifest::{self, Entry};
use super::store::{self, Format, PARTS, Part, PartSubject};
use crate::accounts;
use crate::audit::Digest;
use crate::base::{AccountId, Timestamp, WorkspaceId};
use crate::db::{self, Error, View};
use crate::people;

/// The size and digest of a written archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedArchive {
    /// The size of the encrypted file.
    pub bytes: u64,
    /// SHA-256 of the encrypted file.
    pub sha256: Digest,
}

/// Writes all data about `account` into `sink`, encrypted to `recipient`. Calls `progress` before each file with the
/// percent done and the next path. All data is from the one moment of the view.
///
/// # Errors
/// [`PrivacyError::NotFound`] if the account does not exist; [`PrivacyError::Db`] for the database, the file and
/// `progress`.
pub fn write(
    view: &View<'_>,
    account: AccountId,
    recipient: &ExportRecipient,
    sink: impl Write,
    mut progress: impl FnMut(u8, &str) -> Result<(), Error>,
) -> Result<SealedArchive, PrivacyError> {
    let person = accounts::find(view, account)?.ok_or(PrivacyError::NotFound)?;
    let site = db::find_stamp(view)?.ok_or_else(|| Error::Damaged("the site stamp".into()))?;
    let public_url = &view.site().config.public_url;
    let created = view.now().rfc3339();
    let workspaces = store::list_workspaces(view, account)?;
    let own_workspace = workspaces.iter().find(|(_, is_own)| *is_own).map(|(id, _)| *id);
    let files = files_for(&workspaces);
    let picture = people::own_picture(view, account)?;
    let steps = files.len() + ACTIVITY.len();

    let sealing = recipient.seal(HashingWriter::new(sink)).map_err(archive_error)?;
    let mut archive = Archive::new(sealing, view.now());
    for (index, file) in files.iter().enumerate() {
        progress(percent(index, steps), &file.path)?;
        archive.add_rows(view, file, account)?;
    }
    for (index, (path, format)) in ACTIVITY.iter().enumerate() {
        progress(percent(files.len() + index, steps), path)?;
        archive.add_activity(view, path, *format, (account, own_workspace))?;
    }
    if let Some(picture) = &picture {
        archive.add_picture(picture)?;
    }
    progress(percent(steps, steps), "Packing")?;

    let index = manifest::index(&person, public_url, &created, &archive.entries).map_err(archive_error)?;
    archive.add_text("index.html", "This page", "index", "text/html", &index)?;
    let signed = manifest::signed(&view.site().keyring, &site, public_url, &person, &created, &archive.entries);
    archive.add_text(
        "manifest.json",
        "The signed list of all files",
        "manifest",
        "application/json",
        &format!("{signed:#}\n"),
    )?;

    let sealing = archive.zip.finish().map_err(archive_error)?.into_inner();
    Ok(sealing.finish().map_err(archive_error)?.finish())
}

/// The percent done. The last percent is left to the caller, who makes the file durable.
fn percent(done: usize, steps: usize) -> u8 {
    u8::try_from(done * 99 / steps).unwrap_or(99)
}

const ACTIVITY: [(&str, Format); 2] =
    [("activity/activity.jsonl", Format::Array), ("activity/activity.csv", Format::Csv)];

/// One file of a part, for one subject.
struct PartFile {
    part: &'static Part,
    format: Format,
    path: String,
    /// `None`: the subject is the account.
    workspace: Option<WorkspaceId>,
}

fn files_for(workspaces: &[(WorkspaceId, bool)]) -> Vec<PartFile> {
    let mut files = Vec::new();
    for part in PARTS {
        let subjects: Vec<Option<WorkspaceId>> = match part.subject {
            PartSubject::Account => vec![None],
            PartSubject::EachWorkspace => workspaces.iter().map(|(id, _)| Some(*id)).collect(),
            PartSubject::OwnWorkspace => {
                workspaces.iter().filter(|(_, is_own)| *is_own).map(|(id, _)| Some(*id)).collect()
            }
        };
        for workspace in subjects {
            let id = workspace.map(|id| id.to_string()).unwrap_or_default();
            for format in part.formats {
                let ending = if *format == Format::Csv { "csv" } else { "json" };
                let path = format!("{}.{ending}", part.path.replace("{workspace}", &id));
                files.push(PartFile { part, format: *format, path, workspace });
            }
        }
    }
    files
}

/// Turns an error of the zip, age or CSV writer into one kind of error.
fn archive_error(error: impl std::fmt::Display) -> Error {
    Error::File { path: "the archive".into(), source: std::io::Error::other(error.to_string()) }
}

type Zip<W> = ZipWriter<StreamWriter<age::stream::StreamWriter<W>>>;

struct Archive<W: Write> {
    zip: Zip<W>,
    options: SimpleFileOptions,
    entries: Vec<Entry>,
}

impl<W: Write> Archive<W> {
    fn new(sealing: age::stream::StreamWriter<W>, now: Timestamp) -> Self {
        let options = SimpleFileOptions::default().unix_permissions(0o600).last_modified_time(zip_time(now));
        Self { zip: ZipWriter::new_stream(sealing), options, entries: Vec::new() }
    }

    /// Adds one file. `fill` writes it and returns the number of rows.
    fn add(
        &mut self,
        (path, title, kind, media): (&str, &'static str, &'static str, &'static str),
        fill: impl FnOnce(&mut dyn Write) -> Result<u64, PrivacyError>,
    ) -> Result<(), PrivacyError> {
        self.zip.start_file(path, self.options).map_err(archive_error)?;
        let mut hashing = HashingWriter::new(&mut self.zip);
        let rows = fill(&mut hashing)?;
        let written = hashing.finish();
        let (bytes, sha256) = (written.bytes, written.sha256);
        self.entries.push(Entry { path: path.to_owned(), title, kind, media, rows, bytes, sha256 });
        Ok(())
    }

    fn add_text(
        &mut self,
        path: &str,
        title: &'static str,
        kind: &'static str,
        media: &'static str,
        text: &str,
    ) -> Result<(), PrivacyError> {
        self.add((path, title, kind, media), |sink| {
            sink.write_all(text.as_bytes()).map_err(archive_error)?;
            Ok(1)
        })
    }

    fn add_rows(&mut self, view: &View<'_>, file: &PartFile, account: AccountId) -> Result<(), PrivacyError> {
        let part = file.part;
        let subject = file.workspace.map_or_else(|| account.to_string(), |id| id.to_string());
        let kind = part.path.rsplit('/').next().unwrap_or(part.path);
        self.add((&file.path, part.title, kind, media_type(file.format)), |sink| match file.format {
            Format::Object => write_object(view, part, &subject, sink),
            Format::Array => write_array(view, part, &subject, sink),
            Format::Csv => write_csv(view, part, &subject, sink),
        })
    }

    fn add_picture(&mut self, picture: &people::Picture) -> Result<(), PrivacyError> {
        let (path, media) = match picture.media.as_str() {
            "image/png" => ("account/picture.png", "image/png"),
            _ => ("account/picture.jpg", "image/jpeg"),
        };
        self.add((path, "Your picture", "picture", media), |sink| {
            sink.write_all(&picture.bytes).map_err(archive_error)?;
            Ok(1)
        })
    }

    fn add_activity(
        &mut self,
        view: &View<'_>,
        path: &str,
        format: Format,
        (account, workspace): (AccountId, Option<WorkspaceId>),
    ) -> Result<(), PrivacyError> {
        let media = if format == Format::Csv { media_type(format) } else { "application/jsonl" };
        let mut rows = 0;
        self.add((path, "Events of your account", "activity", media), |sink| {
            if format == Format::Csv {
                let mut table = csv::Writer::from_writer(sink);
                table.write_record(activity::COLUMNS).map_err(archive_error)?;
                activity::walk(view, account, workspace, |event| {
                    rows += 1;
                    table.write_record(activity::cells(event)).map_err(archive_error)
                })?;
                table.flush().map_err(archive_error)?;
            } else {
                activity::walk(view, account, workspace, |event| {
                    rows += 1;
                    writeln!(sink, "{}", activity::json(event)).map_err(archive_error)
                })?;
            }
            Ok(rows)
        })
    }
}

fn media_type(format: Format) -> &'static str {
    match format {
        Format::Object | Format::Array => "application/json",
        Format::Csv => "text/csv",
    }
}

fn write_object(view: &View<'_>, part: &Part, subject: &str, sink: &mut dyn Write) -> Result<u64, PrivacyError> {
    let mut rows = 0;
    store::walk_part(view, part, subject, |row| {
        rows += 1;
        writeln!(sink, "{:#}", Value::Object(row)).map_err(archive_error)
    })?;
    Ok(rows)
}

fn write_array(view: &View<'_>, part: &Part, subject: &str, sink: &mut dyn Write) -> Result<u64, PrivacyError> {
    let mut rows = 0;
    sink.write_all(b"[").map_err(archive_error)?;
    store::walk_part(view, part, subject, |row| {
        let between = if rows == 0 { "\n" } else { ",\n" };
        rows += 1;
        write!(sink, "{between}{}", Value::Object(row)).map_err(archive_error)
    })?;
    sink.write_all(if rows == 0 { b"]\n" } else { b"\n]\n" }).map_err(archive_error)?;
    Ok(rows)
}

fn write_csv(view: &View<'_>, part: &Part, subject: &str, sink: &mut dyn Write) -> Result<u64, PrivacyError> {
    let mut rows = 0;
    let mut table = csv::Writer::from_writer(sink);
    table.write_record(part.columns().map(|(name, _)| name)).map_err(archive_error)?;
    store::walk_part(view, part, subject, |row| {
        rows += 1;
        table.write_record(part.columns().map(|(name, cell)| cells::csv(cell, &row[name]))).map_err(archive_error)
    })?;
    table.flush().map_err(archive_error)?;
    Ok(rows)
}

/// The time as the zip format has it: from 1980 on, here in UTC. A time outside its range becomes its first one.
fn zip_time(now: Timestamp) -> zip::DateTime {
    let text = now.rfc3339();
    let part =
        |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u16>().ok()).unwrap_or(0);
    let small = |range| u8::try_from(part(range)).unwrap_or(0);
    zip::DateTime::from_date_and_time(
        part(0..4),
        small(5..7),
        small(8..10),
        small(11..13),
        small(14..16),
        small(17..19),
    )
    .unwrap_or_default()
}

/// A writer that counts and hashes the bytes it passes on.
struct HashingWriter<W> {
    sink: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> HashingWriter<W> {
    fn new(sink: W) -> Self {
        Self { sink, hash: Sha256::new(), bytes: 0 }
    }

    fn finish(self) -> SealedArchive {
        SealedArchive { bytes: self.bytes, sha256: self.hash.finalize().into() }
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.sink.flush()
    }
}
