//! The one integration-test binary: contract suites, laws, and journeys on real parts.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap its own fixture has failed, and should say where"
)]

mod architecture;
mod cli;
mod config;
mod connecting;
mod coverage;
mod deploy;
mod documents;
mod domain_laws;
mod email;
mod expectations;
mod findings;
mod inbound;
mod interop_kannel;
mod interop_postfix;
mod journeys;
mod lmtp;
mod looking;
mod pages;
mod sabotage;
mod sandbox;
mod send_test;
mod simulator;
mod sms;
mod source;
mod store_contract;
mod support;
mod templates;
mod terminal;
mod waking;
