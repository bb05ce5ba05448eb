//! What the admin reads: the log of one thread, as text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

/// Collects the log of this thread until it is dropped.
pub struct CapturedLog {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// With only one subscriber in the process, tracing remembers for each place that logs what the first thread that comes there wants,
/// and that may be a thread of another test, which has none. With a second one, it asks all of them.
static SECOND: OnceLock<Dispatch> = OnceLock::new();

impl CapturedLog {
    pub fn start() -> Self {
        SECOND.get_or_init(|| Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish()));
        let text = Arc::new(Mutex::new(Vec::new()));
        let own = text.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Lines(own.clone())).finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// What was logged since the last call.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.lock().unwrap())).unwrap()
    }
}
