//! The one table from what happened in an SMTP session to an outcome. Pure.
//!
//! Everything before the final dot is certain: no server may deliver a mail whose end it never saw.
//! After the first byte of the dot only a reply is.
//!
//! | where it stopped | what happened | outcome |
//! |---|---|---|
//! | before the dot | no reply, closed, garbage, a reply that is neither 4yz nor 5yz | not sent |
//! | greeting, EHLO, STARTTLS, AUTH | 5yz, TLS refused, not offered | not sent, account: our side is wrong |
//! | RCPT | 4yz, but not 421 or 4.3.x and 4.4.x | not sent: it speaks of this mailbox |
//! | anywhere | 4yz, 421 included | not sent |
//! | anywhere | 530, 535 | not sent, account: the relay does not know us |
//! | MAIL | 5yz that speaks of this mail (552, 5.3.4, 5.6.x) | refused |
//! | MAIL | any other 5yz: it speaks of the sender, which is the same for every mail | not sent, account |
//! | RCPT, DATA, dot | 5yz | refused |
//! | dot | 2yz | accepted |
//! | dot | anything else, or nothing | unknown |
//!
//! Causes name the phase and the codes, never the server's text: it repeats the person's address.

use std::fmt;

use super::reply::{Enhanced, Reply};
use super::wire::Unfit;
use crate::domain::outcome::{Blame, Outcome};

/// The steps of a session, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Connect,
    Greeting,
    Hello,
    StartTls,
    Tls,
    Auth,
    Reset,
    Mail,
    Rcpt,
    Data,
    Body,
    Dot,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the connection",
            Self::Greeting => "the greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Tls => "the TLS handshake",
            Self::Auth => "AUTH",
            Self::Reset => "RSET",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "the body",
            Self::Dot => "the final dot",
        })
    }
}

/// Why a step got no usable reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("no reply in time")]
    Silent,
    #[error("the relay closed the connection")]
    Closed,
    #[error("the connection failed ({0})")]
    Lost(std::io::ErrorKind),
    #[error("what came is not SMTP")]
    Garbled,
    #[error("the relay sent something unasked")]
    Unasked,
    #[error("the relay does not offer {0}, which the configuration demands")]
    NotOffered(&'static str),
    #[error("no trust: {0}")]
    Distrusted(String),
    #[error("tls = \"plain\" is for this machine only, and the relay is on another")]
    PlainAbroad,
}

impl Broken {
    /// Whether waiting does not help: a person must change the configuration or the relay.
    fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::NotOffered(_) | Self::Distrusted(_) | Self::PlainAbroad
        )
    }
}

/// What ended a session or transaction early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The relay said so.
    Replied(Reply),
    /// No usable reply.
    Broken(Broken),
    /// This mail cannot be carried by this relay; nothing was written.
    Unfit(&'static str),
    /// The lease would be over before the end; nothing was written.
    TooLate,
}

/// Where and why it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) phase: Phase,
    pub(super) why: Why,
    /// Whether every reply was read and the session may carry another mail.
    pub(super) usable: bool,
}

impl Stop {
    pub(super) fn broken(phase: Phase, why: Broken) -> Self {
        let why = Why::Broken(why);
        Self {
            phase,
            why,
            usable: false,
        }
    }

    /// Nothing of the transaction was written: the session is as good as before.
    pub(super) fn unwritten(why: Why) -> Self {
        let phase = Phase::Mail;
        Self {
            phase,
            why,
            usable: true,
        }
    }

    /// A reply that ends the transaction; 421 announces that the relay closes (RFC 5321, 3.8).
    pub(super) fn replied(phase: Phase, reply: Reply) -> Self {
        let usable = reply.code != 421 && matches!(reply.class(), 4 | 5);
        let why = Why::Replied(reply);
        Self { phase, why, usable }
    }

    /// Whether a connection kept from earlier had died before it answered anything, so that a new
    /// one may be tried at once.
    pub(super) fn is_stale(&self) -> bool {
        let died = match &self.why {
            Why::Broken(broken) => matches!(broken, Broken::Closed | Broken::Lost(_)),
            Why::Replied(reply) => reply.code == 421,
            Why::Unfit(_) | Why::TooLate => false,
        };
        died && self.phase == Phase::Mail
    }

