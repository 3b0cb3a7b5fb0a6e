//! An SMTP server that misbehaves to order, on a real socket, and remembers what it saw.
//!
//! Where the script is silent it behaves well. It never delivers anything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The places where it can misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Dot,
    /// After the reply to the dot, between two mails.
    Rest,
}

/// What it does there instead of the good answer.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Says these bytes.
    Say(&'static str),
    /// Says these bytes and closes.
    SayAndClose(&'static str),
    /// Closes without a word.
    Close,
    /// Never says anything again, but keeps the connection.
    Silence,
    /// Waits for [`FaultServer::release`], then says these bytes.
    Hold(&'static str),
    /// A line that does not end, longer than any reply may be.
    Endless,
}

/// What to do on each connection. The acts of a place are used up one by one, over all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// The lines of the answer to EHLO behind the greeting.
    pub(crate) offers: &'static [&'static str],
    /// The acts, by place.
    pub(crate) acts: BTreeMap<At, Vec<Act>>,
    /// Answers MAIL only when RCPT and DATA have come too: shows that they travel together.
    pub(crate) wants_group: bool,
    /// Closes after so many bytes of replies.
    pub(crate) reply_bytes: Option<usize>,
}

impl Script {
    pub(crate) fn offering(offers: &'static [&'static str]) -> Self {
        Self {
            offers,
            ..Self::default()
        }
    }

    /// Adds what to do the next time it comes to `at`.
    pub(crate) fn then(mut self, at: At, act: Act) -> Self {
        self.acts.entry(at).or_default().insert(0, act);
        self
    }
}

/// What it saw and said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many connections were made.
    pub(crate) connections: usize,
    /// The most that were open at once.
    pub(crate) most_at_once: usize,
    /// Every command line, with the number of its connection.
    pub(crate) commands: Vec<(usize, String)>,
    /// Every body whose end came, without the dot, still stuffed.
    pub(crate) bodies: Vec<String>,
    /// The recipients of the mails to which it said 2yz in full.
    pub(crate) accepted: Vec<String>,
    /// The bytes of all replies.
    pub(crate) said_bytes: usize,
    open: usize,
}

impl Seen {
    /// The verbs of the commands, in order.
    pub(crate) fn verbs(&self) -> Vec<&str> {
        let verb = |line: &'_ str| line.split(' ').next().map_or(0, str::len);
        self.commands
            .iter()
            .map(|(_, line)| &line[..verb(line)])
            .collect()
    }
}

/// The running server; it ends with the test's runtime.
pub(crate) struct FaultServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    seen: Mutex<Seen>,
    /// Told when the end of a body has come.
    dot_came: Notify,
    /// Told when a connection has ended.
    closed: Notify,
    /// Told when a connection begins to hold a reply.
    held: Notify,
    released: Notify,
}

impl FaultServer {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            seen: Mutex::default(),
            dot_came: Notify::new(),
            closed: Notify::new(),
            held: Notify::new(),
            released: Notify::new(),
        });
        let server = Self {
            address,
            shared: Arc::clone(&shared),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = shared.note(|seen| {
                    seen.connections += 1;
                    seen.open += 1;
                    seen.most_at_once = seen.most_at_once.max(seen.open);
                    seen.connections
                });
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let mut connection = Connection::new(stream, number, &shared);
                    connection.run().await;
                    drop(connection);
                    shared.note(|seen| seen.open -= 1);
                    shared.closed.notify_one();
                });
            }
        });
        server
    }

    pub(crate) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many acts of the script are still to come.
    pub(crate) fn acts_to_come(&self) -> usize {
        let script = self.shared.script.lock().unwrap();
        script.acts.values().map(Vec::len).sum()
    }

    /// Returns when the end of a body has come.
    pub(crate) async fn dot_came(&self) {
        self.shared.dot_came.notified().await;
    }

    /// Returns when a connection has ended.
    pub(crate) async fn closed(&self) {
        self.shared.closed.notified().await;
    }

    /// Returns when a connection holds its reply.
    pub(crate) async fn held(&self) {
        self.shared.held.notified().await;
    }

    /// Lets the first connection that holds its reply say it.
    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }
}

impl Shared {
    fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap())
    }

    fn act(&self, at: At) -> Option<Act> {
        let mut script = self.script.lock().unwrap();
        script.acts.get_mut(&at).and_then(Vec::pop)
    }
}

/// Whether the connection goes on.
type Goes = Option<()>;

struct Connection<'a> {
    stream: BufReader<TcpStream>,
    number: usize,
    shared: &'a Shared,
    recipient: Option<String>,
    /// Replies kept back until the group is whole.
    kept: Option<String>,
}

impl<'a> Connection<'a> {
    fn new(stream: TcpStream, number: usize, shared: &'a Shared) -> Self {
        Self {
            stream: BufReader::new(stream),
            number,
            shared,
            recipient: None,
            kept: None,
        }
    }

