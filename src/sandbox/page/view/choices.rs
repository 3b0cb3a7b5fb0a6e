//! What the forms offer to choose from: offices, days, bookings, moods.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{ZONE, office_name, service_name};
use crate::domain::calendar;
use crate::domain::directory::{Directory, OfficeId};
use crate::domain::language::Language;
use crate::sandbox::gateway::GatewayMode;
use crate::sandbox::mail::MailMode;
use crate::sandbox::register::Booking;

/// Days offered for cancelling.
const DAYS: i64 = 31;

/// One of several things to choose from.
#[derive(Serialize)]
pub(super) struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

pub(super) fn offices(directory: &Directory) -> Vec<Choice> {
    let one = |id: &OfficeId| Choice {
        value: id.0.clone(),
        label: office_name(directory, id),
        chosen: false,
    };
    directory.offices.keys().map(one).collect()
}

pub(super) fn days(now: DateTime<Utc>) -> Vec<Choice> {
    let tomorrow = calendar::local_day(now, ZONE) + TimeDelta::days(1);
    let one = |step| {
        let day = tomorrow + TimeDelta::days(step);
        Choice {
            value: day.to_string(),
            label: calendar::date(Language::Nb, day),
            chosen: step == 0,
        }
    };
    (0..DAYS).map(one).collect()
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
        chosen: false,
    }
}

pub(super) fn gateway_modes(now: GatewayMode) -> Vec<Choice> {
    let choice = |mode: GatewayMode, label: &str| Choice {
        value: mode.word().to_owned(),
        label: label.to_owned(),
        chosen: mode == now,
    };
    vec![
        choice(GatewayMode::Normal, "vanlig"),
        choice(GatewayMode::Slow, "treg"),
        choice(GatewayMode::Failing, "nede"),
        choice(GatewayMode::Silent, "uten kvittering"),
        choice(GatewayMode::Refusing, "avviser alt"),
    ]
}

pub(super) fn mail_modes(now: MailMode) -> Vec<Choice> {
    let choice = |mode: MailMode, label: &str| Choice {
        value: mode.word().to_owned(),
        label: label.to_owned(),
        chosen: mode == now,
    };
    vec![
        choice(MailMode::Normal, "vanlig"),
        choice(MailMode::Failing, "nede"),
        choice(MailMode::Refusing, "avviser alt"),
    ]
}
