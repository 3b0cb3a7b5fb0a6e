//! One SMTP session (RFC 5321): from the connection to any number of mails, one after the other.
//!
//! Each command's reply is read before its meaning is used; commands travel together where the relay
//! offers PIPELINING (RFC 2920). The final dot is a step of its own: only its reply decides. A
//! session that stopped anywhere unclear is dropped, never asked again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::envelope::{Mail, Offers};
use super::link::{Link, Stream};
use super::outcome::{Broken, Phase, Stop, Why};
use super::reply::Reply;
use super::tls::Tls;
use super::{Login, Settings, Timeouts, TlsMode};
use crate::clock::Mono;

/// A greeted (and where configured encrypted and authenticated) session between two mails.
pub(super) struct Session {
    link: Link,
    offers: Offers,
    timeouts: Timeouts,
    /// How many transactions it has begun.
    mails: u32,
    /// Whether the last transaction was refused midway and must be cleared by RSET.
    open_transaction: bool,
    rested: Mono,
}

impl Session {
    /// Connects and comes as far as the first MAIL.
    pub(super) async fn open(settings: &Settings, tls: Option<&Tls>) -> Result<Self, Stop> {
        let stream = connect(settings).await?;
        let stream = match (settings.tls, tls) {
            (TlsMode::Implicit, Some(tls)) => encrypt(stream, tls, settings).await?,
            _ => stream,
        };
        let mut session = Self {
            link: Link::over(stream),
            offers: Offers::default(),
            timeouts: settings.timeouts,
            mails: 0,
            open_transaction: false,
            rested: Mono::now(),
        };
        let greeting = session.link.reply(session.timeouts.greeting).await;
        expect(Phase::Greeting, greeting)?;
        session.hello(&settings.hello_name).await?;
        if let (TlsMode::StartTls, Some(tls)) = (settings.tls, tls) {
            session = session.start_tls(tls, settings).await?;
            session.hello(&settings.hello_name).await?;
        }
        if let Some(login) = &settings.login {
            session.log_in(login).await?;
        }
        Ok(session)
    }

    async fn hello(&mut self, name: &str) -> Result<(), Stop> {
        let reply = self.ask(Phase::Hello, &format!("EHLO {name}\r\n")).await?;
        self.offers = Offers::read(&reply.lines);
        Ok(())
    }

    /// What came in clear, offers included, is forgotten.
    async fn start_tls(mut self, tls: &Tls, settings: &Settings) -> Result<Self, Stop> {
        if !self.offers.starttls {
            let missing = Broken::NotOffered("STARTTLS");
            return Err(Stop::broken(Phase::StartTls, missing));
        }
        self.ask(Phase::StartTls, "STARTTLS\r\n").await?;
        let clear = self.link.into_stream();
        let clear = clear.map_err(|broken| Stop::broken(Phase::StartTls, broken))?;
        self.link = Link::over(encrypt(clear, tls, settings).await?);
        self.offers = Offers::default();
        Ok(self)
    }

    /// AUTH PLAIN (RFC 4616). Plain text never leaves this machine: [`connect`] sees to it.
    async fn log_in(&mut self, login: &Login) -> Result<(), Stop> {
        if !self.offers.auth_plain {
            let missing = Broken::NotOffered("AUTH PLAIN");
            return Err(Stop::broken(Phase::Auth, missing));
        }
        let secret = format!("\0{}\0{}", login.user, login.password.expose_secret());
        let command = format!("AUTH PLAIN {}\r\n", BASE64.encode(secret));
        self.ask(Phase::Auth, &command).await.map(|_| ())
    }

    /// Whether it may carry another mail, after this rest and this many mails.
    pub(super) fn is_worn(&self, settings: &Settings) -> bool {
        self.mails >= settings.mails_per_connection || self.rested.elapsed() >= settings.idle
    }

    /// Notes that it rests from now on.
    pub(super) fn rest(&mut self) {
        self.rested = Mono::now();
    }

    /// Makes a session that has rested ready for MAIL. One that is not is dropped by the caller.
    pub(super) async fn wake(&mut self) -> Result<(), Stop> {
        if !self.link.is_quiet().await {
            return Err(Stop::broken(Phase::Reset, Broken::Unasked));
        }
        if self.open_transaction {
            self.ask(Phase::Reset, "RSET\r\n").await?;
            self.open_transaction = false;
        }
        Ok(())
    }

    /// Writes one mail up to its last byte, without the final dot.
    pub(super) async fn write(&mut self, mail: &Mail) -> Result<(), Stop> {
        if let Some(what) = mail.obstacle(&self.offers) {
            return Err(Stop::unwritten(Why::Unfit(what)));
        }
        self.mails += 1;
        self.open_transaction = true;
        self.envelope(mail).await?;
        let body = self.link.write(&mail.stuffed, self.timeouts.body).await;
        body.map_err(|broken| Stop::broken(Phase::Body, broken))
    }

