//! The SMS channel on real sockets: every break and every answer has its class (faults), nothing
//! breaks out of its place in a request (requests), and profiles are read rightly (profiles).

mod faults;
mod last_look;
mod lookup;
mod profiles;
mod requests;

use std::time::Duration;

use varsel::channel::sms::{Profile, Secrets, Sms};
use varsel::channel::{Body, Channel, Outgoing};
use varsel::clock::Mono;
use varsel::domain::contact::{Address, Phone};
use varsel::domain::outcome::{Blame, Outcome};

use crate::support::http_fault::{HttpFault, Seen};

const SECRET: &str = "s3cr3t-w0rd";

fn sms(profile: &str, url: &str) -> Sms {
    open(Profile::built_in(profile).unwrap().at_url(url).unwrap())
}

fn open(profile: Profile) -> Sms {
    let names = profile.secret_names().into_iter();
    let secrets: Secrets = names.map(|name| (name.to_owned(), SECRET.into())).collect();
    Sms::new(profile, secrets, "https://varsel.example/").unwrap()
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        address: Address::Phone(Phone::from_stored("+4740700001")),
        body: Body(text.as_bytes().to_vec()),
        gateway_key: "key-1".to_owned(),
        report_token: "1-abc".to_owned(),
        validity: Duration::from_secs(7_199),
        sender: "Politiet".to_owned(),
        start_before: Mono::now().plus(Duration::from_secs(60)),
    }
}

/// The class of an outcome, as a profile names it.
fn class(outcome: &Outcome) -> &'static str {
    if matches!(
        outcome,
        Outcome::NotSent {
            blame: Blame::Account,
            ..
        }
    ) {
        return "paused";
    }
    outcome.word()
}

/// A small profile with whatever a test adds. Its waits are never reached, however busy the machine.
fn small(request: &str, answers: &str) -> String {
    format!(
        "url = \"http://127.0.0.1:1/\"\nconnect_timeout_seconds = 30\ntimeout_seconds = 60\n\
         max_parts = 2\n{request}\n{answers}"
    )
}

const JSON: &str = "[request]\nmethod = \"POST\"\n\
    body.json = { to = \"{to|msisdn}\", text = \"{text}\", parts = \"{parts}\", list = [1, \"{from}\"] }";
const ACCEPT: &str = "[[answer]]\nstatus = \"200..299\"\noutcome = \"accepted\"";

async fn send_one(sms: &Sms, server: &HttpFault) -> (Outcome, Vec<Seen>) {
    let outcome = sms.send(&outgoing("Avlyst: timen din")).await;
    (outcome, server.take())
}
