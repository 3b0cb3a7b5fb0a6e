//! One SMTP session: which command is right when, and what is answered.
//!
//! Replies follow RFC 5321 with the enhanced codes of RFC 3463. Nothing is kept before the dot.

use tokio::net::TcpStream;

use super::{MAIL_OCTETS, MailMode, Mailbox, REFUSED_PREFIX};
use crate::inbound::smtp_lines::{Data, LineError, Lines, announced_size, path};

/// Recipients of one mail (RFC 5321, 4.5.3.1.8).
const RECIPIENTS: usize = 100;
/// Commands of one session: far more than an honest client needs.
const COMMANDS: usize = 100_000;

/// The mail that is being handed over.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

/// Speaks until the client quits, hangs up or breaks a limit.
pub(super) async fn talk(stream: TcpStream, mailbox: &Mailbox) -> Result<(), LineError> {
    // Small answers must not wait for the client's delayed acknowledgement.
    stream.set_nodelay(true)?;
    let mut lines = Lines::new(stream);
    lines.reply("220 sandbox.varsel.example ESMTP, delivers nothing");
    let mut envelope = Envelope::default();
    for _ in 0..COMMANDS {
        let command = match lines.command().await {
            Ok(command) => command,
            Err(LineError::TooLong) => {
                lines.reply("500 5.5.2 Line too long");
                return lines.flush().await;
            }
            Err(gone) => return Err(gone),
        };
        let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
        match verb.to_ascii_uppercase().as_str() {
            "DATA" => data(&mut lines, mailbox, &mut envelope).await?,
            "QUIT" => {
                lines.reply("221 2.0.0 Bye");
                return lines.flush().await;
            }
            verb => {
                let answer = envelope.answer(verb, rest, mailbox.mode());
                lines.reply(&answer);
            }
        }
    }
    lines.reply("421 4.7.0 Too many commands");
    lines.flush().await
}

impl Envelope {
    fn answer(&mut self, verb: &str, rest: &str, mode: MailMode) -> String {
        match verb {
            "HELO" | "EHLO" => {
                *self = Self::default();
                greeting(verb)
            }
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest, mode),
            "RSET" => {
                *self = Self::default();
                "250 2.0.0 Forgotten".to_owned()
            }
            "NOOP" => "250 2.0.0 Still here".to_owned(),
            "VRFY" => "252 2.5.0 Try it".to_owned(),
            _ => "500 5.5.1 Unknown command".to_owned(),
        }
    }

    fn mail(&mut self, rest: &str) -> String {
        if self.from.is_some() {
            return "503 5.5.1 One mail at a time".to_owned();
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return "501 5.5.4 Say MAIL FROM:<address>".to_owned();
        };
        if announced_size(parameters) > MAIL_OCTETS {
            return "552 5.3.4 The mail is too large".to_owned();
        }
        self.from = Some(from.to_owned());
        "250 2.1.0 Sender taken".to_owned()
    }

    fn rcpt(&mut self, rest: &str, mode: MailMode) -> String {
        if self.from.is_none() {
            return "503 5.5.1 MAIL first".to_owned();
        }
        let Some((to, _)) = path(rest, "TO:").filter(|(to, _)| to.contains('@')) else {
            return "501 5.1.3 Say RCPT TO:<address>".to_owned();
        };
        if mode == MailMode::Failing {
            return "451 4.3.0 The sandbox plays a failing mail server".to_owned();
        }
        if to.starts_with(REFUSED_PREFIX) {
            return "550 5.1.1 No such mailbox".to_owned();
        }
        if self.to.len() == RECIPIENTS {
            return "452 4.5.3 Too many recipients".to_owned();
        }
        self.to.push(to.to_owned());
        "250 2.1.5 Recipient taken".to_owned()
    }
}

async fn data(
    lines: &mut Lines<TcpStream>,
    mailbox: &Mailbox,
    envelope: &mut Envelope,
) -> Result<(), LineError> {
    let Envelope { from, to } = std::mem::take(envelope);
    let Some(from) = from.filter(|_| !to.is_empty()) else {
        lines.reply("503 5.5.1 MAIL and RCPT first");
        return Ok(());
    };
    lines.reply("354 Go on, and end with a dot");
    let answer = match lines.data(MAIL_OCTETS).await? {
        Data::TooLarge => "552 5.3.4 The mail is too large".to_owned(),
        Data::Mail(_) if mailbox.mode() == MailMode::Refusing => {
            "554 5.6.0 The sandbox plays a refusing mail server".to_owned()
        }
        Data::Mail(raw) => format!("250 2.0.0 Kept as {}", mailbox.take(from, to, raw)),
    };
    lines.reply(&answer);
    Ok(())
}

fn greeting(verb: &str) -> String {
    if verb == "HELO" {
        return "250 sandbox.varsel.example".to_owned();
    }
    format!(
        "250-sandbox.varsel.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n\
         250 SIZE {MAIL_OCTETS}"
    )
}
