//! The sink: takes a POST, notes its `"key"`, answers 202 after the latency that was asked for, and counts.
//!
//! `GET /stats` tells what came, `GET /wait?unique=N` tells it as soon as so many different ones have come (or after
//! a quarter of a second), `POST /reset?latency_ms=N` forgets it. Just enough of HTTP/1.1 for clients that keep their
//! connections; nothing here is fit for a network.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Problem;

/// How often a wait looks, and how long it lasts at most.
const TICK: Duration = Duration::from_millis(1);
const WAIT_TICKS: u32 = 250;

/// What has come.
struct Counts {
    latency: Duration,
    taken: u64,
    keys: HashSet<u64>,
    first: Option<Instant>,
    last: Option<Instant>,
}

type Shared = Arc<Mutex<Counts>>;

/// Listens until it is killed.
pub(crate) async fn serve(address: &str) -> Result<(), Problem> {
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    let counts: Shared = Arc::new(Mutex::new(Counts {
        latency: Duration::ZERO,
        taken: 0,
        keys: HashSet::new(),
        first: None,
        last: None,
    }));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, Arc::clone(&counts)));
    }
}

/// Serves one connection until its end.
async fn connection(mut stream: TcpStream, counts: Shared) -> Result<(), Problem> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let Some((head, length)) = request(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        let answer = answer(&buffer[..head], &buffer[head..head + length], &counts).await;
        buffer.drain(..head + length);
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Reads one whole request: how long its head and its body are. Nothing at the connection's end.
async fn request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> Result<Option<(usize, usize)>, Problem> {
    loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            let head = end + 4;
            let length = content_length(&buffer[..head])?;
            if buffer.len() >= head + length {
                return Ok(Some((head, length)));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn answer(head: &[u8], body: &[u8], counts: &Shared) -> String {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.starts_with(b"GET /stats") {
        return reply("200 OK", &stats(counts));
    }
    if line.starts_with(b"GET /wait") {
        wait(named(line, b"unique="), counts).await;
        return reply("200 OK", &stats(counts));
    }
    if line.starts_with(b"POST /reset") {
        let number = named(line, b"latency_ms=");
        let mut counts = lock(counts);
        counts.latency = Duration::from_millis(number);
        (counts.taken, counts.first, counts.last) = (0, None, None);
        counts.keys.clear();
        return reply("200 OK", "{}");
    }
    let latency = lock(counts).latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let number = note(body, counts);
    reply("202 Accepted", &format!("{{\"id\":\"{number}\"}}"))
}

/// Waits until so many different messages have come. Who measures must not ask again and again: that would take
/// from the processor what is to be measured.
async fn wait(unique: u64, counts: &Shared) {
    for _ in 0..WAIT_TICKS {
        if lock(counts).keys.len() as u64 >= unique {
            return;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Counts one message; the answer is its number.
fn note(body: &[u8], counts: &Shared) -> u64 {
    let key = find(body, b"\"key\":\"").map_or(body, |at| {
        let rest = &body[at + 7..];
        let end = rest.iter().position(|byte| *byte == b'"');
        &rest[..end.unwrap_or(rest.len())]
    });
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let now = Instant::now();
    let mut counts = lock(counts);
    counts.taken += 1;
    counts.keys.insert(hasher.finish());
    counts.first.get_or_insert(now);
    counts.last = Some(now);
    counts.taken
}

fn stats(counts: &Shared) -> String {
    let counts = lock(counts);
    let between = counts.first.zip(counts.last);
    let steady = between.map_or(0.0, |(first, last)| (last - first).as_secs_f64());
    format!(
        "{{\"taken\":{},\"unique\":{},\"steady_seconds\":{steady:.6}}}",
        counts.taken,
        counts.keys.len()
    )
}

fn reply(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn content_length(head: &[u8]) -> Result<usize, Problem> {
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    Ok(length.map_or(Ok(0), |length| length.trim().parse())?)
}

fn named(line: &[u8], name: &[u8]) -> u64 {
    find(line, name).map_or(0, |at| digits(&line[at + name.len()..]))
}

fn digits(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn lock(counts: &Shared) -> std::sync::MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
