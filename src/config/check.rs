//! What no single value of the file shows: bounds, and values that must fit each other.
//!
//! Every mistake is told, each at its key; what follows from another mistake is not.

use std::collections::{BTreeMap, BTreeSet};

use super::alarm;
use super::document::Document;
use super::error::ConfigError;
use super::file::File;
use super::list_key;
use super::source;
use super::words::Length;
use crate::store::postgres;

/// Every mistake of this kind in the file.
pub(super) fn values(file: &File, document: &Document) -> Vec<ConfigError> {
    let mut check = Check {
        document,
        errors: Vec::new(),
    };
    check.share(&["ladder", "share"], file.ladder.share);
    let brake = &file.brake;
    check.share(&["brake", "max_share"], brake.max_share);
    check.share(&["brake", "max_share_per_hour"], brake.max_share_per_hour);
    check.share(&["brake", "max_shrink"], brake.max_shrink);
    let ladder = (file.ladder.least, file.ladder.most);
    let help = "ladder.least is above zero and at most ladder.most";
    check.ordered(&["ladder", "least"], ladder, help);
    let retry = (file.retry.base, file.retry.cap);
    let help = "retry.base is above zero and at most retry.cap";
    check.ordered(&["retry", "base"], retry, help);
    check.list_keys_are_keys(file);
    check.bounces_have_a_place(file);
    check.store_is_reached(file);
    source::check(file, &mut check);
    alarm::check(file, &mut check);
    check.gateways_have_an_order(file);
    check.errors
}

/// Gathers mistakes.
pub(super) struct Check<'a> {
    document: &'a Document,
    errors: Vec<ConfigError>,
}

impl Check<'_> {
    /// Tells of a mistake, unless these keys are not as the file says.
    pub(super) fn wrong(&mut self, keys: &[&str], problem: impl Into<String>, help: &str) {
        if self.document.is_sound(keys) {
            self.errors.push(self.document.error(keys, problem, help));
        }
    }

    fn share(&mut self, keys: &[&str], value: f64) {
        if !(0.0 < value && value <= 1.0) {
            let help = "a share is above 0 and at most 1, such as 0.25";
            self.wrong(keys, format!("{value} is not a share"), help);
        }
    }

    fn ordered(&mut self, keys: &[&str], (least, most): (Length, Length), help: &str) {
        if most < least || least.0.is_zero() {
            self.wrong(keys, format!("{least} does not fit {most}"), help);
        }
    }

    /// Keys that can be read, each of a name of its own.
    fn list_keys_are_keys(&mut self, file: &File) {
        let mut names = BTreeSet::new();
        for (place, key) in file.list_key.iter().enumerate() {
            let place = place.to_string();
            if list_key::read(&key.public_key).is_none() {
                let help = "give what `openssl pkey -in KEY.pem -pubout` prints between its lines";
                let keys = ["list_key", &place, "public_key"];
                self.wrong(&keys, "this is no Ed25519 public key", help);
            }
            if !names.insert(&key.name) {
                let problem = format!("\"{}\" has a key already", key.name);
                self.wrong(
                    &["list_key", &place, "name"],
                    problem,
                    "give each key its own name",
                );
            }
        }
    }

    /// Mails are taken for the addresses of attempts only: a listener without them takes nothing.
    fn bounces_have_a_place(&mut self, file: &File) {
        let named = file.gateway.values().any(|g| g.bounce_domain.is_some());
        if file.inbound.lmtp.is_some() && !named {
            let problem = "no gateway names the domain whose mails would be taken here";
            let help = "add bounce_domain = \"DOMAIN\" to the e-mail gateway, or remove this key";
            self.wrong(&["inbound", "lmtp"], problem, help);
        }
    }

    /// The address of a database, and no password where there is none.
    fn store_is_reached(&mut self, file: &File) {
        let store = &file.store;
        let address = store.url.as_deref().map(postgres::Address::parse);
        if let Some(Err(fault)) = &address {
            let help = "such as \"postgres://varsel@db.example.com/varsel\"";
            self.wrong(&["store", "url"], fault.to_string(), help);
        }
        if address.is_none() && store.password_file.is_some() {
            let problem = "there is no [store] url that it belongs to";
            let help = "a SQLite file has no password: remove it, or give the database's url";
            self.wrong(&["store", "password_file"], problem, help);
        }
    }

    /// Which gateway of a channel is used must be said.
    fn gateways_have_an_order(&mut self, file: &File) {
        let mut places = BTreeMap::new();
        for (name, gateway) in &file.gateway {
            let place = (gateway.channel, gateway.place());
            if let Some(other) = places.insert(place, name) {
                let problem = format!(
                    "\"{other}\" carries {} with the same preference",
                    gateway.channel
                );
                let help = "the gateway with the lowest preference is used, the next one while it \
                            is left alone: give this one preference = 2";
                let key = match gateway.preference {
                    Some(_) => "preference",
                    None => "channel",
                };
                self.wrong(&["gateway", name, key], problem, help);
            }
        }
    }
}
