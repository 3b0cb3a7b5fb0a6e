//! The buttons: each form does one thing to the register, the gateway, the mail server or a held
//! batch, says what came of it in the feed, and sends the browser back to the page.

use std::convert::Infallible;

use axum::extract::{Form, FromRequest, Request, State};
use axum::response::Redirect;
use chrono::{NaiveDate, NaiveTime};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Page;
use super::assets::figure;
use super::view::office_name;
use crate::domain::calendar;
use crate::domain::directory::OfficeId;
use crate::domain::language::Language;
use crate::sandbox::feed::{Kind, Said};
use crate::sandbox::gateway::GatewayMode;
use crate::sandbox::mail::MailMode;
use crate::store::{Act, ActError, BatchId, Deed, SeenBatch};

/// Who acts, in the history.
const ACTOR: &str = "sandbox";

/// What came of a button: the line for the feed.
type Answer = Result<Said, Said>;

fn back(page: &Page, answer: Answer) -> Redirect {
    let number = match answer {
        Ok(said) => page.sandbox.feed.say(Kind::Done, said),
        Err(said) => page.sandbox.feed.say(Kind::Refused, said),
    };
    Redirect::to(&format!("/?svar={number}#svar"))
}

fn refused(nb: &str, en: &str) -> Said {
    Said::new(nb, en)
}

fn no_such_setting() -> Said {
    refused(
        "Den innstillingen finnes ikke.",
        "There is no such setting.",
    )
}

/// A form as it was filled in, or what to say of one that is not whole.
pub(super) struct Filled<T>(Result<T, Said>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Filled<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        let form = Form::<T>::from_request(request, state).await;
        let said = |_| {
            refused(
                "Skjemaet er ikke fylt ut: last siden på nytt, og velg i alle felt.",
                "The form is not filled in: load the page anew, and choose in every field.",
            )
        };
        Ok(Self(form.map(|Form(form)| form).map_err(said)))
    }
}

fn broken(problem: &impl std::fmt::Display) -> Said {
    Said::new(
        format!("Det gikk ikke: {problem}"),
        format!("That did not work: {problem}"),
    )
}

#[derive(Deserialize)]
pub(super) struct CancelDay {
    office: String,
    day: String,
}

pub(super) async fn cancel_day(State(page): State<Page>, form: Filled<CancelDay>) -> Redirect {
    let answer = match form.0 {
        Ok(form) => do_cancel_day(&page, &form).await,
        Err(said) => Err(said),
    };
    back(&page, answer)
}

async fn do_cancel_day(page: &Page, form: &CancelDay) -> Answer {
    let day: NaiveDate = form
        .day
        .parse()
        .map_err(|_| refused("Velg en dag.", "Choose a day."))?;
    let (register, directory) = (&page.sandbox.register, &page.sandbox.directory);
    let office = OfficeId(form.office.clone());
    let count = register
        .cancel_day(directory, &office, day)
        .await
        .map_err(|problem| broken(&problem))?;
    let name = office_name(directory, &office);
    let (nb, en) = (
        calendar::date(Language::Nb, day),
        calendar::date(Language::En, day),
    );
    if count == 0 {
        return Err(Said::new(
            format!("Det er ingen timer å avlyse {nb}: {name}."),
            format!("There are no appointments to cancel on {en}: {name}."),
        ));
    }
    Ok(Said::new(
        format!("{count} timer {nb} er avlyst: {name}."),
        format!("{count} appointments on {en} cancelled: {name}."),
    ))
}

#[derive(Deserialize)]
pub(super) struct OneBooking {
    booking: String,
}

pub(super) async fn cancel(State(page): State<Page>, form: Filled<OneBooking>) -> Redirect {
    let answer = match form.0 {
        Ok(form) => do_cancel(&page, form).await,
        Err(said) => Err(said),
    };
    back(&page, answer)
}

async fn do_cancel(page: &Page, form: OneBooking) -> Answer {
    match page.sandbox.register.cancel(&[form.booking]).await {
        Ok(0) => Err(refused(
            "Timen er allerede avlyst.",
            "It is cancelled already.",
        )),
        Ok(_) => Ok(Said::new(
            "Én time er avlyst.",
            "One appointment cancelled.",
        )),
        Err(problem) => Err(broken(&problem)),
    }
}

pub(super) async fn reinstate(State(page): State<Page>, form: Filled<OneBooking>) -> Redirect {
    let answer = match form.0 {
        Ok(form) => do_reinstate(&page, form).await,
        Err(said) => Err(said),
    };
    back(&page, answer)
}

async fn do_reinstate(page: &Page, form: OneBooking) -> Answer {
    match page.sandbox.register.reinstate(&[form.booking]).await {
        Ok(0) => Err(refused("Timen er ikke avlyst.", "It is not cancelled.")),
        Ok(_) => Ok(Said::new(
            "Én avlysning er trukket tilbake.",
            "One cancellation taken back.",
        )),
        Err(problem) => Err(broken(&problem)),
    }
}

#[derive(Deserialize)]
pub(super) struct Move {
    booking: String,
    day: String,
    time: String,
}

pub(super) async fn move_booking(State(page): State<Page>, form: Filled<Move>) -> Redirect {
    let answer = match form.0 {
        Ok(form) => do_move(&page, &form).await,
        Err(said) => Err(said),
    };
    back(&page, answer)
}

