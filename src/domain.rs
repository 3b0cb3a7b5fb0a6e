//! What Varsel decides: pure functions over plain values.
//!
//! Nothing here reads a clock, a file, a socket or a random source; `now` and jitter are arguments.
//! Nothing here knows how rows are stored, how a gateway speaks or how a text is laid out.

#![deny(
    clippy::wildcard_enum_match_arm,
    reason = "a new state must not compile until every decision has an answer for it"
)]

pub mod about;
pub mod alarm;
pub mod appointment;
pub mod brake;
pub mod breaker;
pub mod calendar;
pub mod change;
pub mod closing;
pub mod contact;
pub mod deception;
pub mod diff;
pub mod directory;
pub mod hours;
pub mod ladder;
pub mod language;
pub mod links;
pub mod list;
pub mod marks;
pub mod message;
pub mod notice;
pub mod occasion;
pub mod outcome;
pub mod pair;
pub mod plan;
pub mod rate;
pub mod recipient;
pub mod reference;
pub mod retry;
pub mod segments;
pub mod send_hours;
pub mod settle;
pub mod verdict;
pub mod why_phoned;
