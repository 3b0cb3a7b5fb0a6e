//! (to come)
pub mod directory;
