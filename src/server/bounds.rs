//! What all requests together may take: connections, bytes of bodies, and time. What exceeds a bound is refused with 503 and
//! `Retry-After` before memory or descriptors run out, and a client that is too slow loses its connection:
//!
//! ```text
//! descriptors    connections_max is below the limit of the process, so that files and calls always get one
//! connections    beyond 7/8 of the maximum: 503 and closed; at the maximum, new ones wait in the kernel
//! slow heads     10 s (server/run.rs)
//! slow bodies    10 s, and more while they bring 1 KiB/s
//! slow readers   30 s without an acknowledged byte (TCP_USER_TIMEOUT)
//! bodies         32 MiB together, counted until their requests are answered
//! ```

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{HttpMessage, Payload, Request};
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, RequestHead};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::rt::net::TcpStream;
use actix_web::web::Bytes;
use futures_util::Stream;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::time::Sleep;

use crate::base::{Problem, Stopwatch, seconds};
use crate::http::json::overloaded;

/// Descriptors for everything but connections of clients: 46 at rest, with metrics; the rest for readers of the database,
/// snapshots and other machines.
const DESCRIPTORS_RESERVED: usize = 96;
/// The most connections, however many descriptors there are: each needs some kilobytes of memory.
const CONNECTIONS_MAX: usize = 16_384;
/// The most bytes of bodies that are being received or handled.
/// In memory, a body takes up to twice its length while it grows.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a body may take in any case, and the bytes per second that give it more time.
const BODY_GRACE: Duration = seconds(10);
const BODY_BYTES_PER_SECOND: u64 = 1024;
/// How long a client may leave an answer unread.
const UNREAD_MILLIS: u32 = 30_000;

/// The bounds of a server, and what is used of them. All workers share it.
pub(super) struct Bounds {
    connections: AtomicUsize,
    connections_max: usize,
    body_bytes: AtomicUsize,
    body_bytes_max: usize,
    body_grace: Duration,
    /// Whether requests are refused at the moment, so that the log tells it once.
    is_shedding: AtomicBool,
}

/// A connection that counts until it ends.
struct CountedConnection(Arc<Bounds>);

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of a body that count until its request is answered.
pub(super) struct CountedBody {
    bounds: Arc<Bounds>,
    bytes: AtomicUsize,
}

impl CountedBody {
    /// Counts more bytes. Returns whether they are within the bounds.
    fn add(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bounds.body_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bounds.body_bytes_max
    }
}

impl Drop for CountedBody {
    fn drop(&mut self) {
        self.bounds.body_bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

impl Bounds {
    /// The bounds of this process. Raises its limit of descriptors as far as it may.
    pub fn new() -> Arc<Self> {
        Self::with(connections_max(descriptors()), BODY_BYTES_MAX, BODY_GRACE)
    }

    fn with(connections_max: usize, body_bytes_max: usize, body_grace: Duration) -> Arc<Self> {
        Arc::new(Self {
            connections: AtomicUsize::new(0),
            connections_max,
            body_bytes: AtomicUsize::new(0),
            body_bytes_max,
            body_grace,
            is_shedding: AtomicBool::new(false),
        })
    }

    /// The most connections of each of `workers`, for the accepting thread.
    pub fn connections_of_worker(&self, workers: usize) -> usize {
        (self.connections_max / workers.max(1)).max(2)
    }

    /// Counts a new connection, and limits how long its client may leave an answer unread.
    pub fn on_connect(self: &Arc<Self>, stream: &dyn Any, extensions: &mut Extensions) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        extensions.insert(CountedConnection(self.clone()));
        let tls = || stream.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
        if let Some(socket) = stream.downcast_ref::<TcpStream>().or_else(tls) {
            // Without it, the client may only be slower.
            let _ = set_tcp_user_timeout(socket, UNREAD_MILLIS);
        }
    }

    /// Refuses a request that would exceed a bound, before anything of its body is read.
    ///
    /// # Errors
    /// 503 `overloaded`.
    pub fn admit(&self, head: &RequestHead) -> Result<(), Problem> {
        let connections = self.connections.load(Ordering::Relaxed);
        let bytes = self.body_bytes.load(Ordering::Relaxed);
        let is_crowded = connections > self.connections_max - self.connections_max / 8;
        let is_full = bytes > 0 && bytes.saturating_add(announced_length(head)) > self.body_bytes_max;
        if !is_crowded && !is_full {
            if bytes == 0 && self.is_shedding.load(Ordering::Relaxed) {
                self.is_shedding.store(false, Ordering::Relaxed);
            }
            return Ok(());
        }
        // A probe that fails would make somebody end the server.
        if matches!(head.uri.path(), "/healthz" | "/readyz") {
            return Ok(());
        }
        if !self.is_shedding.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                connections,
                body_bytes = bytes,
                "The server refuses requests, because it has too many at once."
            );
        }
        Err(overloaded())
    }

    /// Counts the body of a request that the fast path answers.
    ///
    /// # Errors
    /// 503 `overloaded`.
    pub fn count_body(self: &Arc<Self>, head: &RequestHead) -> Result<CountedBody, Problem> {
        let body = CountedBody { bounds: self.clone(), bytes: AtomicUsize::new(0) };
        if body.add(announced_length(head)) { Ok(body) } else { Err(overloaded()) }
    }

    /// Bounds size and time of the body of a request.
    pub fn bound_body(self: &Arc<Self>, request: &mut Request) {
        let head = request.head();
        let has_body = announced_length(head) > 0 || head.headers().contains_key(header::TRANSFER_ENCODING);
        if !has_body {
            return;
        }
        let counted = Arc::new(CountedBody { bounds: self.clone(), bytes: AtomicUsize::new(0) });
        // Dropped when the request is answered.
        request.extensions_mut().insert(counted.clone());
        let payload = request.take_payload();
        let body = BoundedBody { payload, counted, received: 0, watch: None, timer: None };
        *request.payload() = Payload::Stream { payload: Box::pin(body) };
    }
}