    async fn run(&mut self) -> Goes {
        self.answer(At::Greeting, "220 fault.example ESMTP\r\n")
            .await?;
        loop {
            let line = self.line().await?;
            let number = self.number;
            self.shared
                .note(|seen| seen.commands.push((number, line.clone())));
            self.command(&line).await?;
        }
    }

    async fn command(&mut self, line: &str) -> Goes {
        let wants_group = self.shared.script.lock().unwrap().wants_group;
        match line.split([' ', ':']).next().unwrap() {
            "EHLO" => {
                let answer = self.offers();
                self.answer(At::Ehlo, &answer).await
            }
            "STARTTLS" => self.answer(At::StartTls, "454 4.7.0 no TLS here\r\n").await,
            "AUTH" => self.answer(At::Auth, "235 2.7.0 welcome\r\n").await,
            "MAIL" => {
                self.recipient = None;
                self.kept = wants_group.then(String::new);
                self.answer(At::Mail, "250 2.1.0 sender fine\r\n").await
            }
            "RCPT" => {
                let goes = self.answer(At::Rcpt, "250 2.1.5 recipient fine\r\n").await;
                let address = line.split(['<', '>']).nth(1).unwrap();
                self.recipient = Some(address.to_owned());
                goes
            }
            "DATA" => self.data().await,
            "RSET" => self.say("250 2.0.0 forgotten\r\n").await,
            "QUIT" => {
                self.say("221 2.0.0 bye\r\n").await;
                None
            }
            _ => self.say("500 5.5.2 what?\r\n").await,
        }
    }

    fn offers(&self) -> String {
        let offers = self.shared.script.lock().unwrap().offers;
        let mut lines = vec!["fault.example"];
        lines.extend(offers);
        let last = lines.pop().unwrap();
        let first: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        format!("{first}250 {last}\r\n")
    }

    /// DATA, and the body where the client was told to go on.
    async fn data(&mut self) -> Goes {
        let held = self.kept.take().unwrap_or_default();
        let act = self.shared.act(At::Data);
        let goes_on = match &act {
            None => true,
            Some(Act::Say(text) | Act::Hold(text)) => text.contains("354"),
            Some(_) => false,
        };
        self.say(&held).await?;
        self.perform(act, "354 go on\r\n").await?;
        if !goes_on {
            return Some(());
        }
        let mut body = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            body += &line;
            body += "\r\n";
        }
        self.shared.note(|seen| seen.bodies.push(body));
        self.shared.dot_came.notify_one();
        let act = self.shared.act(At::Dot);
        let good = match &act {
            None => true,
            Some(Act::Say(text) | Act::Hold(text)) => text.starts_with('2'),
            Some(_) => false,
        };
        self.perform(act, "250 2.0.0 Ok: queued as 4FAULT\r\n")
            .await?;
        if good {
            let recipient = self.recipient.take().unwrap_or_default();
            self.shared.note(|seen| seen.accepted.push(recipient));
        }
        match self.shared.act(At::Rest) {
            None => Some(()),
            act => self.perform(act, "").await,
        }
    }

    async fn answer(&mut self, at: At, good: &str) -> Goes {
        let act = self.shared.act(at);
        self.perform(act, good).await
    }

    async fn perform(&mut self, act: Option<Act>, good: &str) -> Goes {
        match act {
            None => self.say(good).await,
            Some(Act::Say(text)) => self.say(text).await,
            Some(Act::SayAndClose(text)) => {
                self.say(text).await;
                None
            }
            Some(Act::Close) => None,
            Some(Act::Hold(text)) => {
                self.shared.held.notify_one();
                self.shared.released.notified().await;
                self.say(text).await
            }
            Some(Act::Silence) => {
                // Until the client goes away; whatever it still sends is swallowed.
                let mut rest = Vec::new();
                let _ = self.stream.read_to_end(&mut rest).await;
                None
            }
            Some(Act::Endless) => self.say(&"2".repeat(64 * 1024)).await,
        }
    }

    async fn say(&mut self, text: &str) -> Goes {
        if let Some(kept) = &mut self.kept {
            kept.push_str(text);
            return Some(());
        }
        let left = self.shared.script.lock().unwrap().reply_bytes;
        let said = self.shared.note(|seen| seen.said_bytes);
        let most = left.map_or(usize::MAX, |left| left - said);
        let bytes = &text.as_bytes()[..text.len().min(most)];
        self.shared.note(|seen| seen.said_bytes += bytes.len());
        self.stream.write_all(bytes).await.ok()?;
        self.stream.flush().await.ok()?;
        (bytes.len() == text.len()).then_some(())
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.ok()?;
        // What ends without its line's end was cut off, and says nothing.
        let whole = line.strip_suffix('\n')?;
        Some(whole.trim_end_matches('\r').to_owned())
    }
}
