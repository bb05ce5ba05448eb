//! The load: keep-alive connections over loopback, one request in flight on each, an end to both number and time.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{self, Core};
use crate::{Failure, fail};

/// Writes the request of a number into the empty buffer.
pub type Source = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// Answers larger than this are not ours.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// A run that has not ended so long after its time is over never will.
const GRACE: Duration = Duration::from_secs(20);

/// How much to ask, at most.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub requests_max: u64,
    pub time_max: Duration,
    /// Between an answer and the next request on the same connection. Zero: none.
    pub pause: Duration,
    /// The status every answer must have; others are counted apart.
    pub expected: u16,
    pub core: Core,
    /// The priority of its thread, from -20, first, to 19, last. Loads stand for machines elsewhere: a crowd must not take the
    /// server's processor time, and who measures must not wait for it.
    pub nice: i32,
    /// Told when every connection stands, before the first request.
    pub connected: Option<std::sync::mpsc::Sender<()>>,
}

/// What came back.
#[derive(Clone, Default)]
pub struct Answers {
    /// With the expected status.
    pub answered: u64,
    /// With another one.
    pub others: u64,
    /// Of the others, those that were told when to come back: 503 with `Retry-After`.
    pub told_to_wait: u64,
    pub elapsed: Duration,
    /// Of every answer, sorted, in nanoseconds.
    latencies: Vec<u32>,
}

impl Answers {
    fn note(&mut self, expected: u16, status: u16, answer: &[u8], nanos: u32) {
        self.latencies.push(nanos);
        if status == expected {
            self.answered += 1;
            return;
        }
        self.others += 1;
        if status == 503 && tells_when_to_come_back(answer) {
            self.told_to_wait += 1;
        }
    }

    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency that `part` (0 to 1) of the answers did not exceed, in milliseconds.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = ((last as f64) * part).round() as usize;
        self.latencies.get(place).map_or(0.0, |nanos| f64::from(*nanos) / 1e6)
    }
}

/// Runs the load on a thread of its own and waits for its end. `stop` ends it early.
pub fn run(load: &Load, source: &Source) -> Result<Answers, Failure> {
    start(load, source).join().map_err(|_| fail("the load generator panicked"))?
}

/// Starts the load on a thread of its own.
pub fn start(load: &Load, source: &Source) -> std::thread::JoinHandle<Result<Answers, Failure>> {
    let (load, source) = (load.clone(), source.clone());
    std::thread::spawn(move || {
        process::pin_this_thread(load.core);
        process::set_priority(load.nice);
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
        answers.borrow_mut().note(load.expected, status, &answer, nanos);
        if !load.pause.is_zero() {
            tokio::time::sleep(load.pause).await;
        }
    }
}

/// One request and its whole answer, which stays in `answer`.
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

/// Whether an answer has the header of RFC 9110 section 10.2.3.
fn tells_when_to_come_back(answer: &[u8]) -> bool {
    let head = String::from_utf8_lossy(answer).to_ascii_lowercase();
    head.split("\r\n").take_while(|line| !line.is_empty()).any(|line| line.starts_with("retry-after: "))
}

/// Status and whole length of an answer whose head is complete.
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

/// One exchange on a connection of its own, for trying a request out: the status and the whole answer.
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