    /// The outcome of the table above.
    pub(super) fn outcome(&self) -> Outcome {
        match &self.why {
            Why::Unfit(what) => Outcome::Refused {
                cause: (*what).to_owned(),
            },
            Why::TooLate => {
                let cause = "too late to start: the lease would end before the mail is written";
                not_sent(cause.to_owned(), Blame::Message)
            }
            Why::Broken(broken) => {
                let cause = format!("{}: {broken}", self.phase);
                match self.phase == Phase::Dot {
                    true => Outcome::Unknown { cause },
                    false if broken.is_ours() => not_sent(cause, Blame::Account),
                    false => not_sent(cause, Blame::Gateway),
                }
            }
            Why::Replied(reply) => of_reply(self.phase, reply),
        }
    }
}

/// The outcome of the reply to the final dot, or of one that ended a transaction early.
pub(super) fn of_reply(phase: Phase, reply: &Reply) -> Outcome {
    let cause = cause(phase, reply);
    match reply.class() {
        2 if phase == Phase::Dot => Outcome::Accepted {
            gateway_id: reply.queue_id(),
        },
        4 if phase == Phase::Rcpt && speaks_of_the_mailbox(reply) => {
            not_sent(cause, Blame::Message)
        }
        4 => not_sent(cause, Blame::Gateway),
        5 => match verdict(phase, reply) {
            Never::ThisMail => Outcome::Refused { cause },
            Never::OurSide => not_sent(cause, Blame::Account),
        },
        _ if phase == Phase::Dot => Outcome::Unknown { cause },
        _ => not_sent(cause, Blame::Gateway),
    }
}

/// Whom a 5yz speaks of.
enum Never {
    ThisMail,
    OurSide,
}

fn verdict(phase: Phase, reply: &Reply) -> Never {
    match phase {
        _ if matches!(reply.code, 530 | 535) => Never::OurSide,
        Phase::Mail if speaks_of_the_mail(reply) => Never::ThisMail,
        Phase::Mail => Never::OurSide,
        Phase::Rcpt | Phase::Data | Phase::Body | Phase::Dot => Never::ThisMail,
        Phase::Connect
        | Phase::Greeting
        | Phase::Hello
        | Phase::StartTls
        | Phase::Tls
        | Phase::Auth
        | Phase::Reset => Never::OurSide,
    }
}

/// Not of the relay itself (RFC 3463, 3.4 and 3.5), which has troubles for everybody.
fn speaks_of_the_mailbox(reply: &Reply) -> bool {
    reply.code != 421 && !matches!(reply.enhanced, Some(Enhanced(_, 3 | 4, _)))
}

/// Too large, or in an encoding that the relay does not take.
fn speaks_of_the_mail(reply: &Reply) -> bool {
    reply.code == 552 || matches!(reply.enhanced, Some(Enhanced(5, 3, 4) | Enhanced(5, 6, _)))
}

fn not_sent(cause: String, blame: Blame) -> Outcome {
    Outcome::NotSent {
        cause,
        retry_after: None,
        blame,
    }
}

/// The relay answered every step in time, but not all of them.
pub(super) fn too_slow() -> Outcome {
    let cause = "the relay was too slow: the time for everything before the final dot is over";
    not_sent(cause.to_owned(), Blame::Gateway)
}

/// The bytes cannot go through SMTP.
pub(super) fn unfit(unfit: Unfit) -> Outcome {
    Outcome::Refused {
        cause: format!("the mail cannot be carried by SMTP: {unfit}"),
    }
}

fn cause(phase: Phase, reply: &Reply) -> String {
    let code = reply.code;
    match reply.enhanced {
        None => format!("the relay answered {code} to {phase}"),
        Some(enhanced) => {
            let meaning = meaning(enhanced);
            format!("the relay answered {code} {enhanced} to {phase}{meaning}")
        }
    }
}

/// The enhanced codes people meet (RFC 3463, RFC 7505, RFC 7372), in words.
pub(super) fn meaning(Enhanced(_, subject, detail): Enhanced) -> &'static str {
    match (subject, detail) {
        (1, 1) => ": no such mailbox",
        (1, 2 | 10) => ": no such domain",
        (1, 8) | (1, 7) => ": it does not like our sender address",
        (2, 1) => ": the mailbox is closed",
        (2, 2) => ": the mailbox is full",
        (3, 4) | (2, 3) => ": the mail is too large",
        (7, 8) => ": wrong user name or password",
        (7, _) => ": forbidden by its policy",
        _ => "",
    }
}
