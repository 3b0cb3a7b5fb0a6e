//! One LMTP session: which command is right when, and what is answered (RFC 2033; codes of RFC 5321
//! and RFC 3463).

use tokio_util::sync::CancellationToken;

use super::{Limits, Mail, MailDesk, Stream, TurnedAway};
use crate::inbound::routes::Taken;
use crate::inbound::smtp_lines::{Data, LineError, Lines, announced_size, path};

/// Commands of one session: far more than an honest client needs.
const COMMANDS: usize = 10_000;

/// Speaks until the client quits, hangs up or breaks a limit, or the daemon stops.
pub(super) async fn converse(
    stream: Stream,
    desk: &dyn MailDesk,
    limits: Limits,
    stop: &CancellationToken,
) {
    let mut session = Session {
        lines: Lines::with_silence(stream, limits.silence),
        desk,
        limits,
        envelope: None,
    };
    let talk = tokio::time::timeout(limits.session, session.talk(stop));
    let farewell = match talk.await {
        Ok(Ok(())) | Ok(Err(LineError::Closed | LineError::Io(_))) => return,
        Ok(Err(LineError::TooLong)) => "500 5.5.2 The line is too long",
        Ok(Err(LineError::Silent)) => "421 4.4.2 Silent for too long",
        Err(_) => "421 4.4.2 The session lasted too long",
    };
    session.lines.reply(farewell);
    // The client may be gone already.
    let _ = session.lines.flush().await;
}

/// The mail that is being handed over.
#[derive(Default)]
struct Envelope {
    to: Vec<String>,
}

struct Session<'a> {
    lines: Lines<Stream>,
    desk: &'a dyn MailDesk,
    limits: Limits,
    envelope: Option<Envelope>,
}

impl Session<'_> {
    async fn talk(&mut self, stop: &CancellationToken) -> Result<(), LineError> {
        self.lines
            .reply("220 varsel LMTP, takes only mails that come back");
        for _ in 0..COMMANDS {
            let Some(command) = stop.run_until_cancelled(self.lines.command()).await else {
                self.lines.reply("421 4.3.2 Stopping, try again soon");
                return self.lines.flush().await;
            };
            let command = command?;
            let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
            match verb.to_ascii_uppercase().as_str() {
                "DATA" => self.data(stop).await?,
                "QUIT" => {
                    self.lines.reply("221 2.0.0 Bye");
                    return self.lines.flush().await;
                }
                verb => {
                    let answer = self.answer(verb, rest);
                    self.lines.reply(&answer);
                }
            }
        }
        self.lines.reply("421 4.7.0 Too many commands");
        self.lines.flush().await
    }

    fn answer(&mut self, verb: &str, rest: &str) -> String {
        match verb {
            "LHLO" => {
                self.envelope = None;
                format!(
                    "250-varsel\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n\
                     250-SMTPUTF8\r\n250 SIZE {}",
                    self.limits.mail_octets
                )
            }
            "HELO" | "EHLO" => "500 5.5.1 This is LMTP: say LHLO".to_owned(),
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "RSET" => {
                self.envelope = None;
                "250 2.0.0 Forgotten".to_owned()
            }
            "NOOP" => "250 2.0.0 Still here".to_owned(),
            "VRFY" => "252 2.5.0 Try it".to_owned(),
            _ => "500 5.5.1 Unknown command".to_owned(),
        }
    }

    fn mail(&mut self, rest: &str) -> String {
        if self.envelope.is_some() {
            return "503 5.5.1 One mail at a time".to_owned();
        }
        // Whom it is from says nothing: a bounce has no sender, and the token is the proof.
        let Some((_, parameters)) = path(rest, "FROM:") else {
            return "501 5.5.4 Say MAIL FROM:<address>".to_owned();
        };
        if announced_size(parameters) > self.limits.mail_octets {
            self.desk.turned_away(TurnedAway::TooLarge);
            return "552 5.3.4 The mail is too large".to_owned();
        }
        self.envelope = Some(Envelope::default());
        "250 2.1.0 Sender taken".to_owned()
    }

    fn rcpt(&mut self, rest: &str) -> String {
        let Some(envelope) = &mut self.envelope else {
            return "503 5.5.1 MAIL first".to_owned();
        };
        let Some((to, _)) = path(rest, "TO:") else {
            return "501 5.1.3 Say RCPT TO:<address>".to_owned();
        };
        if envelope.to.len() >= self.limits.recipients {
            return "452 4.5.3 Too many recipients".to_owned();
        }
        if !self.desk.expects(to) {
            return "550 5.1.1 No such mailbox".to_owned();
        }
        envelope.to.push(to.to_owned());
        "250 2.1.5 Recipient taken".to_owned()
    }

    /// Reads the mail and answers once for each recipient, in order (RFC 2033, 4.2).
    async fn data(&mut self, stop: &CancellationToken) -> Result<(), LineError> {
        let to = self.envelope.take().map(|envelope| envelope.to);
        let Some(to) = to.filter(|to| !to.is_empty()) else {
            self.lines.reply("503 5.5.1 MAIL and RCPT first");
            return Ok(());
        };
        self.lines.reply("354 Go on, and end with a dot");
        let data = stop.run_until_cancelled(self.lines.data(self.limits.mail_octets));
        let Some(data) = data.await else {
            // The loop says the farewell; the client keeps its mail.
            return Ok(());
        };
        let data = data.inspect_err(|_| self.desk.turned_away(TurnedAway::Incomplete))?;
        let Data::Mail(mail) = data else {
            self.desk.turned_away(TurnedAway::TooLarge);
            for _ in to {
                self.lines.reply("552 5.3.4 The mail is too large");
            }
            return Ok(());
        };
        let mail = Mail(mail.into());
        for recipient in to {
            let taken = self.desk.take(recipient, mail.clone()).await;
            self.lines.reply(match taken {
                Taken::Kept => "250 2.0.0 Kept",
                // Refusing it would only send it round once more.
                Taken::Unreadable => "250 2.0.0 Taken, though it says nothing",
                Taken::Unknown => "550 5.1.1 No such mailbox",
                Taken::Failed => "451 4.3.0 It could not be written, try again",
            });
        }
        Ok(())
    }
}
