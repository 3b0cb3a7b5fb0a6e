//! What several integration tests share: real parts that can misbehave, never stand-ins of our own code.

pub(crate) mod books;
pub(crate) mod browser;
pub(crate) mod campaign;
pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod gateway;
pub(crate) mod house;
pub(crate) mod http_fault;
pub(crate) mod link;
pub(crate) mod mailbox;
pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod servers;
pub(crate) mod smpp;
pub(crate) mod smtp_fault;
pub(crate) mod world;
