//! The e-mail channel: the bytes of a mail, and an SMTP session against servers that misbehave.

pub(crate) mod bounces;
pub(crate) mod compose;
mod connections;
mod cut_requests;
mod faults;

use std::time::Duration;

use varsel::channel::email::{Settings, Smtp, Timeouts, TlsMode};
use varsel::channel::{Body, Channel, Outgoing};
use varsel::clock::Mono;
use varsel::domain::contact::{Address, Email};
use varsel::domain::outcome::{Blame, Outcome};

use crate::support::smtp_fault::FaultServer;

/// Long enough never to be reached, however busy the machine.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(60),
    tls: Duration::from_secs(60),
    greeting: Duration::from_secs(60),
    command: Duration::from_secs(60),
    body: Duration::from_secs(60),
    before_dot: Duration::from_secs(60),
    dot: Duration::from_secs(60),
};

/// Where a silence is awaited.
const SHORT: Duration = Duration::from_millis(40);

pub(crate) fn settings(host: &str, port: u16) -> Settings {
    Settings {
        host: host.to_owned(),
        port,
        tls: TlsMode::Plain,
        ca_file: None,
        hello_name: "varsel.example".to_owned(),
        login: None,
        envelope_from: "varsel@varsel.example".to_owned(),
        bounces: None,
        connections: 1,
        mails_per_connection: 1000,
        idle: Duration::from_secs(60),
        timeouts: PATIENT,
    }
}

fn plain(server: &FaultServer) -> Settings {
    settings("127.0.0.1", server.address.port())
}

fn smtp(server: &FaultServer) -> Smtp {
    Smtp::new(plain(server)).unwrap()
}

pub(crate) fn outgoing(to: &str, body: &[u8]) -> Outgoing {
    Outgoing {
        address: Address::Email(Email::read(to).unwrap()),
        body: Body(body.to_vec()),
        gateway_key: "4f1d".to_owned(),
        report_token: "t0ken".to_owned(),
        validity: Duration::from_secs(3600),
        sender: String::new(),
        start_before: Mono::now().plus(Duration::from_secs(3600)),
    }
}

const SMALL: &[u8] = b"Subject: a small one\r\n\r\nHei\r\n.\r\nHello\r\n";

async fn send(smtp: &Smtp, to: &str) -> Outcome {
    smtp.send(&outgoing(to, SMALL)).await
}

/// An outcome in one letter, as the tables of the tests write it: Accepted, Not sent, Paused (not
/// sent, and the gateway is paused), Refused, Unknown.
pub(crate) fn letter(outcome: &Outcome) -> char {
    match outcome {
        Outcome::Accepted { .. } => 'A',
        Outcome::NotSent {
            blame: Blame::Account,
            ..
        } => 'P',
        Outcome::NotSent { .. } => 'N',
        Outcome::Refused { .. } => 'R',
        Outcome::Unknown { .. } => 'U',
        Outcome::Withheld(_) => 'W',
    }
}
