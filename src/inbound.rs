//! The edge that listens: one HTTP server into which `cli` mounts the routes of reports, health,
//! metrics and pages, and an LMTP server for mails that come back.
//!
//! It reads requests and hands plain values on; it knows neither the store nor the channels, and no
//! token, query or body of a request is ever logged.

pub mod http;
pub mod lmtp;
pub mod routes;
pub mod smtp_lines;
pub mod wake;
