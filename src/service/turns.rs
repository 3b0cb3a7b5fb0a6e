//! Which gateway of a channel is used: the first, and while it is left alone the next. Pure.
//!
//! Trial mode stays what it says: a gateway stands in only for one that lets out the same people, so
//! nothing leaves over a live gateway because the first one is on trial, and nobody is withheld because
//! the second one is.

use super::Gateway;

/// When messages are given to a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Whenever there are some.
    First,
    /// Only while each of these is left alone.
    After(Vec<String>),
    /// Never, since the first of its channel lets out other people.
    Never,
}

/// Gives each gateway its turn; they come in order of preference.
pub fn assign(gateways: &mut [Gateway]) {
    let all = gateways.to_vec();
    for (place, gateway) in gateways.iter_mut().enumerate() {
        let (channel, mode) = (gateway.channel, gateway.mode.clone());
        let alike = |other: &&Gateway| other.channel == channel && other.mode == mode;
        let first = all.iter().find(|other| other.channel == channel);
        let in_use = first.is_some_and(|first| first.mode == mode);
        let before = all.iter().take(place).filter(alike);
        let before: Vec<String> = before.map(|other| other.name.clone()).collect();
        let is_followed = all.iter().skip(place + 1).any(|other| alike(&other));
        (gateway.turn, gateway.is_backed) = match before.is_empty() {
            _ if !in_use => (Turn::Never, false),
            true => (Turn::First, is_followed),
            false => (Turn::After(before), true),
        };
    }
}
