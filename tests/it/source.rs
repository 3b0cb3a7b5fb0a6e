//! The sources on real files, folders, sockets and servers: what a row means, what makes a read
//! worthless, and that no change is lost between two looks.

mod dropped;
mod json;
mod mapped;
mod meaning;
mod postgres;
mod reading;
mod register;
mod servers;
mod sifting;
