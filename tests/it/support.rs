//! What several integration tests share: real parts that can misbehave, never stand-ins of our own code.

pub(crate) mod servers;
