//! The load generator: keep-alive connections over loopback with one request in flight on each, limited in number and
//! time.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cores::{self, Core};
use crate::{Failure, fail};

/// Writes the request with this number into the empty buffer.
pub type Source = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// The maximum size of an answer. Our answers are smaller.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long a run may continue after its time is over before it counts as failed.
const GRACE: Duration = Duration::from_secs(20);

/// The parameters of a load.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub requests_max: u64,
    pub time_max: Duration,
    /// The pause between an answer and the next request on the same connection.
    pub pause: Duration,
    /// The expected status. Answers with another status are counted separately.
    pub expected: u16,
    pub core: Core,
    /// The priority of the load thread, from -20 (highest) to 19 (lowest). A load represents other machines: a crowd
    /// must not take CPU time from the server, and the measuring load must not wait for the crowd.
    pub nice: i32,
    /// Notified when all connections are established, before the first request.
    pub connected: Option<std::sync::mpsc::Sender<()>>,
}

/// The result of a load.
#[derive(Clone, Default)]
pub struct Answers {
    /// The number of answers with the expected status.
    pub answered: u64,
    /// The number of answers with another status.
    pub others: u64,
    /// The number of those other answers that are 503 with `Retry-After`.
    pub told_to_wait: u64,
    pub elapsed: Duration,
    /// The latency of each answer in nanoseconds, sorted.
    latencies: Vec<u32>,
}

impl Answers {
    fn record(&mut self, expected: u16, status: u16, answer: &[u8], nanos: u32) {
        self.latencies.push(nanos);
        if status == expected {
            self.answered += 1;
            return;
        }
        self.others += 1;
        if status == 503 && has_retry_after(answer) {
            self.told_to_wait += 1;
        }
    }

    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The quantile `part` (0 to 1) of the latencies in milliseconds.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = ((last as f64) * part).round() as usize;
        self.latencies.get(place).map_or(0.0, |nanos| f64::from(*nanos) / 1e6)
    }
}

/// Runs the load on a thread of its own and waits for its end.
pub fn run(load: &Load, source: &Source) -> Result<Answers, Failure> {
    start(load, source).join().map_err(|_| fail("the load generator panicked"))?
}

/// Starts the load on a thread of its own.
pub fn start(load: &Load, source: &Source) -> std::thread::JoinHandle<Result<Answers, Failure>> {
    let (load, source) = (load.clone(), source.clone());
    std::thread::spawn(move || {
        cores::pin_this_thread(load.core);
        cores::set_priority(load.nice);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, drive(load, source))
    })
}

async fn drive(load: Load, source: Source) -> Result<Answers, Failure> {
    let mut streams = Vec::new();
    for _ in 0..load.connections {
        let stream = TcpStream::connect(load.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    if let Some(connected) = &load.connected {
        connected.send(())?;
    }
    let answers = Rc::new(RefCell::new(Answers::default()));
    let next = Rc::new(Cell::new(0));
    let begun = Instant::now();
    let callers: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            let caller = call(stream, load.clone(), source.clone(), next.clone(), answers.clone(), begun);
            tokio::task::spawn_local(caller)
        })
        .collect();
    for caller in callers {
        tokio::time::timeout_at((begun + load.time_max + GRACE).into(), caller)
            .await
            .map_err(|_| fail("the server does not answer"))???;
    }
    let mut answers = answers.take();
    answers.elapsed = begun.elapsed();
    answers.latencies.sort_unstable();
    Ok(answers)
}

async fn call(
    mut stream: TcpStream,
    load: Load,
    source: Source,
    next: Rc<Cell<u64>>,
    answers: Rc<RefCell<Answers>>,
    begun: Instant,
) -> Result<(), Failure> {
    let mut request = Vec::with_capacity(1024);
    let mut answer = Vec::with_capacity(16 * 1024);
    loop {
        let number = next.get();
        if number >= load.requests_max || begun.elapsed() >= load.time_max {
            return Ok(());
        }
        next.set(number + 1);
        request.clear();
        source(number, &mut request);
        let sent = Instant::now();
        let status = exchange(&mut stream, &request, &mut answer).await?;
        let nanos = u32::try_from(sent.elapsed().as_nanos()).unwrap_or(u32::MAX);
        answers.borrow_mut().record(load.expected, status, &answer, nanos);
        if !load.pause.is_zero() {
            tokio::time::sleep(load.pause).await;
        }
    }
}

/// Sends one request and reads the whole answer into `answer`. Returns the status.
async fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) -> Result<u16, Failure> {
    stream.write_all(request).await?;
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(fail(format!("the connection ended within an answer: {}", String::from_utf8_lossy(answer))));
        }
        if let Some((status, whole)) = extent(answer)
            && answer.len() >= whole
        {
            return Ok(status);
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(fail("an answer is too long"));
        }
    }
}

/// Whether an answer has the header `Retry-After` (RFC 9110 §10.2.3).
fn has_retry_after(answer: &[u8]) -> bool {
    let head = String::from_utf8_lossy(answer).to_ascii_lowercase();
    head.split("\r\n").take_while(|line| !line.is_empty()).any(|line| line.starts_with("retry-after: "))
}

/// The status and the total length of an answer. `None`: its head is not complete yet.
fn extent(answer: &[u8]) -> Option<(u16, usize)> {
    let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..head_end]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0usize);
    Some((status, head_end + length))
}

/// Sends one request on a connection of its own. Returns the status and the whole answer.
pub fn once(address: SocketAddr, request: &[u8]) -> Result<(u16, String), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = TcpStream::connect(address).await?;
        let mut answer = Vec::new();
        let exchange = exchange(&mut stream, request, &mut answer);
        let status = tokio::time::timeout(GRACE, exchange).await.map_err(|_| fail("no answer"))??;
        Ok((status, String::from_utf8_lossy(&answer).into_owned()))
    })
}
