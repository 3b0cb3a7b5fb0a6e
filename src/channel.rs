//! The edge towards gateways: one message out, one honest outcome back.
//!
//! A channel never guesses, never retries by itself, and knows neither the store nor the source.

pub mod duty;
pub mod email;
pub mod report_token;
pub mod sms;

use std::future::Future;
use std::pin::Pin;

use crate::clock::Mono;
use crate::domain::contact::Address;
use crate::domain::outcome::Outcome;
use crate::sabotage::{self, Guard};
use std::time::Duration;

/// One message, ready to leave: frozen bytes, address and names.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where it goes.
    pub address: Address,
    /// What is sent: the SMS text in UTF-8, or the whole e-mail (RFC 5322).
    pub body: Body,
    /// The constant key of the message, so that a gateway can de-duplicate; never shown to people.
    pub gateway_key: String,
    /// The token that names this attempt in reports about it.
    pub report_token: String,
    /// How long the message is worth delivering.
    pub validity: Duration,
    /// The sender a person sees on an SMS, at most 11 characters; unused by e-mail.
    pub sender: String,
    /// After this point nothing may be written any more: the lease would be over before the end.
    pub start_before: Mono,
}

/// The frozen bytes of a message. Debug shows only their number.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// The future of one hand-over.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A gateway we can hand messages to.
pub trait Channel: Send + Sync {
    /// Hands one message over and says what came of it. It returns in bounded time.
    fn send<'a>(&'a self, message: &'a Outgoing) -> Sending<'a>;

    /// Asks the gateway what became of a message, by its constant key: `Accepted` where it knows
    /// it, `NotSent` where it certainly does not, else `Unknown`. It returns in bounded time.
    fn ask<'a>(&'a self, _gateway_key: &'a str) -> Sending<'a> {
        Box::pin(async {
            Outcome::Unknown {
                cause: "this gateway cannot be asked".to_owned(),
            }
        })
    }
}

/// The longest a hand-over may take before its start is refused: beyond the lease nobody may write.
#[must_use]
pub fn may_start(message: &Outgoing) -> bool {
    is_in_time(message.start_before)
}

fn is_in_time(start_before: Mono) -> bool {
    Mono::now() < start_before || sabotage::is_off(Guard::OwnLease)
}
