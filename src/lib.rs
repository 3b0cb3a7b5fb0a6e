//! Varsel watches a public agency's booking systems and tells the people concerned, in time, that
//! their appointment was cancelled or moved.
//!
//! The way of the data is four straight lines that meet only in the store:
//!
//! ```text
//! intake     source.snapshot ─▶ diff ─▶ change ─▶ brake ─▶ plan ─▶ render ─▶ ledger.record
//! dispatch   outbox.claim ─▶ channel.send ─▶ outcome ─▶ outbox.settle
//! reports    HTTP ─▶ authenticate, parse ─▶ outbox.report
//! upkeep     outbox.sweep: expire, resolve unknowns, climb, retention
//! ```
//!
//! The modules below stand in reading order: what is decided (`domain`), what is written in words
//! (`template`), the edges (`source`, `store`, `channel`, `inbound`), and what drives them.

pub mod domain;

pub mod channel;
pub mod inbound;
pub mod source;
pub mod store;
pub mod template;

pub mod sandbox;
pub mod service;

pub mod cli;
pub mod clock;
pub mod config;
pub mod sabotage;
pub mod telemetry;
