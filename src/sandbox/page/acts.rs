//! The buttons: each form does one thing to the register, the gateway, the mail server or a held
//! batch, says what came of it in the feed, and sends the browser back to the page.

use axum::extract::{Form, State};
use axum::response::Redirect;
use chrono::{NaiveDate, NaiveTime};
use serde::Deserialize;

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

pub(super) async fn cancel_day(State(page): State<Page>, Form(form): Form<CancelDay>) -> Redirect {
    let answer = do_cancel_day(&page, &form).await;
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
    Ok(Said::new(
        format!("{count} timer {nb} er avlyst: {name}."),
        format!("{count} appointments on {en} cancelled: {name}."),
    ))
}

#[derive(Deserialize)]
pub(super) struct OneBooking {
    booking: String,
}

pub(super) async fn cancel(State(page): State<Page>, Form(form): Form<OneBooking>) -> Redirect {
    let answer = match page.sandbox.register.cancel(&[form.booking]).await {
        Ok(0) => Err(refused(
            "Timen er allerede avlyst.",
            "It is cancelled already.",
        )),
        Ok(_) => Ok(Said::new(
            "Én time er avlyst.",
            "One appointment cancelled.",
        )),
        Err(problem) => Err(broken(&problem)),
    };
    back(&page, answer)
}

pub(super) async fn reinstate(State(page): State<Page>, Form(form): Form<OneBooking>) -> Redirect {
    let answer = match page.sandbox.register.reinstate(&[form.booking]).await {
        Ok(0) => Err(refused("Timen er ikke avlyst.", "It is not cancelled.")),
        Ok(_) => Ok(Said::new(
            "Én avlysning er trukket tilbake.",
            "One cancellation taken back.",
        )),
        Err(problem) => Err(broken(&problem)),
    };
    back(&page, answer)
}

#[derive(Deserialize)]
pub(super) struct Move {
    booking: String,
    day: String,
    time: String,
}

pub(super) async fn move_booking(State(page): State<Page>, Form(form): Form<Move>) -> Redirect {
    let answer = do_move(&page, &form).await;
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

pub(super) async fn release(State(page): State<Page>, Form(form): Form<Release>) -> Redirect {
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
    let answer = match page.sandbox.desk.act(&act).await {
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
        Some(Err(ActError::NotHeld(_))) => Err(refused(
            "Bunken er ikke holdt igjen.",
            "The batch is not held.",
        )),
        Some(Err(ActError::Store(problem))) => Err(broken(&problem)),
        None => Err(refused(
            "Varsel starter fortsatt.",
            "Varsel is still starting.",
        )),
    };
    back(&page, answer)
}

#[derive(Deserialize)]
pub(super) struct Mode {
    mode: String,
}

pub(super) async fn gateway(State(page): State<Page>, Form(form): Form<Mode>) -> Redirect {
    let answer = match GatewayMode::from_word(&form.mode) {
        Some(mode) => {
            page.sandbox.gateway.set_mode(mode);
            Ok(gateway_said(mode))
        }
        None => Err(refused(
            "Den innstillingen finnes ikke.",
            "There is no such setting.",
        )),
    };
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

pub(super) async fn mail(State(page): State<Page>, Form(form): Form<Mode>) -> Redirect {
    let answer = match MailMode::from_word(&form.mode) {
        Some(mode) => {
            page.sandbox.mailbox.set_mode(mode);
            Ok(mail_said(mode))
        }
        None => Err(refused(
            "Den innstillingen finnes ikke.",
            "There is no such setting.",
        )),
    };
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