/// The time limit of a body that the fast path reads.
pub(super) const FAST_BODY_TIMEOUT: Duration = BODY_GRACE;

fn announced_length(head: &RequestHead) -> usize {
    let length = head.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// The limit of descriptors of this process, after it was raised as far as it may be.
fn descriptors() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard);
    usize::try_from(raised).unwrap_or(usize::MAX)
}

fn connections_max(descriptors: usize) -> usize {
    descriptors.saturating_sub(DESCRIPTORS_RESERVED).clamp(8, CONNECTIONS_MAX)
}

/// A body that is refused when it is too slow, or when all bodies together are too large.
struct BoundedBody {
    payload: Payload,
    counted: Arc<CountedBody>,
    received: u64,
    /// Since the body was first waited for.
    watch: Option<Stopwatch>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl BoundedBody {
    /// How long the body may still take.
    fn time_left(&mut self) -> Duration {
        let elapsed = self.watch.get_or_insert_with(Stopwatch::start).elapsed();
        allowed_time(self.received, self.counted.bounds.body_grace).saturating_sub(elapsed)
    }
}

/// How long a body may take that has brought so many bytes.
fn allowed_time(received: u64, grace: Duration) -> Duration {
    grace + Duration::from_millis(received * 1000 / BODY_BYTES_PER_SECOND)
}

impl Stream for BoundedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        match Pin::new(&mut body.payload).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                body.timer = None;
                body.received += bytes.len() as u64;
                if body.counted.add(bytes.len()) {
                    Poll::Ready(Some(Ok(bytes)))
                } else {
                    Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::QuotaExceeded.into()))))
                }
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let left = body.time_left();
                let timer = body.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
                match timer.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into())))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_http::h1;
    use futures_util::StreamExt;

    use super::*;

    fn request(length: usize) -> Request {
        let mut request = Request::new();
        let length = length.to_string().parse().unwrap();
        request.headers_mut().insert(header::CONTENT_LENGTH, length);
        request
    }

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!([64, 1024, 65_536, usize::MAX].map(connections_max), [8, 928, CONNECTIONS_MAX, CONNECTIONS_MAX]);
        let bounds = Bounds::with(16, 100, BODY_GRACE);
        let mut open: Vec<Extensions> = Vec::new();
        for number in 1..=16 {
            let mut extensions = Extensions::new();
            bounds.on_connect(&(), &mut extensions);
            open.push(extensions);
            assert_eq!(bounds.admit(request(0).head()).is_err(), number > 14, "{number}");
        }
        let mut probe = request(0);
        *probe.uri_mut() = actix_web::http::Uri::from_static("/healthz");
        assert!(bounds.admit(probe.head()).is_ok(), "a probe is answered");
        let refused = bounds.admit(request(0).head()).unwrap_err();
        assert_eq!((refused.status, refused.retry_after_seconds), (503, Some(5)));
        drop(open);
        assert!(bounds.admit(request(0).head()).is_ok());
    }

    #[actix_web::test]
    async fn bodies_count_until_their_requests_are_answered() {
        let bounds = Bounds::with(16, 100, BODY_GRACE);
        let mut first = request(80);
        *first.payload() = Payload::from(Bytes::from_static(&[b'x'; 80]));
        bounds.bound_body(&mut first);
        let mut body = first.take_payload();
        assert_eq!(body.next().await.unwrap().unwrap().len(), 80);
        drop(body);

        assert!(bounds.admit(request(20).head()).is_ok());
        assert_eq!(bounds.admit(request(21).head()).unwrap_err().code, "overloaded");
        assert!(bounds.count_body(request(21).head()).is_err(), "and for the fast path");
        // One that did not say its length.
        let mut second = request(1);
        *second.payload() = Payload::from(Bytes::from_static(&[b'x'; 80]));
        bounds.bound_body(&mut second);
        let refused = second.take_payload().next().await.unwrap().unwrap_err();
        assert!(matches!(&refused, PayloadError::Io(error) if error.kind() == std::io::ErrorKind::QuotaExceeded));

        drop((first, second));
        assert!(bounds.admit(request(100).head()).is_ok());
    }

    #[actix_web::test]
    async fn a_body_that_is_too_slow_ends() {
        assert_eq!(allowed_time(20 * 1024, BODY_GRACE), seconds(30));
        let bounds = Bounds::with(16, 1 << 20, Duration::ZERO);
        let (mut sender, payload) = h1::Payload::create(false);
        let mut slow = request(1000);
        *slow.payload() = payload.into();
        bounds.bound_body(&mut slow);
        let mut body = slow.take_payload();
        sender.feed_data(Bytes::from_static(b"x"));
        assert!(body.next().await.unwrap().is_ok(), "what is there is read");

        let ended = body.next().await.unwrap().unwrap_err();

        assert!(matches!(&ended, PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut));
    }
}