    /// Writes the final dot and reads what became of the mail: 2yz, or an error of phase dot.
    pub(super) async fn dot(&mut self) -> Result<Reply, Stop> {
        let reply = self.link.ask(b".\r\n", self.timeouts.dot).await;
        self.open_transaction = false;
        expect(Phase::Dot, reply)
    }

    /// MAIL, RCPT and DATA, each with its reply read and right.
    async fn envelope(&mut self, mail: &Mail) -> Result<(), Stop> {
        let commands = [
            (Phase::Mail, mail.mail_command(&self.offers)),
            (Phase::Rcpt, mail.rcpt_command(&self.offers)),
            (Phase::Data, "DATA\r\n".to_owned()),
        ];
        if self.offers.pipelining {
            return self.envelope_at_once(&commands).await;
        }
        for (phase, command) in &commands {
            self.ask(*phase, command).await?;
        }
        Ok(())
    }

    /// One write for the group, then every reply of it, whatever the first ones say: a reply left
    /// unread would be taken for that of the next mail.
    async fn envelope_at_once(&mut self, commands: &[(Phase, String); 3]) -> Result<(), Stop> {
        let group: String = commands
            .iter()
            .map(|(_, command)| command.as_str())
            .collect();
        let written = self
            .link
            .write(group.as_bytes(), self.timeouts.command)
            .await;
        written.map_err(|broken| Stop::broken(Phase::Mail, broken))?;
        let mut first: Option<Stop> = None;
        for (phase, _) in commands {
            let reply = self.link.reply(self.timeouts.command).await;
            match (expect(*phase, reply), &mut first) {
                (Ok(_), None) => {}
                (Ok(_), Some(stop)) if *phase == Phase::Data => {
                    self.end_empty(stop.phase).await;
                    stop.usable = false;
                }
                (Ok(_), Some(_)) => {}
                (Err(stop), None) => first = Some(stop),
                (Err(stop), Some(first)) => first.usable &= stop.usable,
            }
            if let Some(stop) = first.take_if(|stop| !stop.usable) {
                return Err(stop);
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// The relay waits for a body though it refused the recipient: RFC 2920, 3.1 wants a lone dot.
    /// Nobody would get it. Had it refused only the sender, somebody might: then not even the dot.
    async fn end_empty(&mut self, refused: Phase) {
        if refused == Phase::Rcpt {
            // The session is dropped next, whatever becomes of this.
            let _ = self.link.write(b".\r\n", self.timeouts.command).await;
        }
    }

    /// One command and its reply.
    async fn ask(&mut self, phase: Phase, command: &str) -> Result<Reply, Stop> {
        let limit = self.timeouts.command;
        expect(phase, self.link.ask(command.as_bytes(), limit).await)
    }

    /// Says goodbye without waiting for the answer.
    pub(super) async fn quit(mut self) {
        // It is dropped next; a relay that no longer listens changes nothing.
        let _ = self.link.write(b"QUIT\r\n", self.timeouts.command).await;
    }
}

/// The reply if it is the one that lets the session go on: 354 to DATA, 2yz to the rest.
fn expect(phase: Phase, reply: Result<Reply, Broken>) -> Result<Reply, Stop> {
    let reply = reply.map_err(|broken| Stop::broken(phase, broken))?;
    let good = match phase == Phase::Data {
        true => reply.code == 354,
        false => reply.class() == 2,
    };
    match good {
        true => Ok(reply),
        false => Err(Stop::replied(phase, reply)),
    }
}

async fn connect(settings: &Settings) -> Result<Box<dyn Stream>, Stop> {
    let stop = |broken| Stop::broken(Phase::Connect, broken);
    let lost = |error: std::io::Error| stop(Broken::Lost(error.kind()));
    let address = (settings.host.as_str(), settings.port);
    let stream = timeout(settings.timeouts.connect, TcpStream::connect(address))
        .await
        .map_err(|_| stop(Broken::Silent))?
        .map_err(lost)?;
    // Without it each mail waits for a delayed acknowledgement: measured 22 mails a second.
    stream.set_nodelay(true).map_err(lost)?;
    let here = stream
        .peer_addr()
        .map_err(lost)?
        .ip()
        .to_canonical()
        .is_loopback();
    match settings.tls == TlsMode::Plain && !here {
        true => Err(stop(Broken::PlainAbroad)),
        false => Ok(Box::new(stream)),
    }
}

async fn encrypt(
    stream: Box<dyn Stream>,
    tls: &Tls,
    settings: &Settings,
) -> Result<Box<dyn Stream>, Stop> {
    let encrypted = tls.wrap(stream, settings.timeouts.tls).await;
    encrypted.map_err(|broken| Stop::broken(Phase::Tls, broken))
}
