//! What the forms offer to choose from: offices, days, bookings, moods.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::{ZONE, office_name, service_name};
use crate::domain::calendar;
use crate::domain::directory::{Directory, OfficeId};
use crate::domain::language::Language;
use crate::sandbox::gateway::GatewayMode;
use crate::sandbox::mail::MailMode;
use crate::sandbox::register::Booking;

/// One of several things to choose from.
#[derive(Serialize)]
pub(super) struct Choice {
    value: String,
    label: String,
    /// The same in English, where the label is a word.
    en: &'static str,
    chosen: bool,
}

pub(super) fn offices(directory: &Directory) -> Vec<Choice> {
    let one = |id: &OfficeId| Choice {
        value: id.0.clone(),
        label: office_name(directory, id),
        en: "",
        chosen: false,
    };
    directory.offices.keys().map(one).collect()
}

/// The days on which somebody has a booking, in both languages.
pub(super) fn days(days: &BTreeSet<NaiveDate>) -> Vec<Choice> {
    let said = |language, day| calendar::date(language, day);
    let one = |day: &NaiveDate| Choice {
        value: day.to_string(),
        label: format!(
            "{} · {}",
            said(Language::Nb, *day),
            said(Language::En, *day)
        ),
        en: "",
        chosen: false,
    };
    days.iter().map(one).collect()
}

pub(super) fn booking_choice(directory: &Directory, booking: &Booking) -> Choice {
    let zone = directory
        .offices
        .get(&booking.office)
        .map_or(ZONE, |office| office.zone);
    Choice {
        value: booking.number.clone(),
        label: format!(
            "{}, {} ({}, {})",
            calendar::day_time(Language::Nb, booking.start, zone),
            booking.name,
            service_name(directory, &booking.service),
            office_name(directory, &booking.office),
        ),
        en: "",
        chosen: false,
    }
}

pub(super) fn gateway_modes(now: GatewayMode) -> Vec<Choice> {
    let choice = |mode: GatewayMode, label: &str, en| Choice {
        value: mode.word().to_owned(),
        label: label.to_owned(),
        en,
        chosen: mode == now,
    };
    vec![
        choice(GatewayMode::Normal, "vanlig", "normal"),
        choice(GatewayMode::Slow, "treg", "slow"),
        choice(GatewayMode::Failing, "nede", "down"),
        choice(GatewayMode::Silent, "uten kvittering", "no reports"),
        choice(GatewayMode::Refusing, "avviser alt", "refuses all"),
    ]
}

pub(super) fn mail_modes(now: MailMode) -> Vec<Choice> {
    let choice = |mode: MailMode, label: &str, en| Choice {
        value: mode.word().to_owned(),
        label: label.to_owned(),
        en,
        chosen: mode == now,
    };
    vec![
        choice(MailMode::Normal, "vanlig", "normal"),
        choice(MailMode::Failing, "nede", "down"),
        choice(MailMode::Refusing, "avviser alt", "refuses all"),
    ]
}
