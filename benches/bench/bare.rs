//! The baseline that we compare with: actix handlers that only answer. They have the same method and the same parsing,
//! and their answer has the same headers and bytes as one of our answers.

use std::path::Path;
use std::process::Command;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Form, Json};
use actix_web::{App, HttpResponse, HttpServer};
use serde::{Deserialize, Serialize};

use crate::cores::{self, Core};
use crate::process::{Server, free_address};
use crate::{Failure, fail, load};

/// The argument that makes this program the bare server.
pub const ARGUMENT: &str = "--bare";

/// What a handler of the bare server reads.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub enum Reads {
    Nothing,
    Form,
    Json,
}

/// A handler of the bare server.
#[derive(Serialize, Deserialize, Clone)]
pub struct Shape {
    path: String,
    reads: Reads,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Shape {
    /// The shape of the answer that our server gives to `request`.
    pub fn new(server: &Server, path: &str, reads: Reads, request: &[u8]) -> Result<Self, Failure> {
        let (status, answer) = load::once(server.address, request)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| fail("an answer without a head"))?;
        if status >= 400 {
            return Err(fail(format!("{path} answered {answer}")));
        }
        // The bare server adds these headers itself.
        let automatic = ["date", "content-length", "transfer-encoding", "connection"];
        let headers = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| !automatic.contains(&name.to_ascii_lowercase().as_str()));
        Ok(Self {
            path: path.to_owned(),
            reads,
            status,
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        })
    }
}

/// Starts this program again, as a bare server of `shapes`.
pub fn start(shapes: &[Shape], core: Core, folder: &Path) -> Result<Server, Failure> {
    start_busy(shapes, 0, core, folder)
}

/// Like [`start`], with `busy` threads of low priority that are always busy.
pub fn start_busy(shapes: &[Shape], busy: usize, core: Core, folder: &Path) -> Result<Server, Failure> {
    let address = free_address()?;
    let file = folder.join("shapes.json");
    std::fs::write(&file, serde_json::to_string(shapes)?)?;
    let mut program = Command::new(std::env::current_exe()?);
    program.arg(ARGUMENT).arg(&file).arg(address.to_string()).arg(busy.to_string());
    Server::start(program, address, core, &folder.join("bare.log"))
}

/// The form fields that our handlers read. The bare handlers ignore them.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    token: String,
    #[serde(default)]
    csrf: String,
}

/// The JSON that our handlers read, with two of its members.
#[derive(Deserialize)]
struct Event {
    id: String,
    quantity: String,
}

/// A response that is prepared once.
struct Ready {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: &'static [u8],
}

impl Ready {
    fn new(shape: &Shape) -> Result<Self, Failure> {
        let headers = shape
            .headers
            .iter()
            .map(|(name, value)| {
                let value: &'static str = value.clone().leak();
                Ok((HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?))
            })
            .collect::<Result<_, Failure>>()?;
        let body: &'static str = shape.body.clone().leak();
        Ok(Self { status: StatusCode::from_u16(shape.status)?, headers, body: body.as_bytes() })
    }

    fn answer(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        if self.body.is_empty() { response.finish() } else { response.body(self.body) }
    }
}

/// Serves until the process is stopped. Arguments: `<shapes file> <address> <busy threads>`.
pub fn serve(mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut next = || arguments.next().ok_or_else(|| fail("the bare server needs a file, an address and a number"));
    let shapes: Vec<Shape> = serde_json::from_str(&std::fs::read_to_string(next()?)?)?;
    let address = next()?;
    for _ in 0..next()?.parse()? {
        std::thread::spawn(|| {
            cores::set_priority(19);
            loop {
                std::hint::spin_loop();
            }
        });
    }
    shapes.iter().try_for_each(|shape| Ready::new(shape).map(drop))?;
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let server = HttpServer::new(move || {
        let mut app = App::new().route("/healthz", web::get().to(HttpResponse::Ok));
        for shape in &shapes {
            let Ok(ready) = Ready::new(shape).map(std::sync::Arc::new) else { continue };
            let posts = web::route().guard(actix_web::guard::Method(Method::POST));
            app = match shape.reads {
                Reads::Nothing => app.route(&shape.path, web::get().to(move || std::future::ready(ready.answer()))),
                Reads::Form => app.route(
                    &shape.path,
                    posts.to(move |form: Form<Fields>| {
                        std::hint::black_box((form.token.len(), form.csrf.len()));
                        std::future::ready(ready.answer())
                    }),
                ),
                Reads::Json => app.route(
                    &shape.path,
                    posts.to(move |events: Json<Vec<Event>>| {
                        std::hint::black_box(
                            events.iter().map(|event| event.id.len() + event.quantity.len()).sum::<usize>(),
                        );
                        std::future::ready(ready.answer())
                    }),
                ),
            };
        }
        app
    });
    actix_web::rt::System::new().block_on(server.workers(workers).bind(&address)?.run())?;
    Ok(())
}