async fn do_move(page: &Page, form: &Move) -> Answer {
    let day: NaiveDate = form
        .day
        .parse()
        .map_err(|_| refused("Velg en dag.", "Choose a day."))?;
    let time = NaiveTime::parse_from_str(&form.time, "%H:%M")
        .map_err(|_| refused("Skriv klokkeslettet som 10:00.", "Write the time as 10:00."))?;
    let (register, directory) = (&page.sandbox.register, &page.sandbox.directory);
    let gone = || {
        refused(
            "Timen finnes ikke lenger.",
            "There is no such appointment any more.",
        )
    };
    let booking = register
        .find(&form.booking)
        .await
        .map_err(|problem| broken(&problem))?;
    let booking = booking.ok_or_else(gone)?;
    let office = directory.offices.get(&booking.office).ok_or_else(gone)?;
    let start = calendar::instant(day.and_time(time), office.zone);
    if start <= page.clock.now() {
        return Err(refused(
            "Velg et tidspunkt som kommer.",
            "Choose a time to come.",
        ));
    }
    let moved = register
        .move_booking(&booking.number, start)
        .await
        .map_err(|problem| broken(&problem))?;
    let said = |language| calendar::day_time(language, start, office.zone);
    if !moved {
        return Err(gone());
    }
    Ok(Said::new(
        format!("Én time er flyttet til {}.", said(Language::Nb)),
        format!("One appointment moved to {}.", said(Language::En)),
    ))
}

#[derive(Deserialize)]
pub(super) struct Release {
    batch: i64,
    version: u32,
    people: u32,
}

pub(super) async fn release(State(page): State<Page>, form: Filled<Release>) -> Redirect {
    let answer = match form.0 {
        Ok(form) => do_release(&page, &form).await,
        Err(said) => Err(said),
    };
    back(&page, answer)
}

async fn do_release(page: &Page, form: &Release) -> Answer {
    let seen = SeenBatch {
        batch: BatchId(form.batch),
        version: form.version,
        people: form.people,
    };
    let act = Act {
        actor: ACTOR.to_owned(),
        reason: "released on the sandbox's page".to_owned(),
        // The same button pressed twice is one act.
        idempotency_key: format!("sandbox-page-release-{}-{}", form.batch, form.version),
        at: page.clock.now(),
        deed: Deed::Release(seen),
    };
    match page.sandbox.desk.act(&act).await {
        Some(Ok(acted)) => Ok(Said::new(
            format!(
                "Varslene til {} personer er sluppet.",
                figure(acted.count.into())
            ),
            format!(
                "The notices of {} people are released.",
                figure(acted.count.into())
            ),
        )),
        Some(Err(ActError::Changed { people, .. })) => Err(Said::new(
            format!("Bunken har endret seg: nå er det {people} personer. Se over på nytt."),
            format!("The batch has changed: it now holds {people} people. Look again."),
        )),
        Some(Err(ActError::Store(problem))) => Err(broken(&problem)),
        Some(Err(_)) => Err(refused(
            "Bunken er ikke holdt igjen.",
            "The batch is not held.",
        )),
        None => Err(refused(
            "Varsel starter fortsatt.",
            "Varsel is still starting.",
        )),
    }
}

#[derive(Deserialize)]
pub(super) struct Mode {
    mode: String,
}

pub(super) async fn gateway(State(page): State<Page>, form: Filled<Mode>) -> Redirect {
    let known = |form: Mode| GatewayMode::from_word(&form.mode).ok_or_else(no_such_setting);
    let answer = form.0.and_then(known).map(|mode| {
        page.sandbox.gateway.set_mode(mode);
        gateway_said(mode)
    });
    back(&page, answer)
}

fn gateway_said(mode: GatewayMode) -> Said {
    match mode {
        GatewayMode::Normal => Said::new("SMS-porten virker.", "The SMS gateway works."),
        GatewayMode::Slow => Said::new("SMS-porten er treg.", "The SMS gateway is slow."),
        GatewayMode::Failing => Said::new("SMS-porten er nede.", "The SMS gateway is down."),
        GatewayMode::Silent => Said::new(
            "SMS-porten kvitterer ikke lenger.",
            "The SMS gateway sends no reports any more.",
        ),
        GatewayMode::Refusing => Said::new(
            "SMS-porten avviser alt.",
            "The SMS gateway refuses everything.",
        ),
    }
}

pub(super) async fn mail(State(page): State<Page>, form: Filled<Mode>) -> Redirect {
    let known = |form: Mode| MailMode::from_word(&form.mode).ok_or_else(no_such_setting);
    let answer = form.0.and_then(known).map(|mode| {
        page.sandbox.mailbox.set_mode(mode);
        mail_said(mode)
    });
    back(&page, answer)
}

fn mail_said(mode: MailMode) -> Said {
    match mode {
        MailMode::Normal => Said::new("E-postserveren virker.", "The mail server works."),
        MailMode::Failing => Said::new("E-postserveren er nede.", "The mail server is down."),
        MailMode::Refusing => Said::new(
            "E-postserveren avviser alt.",
            "The mail server refuses everything.",
        ),
    }
}
