//! A small HTTP server that misbehaves on purpose, on a real socket, and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Answers, and reads the next request on the same connection.
    Answer(Vec<u8>),
    /// Sends these bytes of an answer, and closes.
    Close(Vec<u8>),
    /// Sends these bytes of an answer, and resets the connection.
    Reset(Vec<u8>),
    /// Sends these bytes of an answer, and then nothing more.
    Hang(Vec<u8>),
    /// Answers, and does the other thing with the next request on the same connection, come what may.
    AnswerThen(Vec<u8>, Box<Fault>),
    /// Reads so many bytes of the request, and resets the connection.
    ResetAfterReading(usize),
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `POST /path HTTP/1.1`
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// All of it, in bytes.
    pub(crate) length: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "the header {name} came twice");
        first
    }
}

#[derive(Debug)]
struct Shared {
    fault: Fault,
    seen: Vec<Seen>,
    connections: usize,
}

/// The server; it ends with this value.
#[derive(Debug)]
pub(crate) struct HttpFault {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

impl Drop for HttpFault {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpFault {
    pub(crate) async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            fault,
            seen: Vec::new(),
            connections: 0,
        }));
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.lock().unwrap().connections += 1;
                // What the client broke off is the test's own doing.
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self {
            address,
            shared,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/send", self.address)
    }

    /// From now on the server does this.
    pub(crate) fn now(&self, fault: Fault) {
        self.shared.lock().unwrap().fault = fault;
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.shared.lock().unwrap().seen)
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().unwrap().connections
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) -> std::io::Result<()> {
    let (mut bytes, mut next) = (Vec::new(), None);
    loop {
        let fault = next.take();
        let fault = fault.unwrap_or_else(|| shared.lock().unwrap().fault.clone());
        if let Fault::ResetAfterReading(limit) = fault {
            while bytes.len() < limit && stream.read_buf(&mut bytes).await? > 0 {}
            return stream.set_zero_linger();
        }
        let seen = loop {
            if let Some(seen) = parse(&bytes) {
                bytes.drain(..seen.length);
                break seen;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        shared.lock().unwrap().seen.push(seen);
        match fault {
            Fault::Answer(answer) => stream.write_all(&answer).await?,
            Fault::AnswerThen(answer, then) => {
                stream.write_all(&answer).await?;
                next = Some(*then);
            }
            Fault::Close(answer) => return stream.write_all(&answer).await,
            Fault::Reset(answer) => {
                stream.write_all(&answer).await?;
                return stream.set_zero_linger();
            }
            Fault::Hang(answer) => {
                stream.write_all(&answer).await?;
                // Waits until the client gives up.
                while stream.read_buf(&mut bytes).await? > 0 {}
            }
            Fault::ResetAfterReading(_) => return Ok(()),
        }
    }
}

/// The first whole request in `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Option<Seen> {
    let head_end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end - 4]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header has a colon");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers: Vec<_> = lines.map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let body = bytes.get(head_end..head_end + length)?.to_vec();
    let length = head_end + length;
    Some(Seen {
        line,
        headers,
        body,
        length,
    })
}

/// A whole answer with a length.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}
