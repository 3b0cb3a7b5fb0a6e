//! `send-test`: one invented message to oneself, through a real gateway and with its real mode. It is no
//! notice: nothing of it is recorded, and nobody else is ever written to.

use std::time::Duration;

use super::StartError;
use super::gateways::gateway;
use crate::channel::email::{Letter, compose};
use crate::channel::report_token::{Named, token};
use crate::channel::{Body, Outgoing};
use crate::clock::{Clock, Mono};
use crate::domain::contact::Address;
use crate::domain::message::Reason;
use crate::domain::outcome::Outcome;
use crate::service::chance::Chance;
use crate::service::settings::{GatewaySettings, HttpSettings};
use crate::template::{EmailText, SmsText};

/// How long the message is worth delivering: whoever tests a gateway waits for it.
const VALIDITY: Duration = Duration::from_secs(15 * 60);

/// Stands for the store's secrets, which are for notices only.
const NO_SECRET: [u8; 32] = [0; 32];

/// What is sent.
pub enum TestText {
    /// By SMS.
    Sms(SmsText),
    /// By e-mail.
    Email(EmailText),
}

/// Hands one message over, once, and says what came of it.
///
/// # Errors
/// [`StartError::Gateway`] when the gateway could not be started, or the mail not be written.
pub async fn send_test(
    settings: GatewaySettings,
    http: &HttpSettings,
    to: Address,
    text: TestText,
) -> Result<Outcome, StartError> {
    let name = settings.name.clone();
    let gateway = gateway(settings, &http.base(), Duration::ZERO)?;
    if !gateway.mode.allows(&to) {
        return Ok(Outcome::Withheld(Reason::Trial));
    }
    let chance = Chance::system();
    let gateway_key = chance.gateway_key();
    let (body, sender) =
        frozen(text, &to, &gateway_key).map_err(|problem| StartError::Gateway { name, problem })?;
    // It names no attempt, under no store's secret: what is reported of it says nothing.
    let named = Named {
        attempt: 0,
        nonce: chance.nonce(),
    };
    let outgoing = Outgoing {
        address: to,
        body: Body(body),
        report_token: token(&NO_SECRET, named),
        gateway_key,
        validity: VALIDITY,
        sender,
        start_before: Mono::now().plus(gateway.longest_send),
    };
    let sent = tokio::time::timeout(gateway.longest_send, gateway.gate.send(&outgoing)).await;
    Ok(sent.unwrap_or_else(|_| Outcome::Unknown {
        cause: "no answer in time".into(),
    }))
}

/// The bytes that leave, and the sender that people see.
fn frozen(text: TestText, to: &Address, identity: &str) -> Result<(Vec<u8>, String), String> {
    let mail = match text {
        TestText::Sms(sms) => return Ok((sms.text.into_bytes(), sms.sender)),
        TestText::Email(mail) => mail,
    };
    let Address::Email(to) = to else {
        return Err("an e-mail goes to an e-mail address".to_owned());
    };
    let letter = Letter {
        from_name: &mail.from_name,
        from_address: &mail.from_address,
        to,
        subject: &mail.subject,
        text: &mail.text,
        html: &mail.html,
        languages: &mail.languages,
        identity,
        secret: &NO_SECRET,
        date: Clock::system().now(),
        thread: &[],
        calendar: None,
    };
    let body = compose(&letter).map_err(|error| error.to_string())?;
    Ok((body, String::new()))
}
