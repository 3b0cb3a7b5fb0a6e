//! What people read: every text against the reference texts, and every check against a text that it
//! must refuse.

mod announcing;
mod checks;
mod desk;
mod directory;
mod editions;
mod hostile;
mod messages;
mod parts;
mod practice;
mod rules;
