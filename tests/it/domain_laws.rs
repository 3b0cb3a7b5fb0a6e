//! The laws of the pure core, on drawn values: what must hold for every appointment, message and
//! notice, whatever the store, the source or the gateway does.

mod belief;
mod braking;
mod breaker;
mod histories;
mod linking;
mod made;
mod message_life;
mod planning;
mod rates;
mod states_doc;
mod watching;
