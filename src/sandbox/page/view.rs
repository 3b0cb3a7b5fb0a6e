//! What the page shows, as plain values for its templates: figures, dates and words, in Norwegian
//! first. It reads the sandbox and the store and changes neither.

mod mailbox;
mod phones;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::{Ask, Page};
use crate::domain::brake::Braked;
use crate::domain::calendar;
use crate::domain::directory::{Directory, OfficeId, ServiceId};
use crate::domain::language::{Language, Texts};
use crate::sandbox::feed::{Kind, Line};
use crate::sandbox::gateway::GatewayMode;
use crate::sandbox::mail::MailMode;
use crate::sandbox::register::{Booking, BookingQuery};
use crate::store::{Batch, Tally};

/// Bookings offered in a list to choose from.
const CHOICES: u32 = 40;
/// Days offered for cancelling.
const DAYS: i64 = 31;
/// Lines of the feed shown.
const LINES: usize = 8;
/// The zone of the page's clock; the story is set in Oslo.
const ZONE: Tz = chrono_tz::Europe::Oslo;

/// The whole page.
#[derive(Serialize)]
pub(super) struct View {
    q: String,
    /// Where the event stream of this very page is.
    live: String,
    now: String,
    answer: Option<FeedView>,
    tally: TallyView,
    batches: Vec<BatchView>,
    /// Set when the store did not answer: what it said.
    trouble: Option<String>,
    phones: phones::PhonesView,
    mailbox: mailbox::MailboxView,
    feed: Vec<FeedView>,
    offices: Vec<Choice>,
    days: Vec<Choice>,
    standing: Vec<Choice>,
    cancelled: Vec<Choice>,
    move_day: String,
    gateway_modes: Vec<Choice>,
    mail_modes: Vec<Choice>,
}

/// One of several things to choose from.
#[derive(Serialize)]
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

#[derive(Serialize)]
struct TallyView {
    people: u32,
    words: Vec<WordView>,
    bar: Vec<Bar>,
    sms: u32,
    email: u32,
    parts: u64,
    held: u32,
    late: u32,
    duplicates: u64,
    sentence: String,
    sentence_en: String,
}

/// One of the five words with its figure.
#[derive(Serialize)]
struct WordView {
    word: &'static str,
    nb: &'static str,
    en: &'static str,
    count: u32,
}

/// One piece of the bar, in thousandths of its length.
#[derive(Serialize)]
struct Bar {
    word: &'static str,
    from: u32,
    length: u32,
}

#[derive(Serialize)]
struct BatchView {
    id: i64,
    version: u32,
    people: u32,
    releasing: bool,
    held_at: String,
    first_due_by: Option<String>,
    why: &'static str,
    why_en: &'static str,
    offices: Vec<OfficeCount>,
    samples: Vec<String>,
}

#[derive(Serialize)]
struct OfficeCount {
    office: String,
    people: u32,
}

#[derive(Serialize)]
struct FeedView {
    number: u64,
    time: String,
    kind: &'static str,
    nb: String,
    en: String,
}

impl View {
    /// Everything as it stands now.
    pub(super) async fn of(page: &Page, ask: &Ask) -> Self {
        let sandbox = &page.sandbox;
        let directory = &sandbox.directory;
        let now = page.clock.now();
        let (tally, batches, trouble) = look_at_store(page, now).await;
        let list = |wanted| async move { sandbox.register.list(&wanted).await.unwrap_or_default() };
        let standing = list(BookingQuery {
            stands: Some(true),
            from: Some(now),
            limit: CHOICES,
            ..BookingQuery::default()
        });
        let cancelled = list(BookingQuery {
            stands: Some(false),
            from: Some(now),
            last_touched_first: true,
            limit: CHOICES,
            ..BookingQuery::default()
        });
        let names = page.names().await;
        let search = ask.search();
        let choice = |booking: &Booking| booking_choice(directory, booking);
        let move_day = calendar::local_day(now, ZONE) + TimeDelta::days(28);
        Self {
            live: live_address(&search),
            now: now.with_timezone(&ZONE).format("%H.%M").to_string(),
            answer: ask.svar.and_then(|n| sandbox.feed.find(n)).map(line),
            tally: tally_view(tally, sandbox.gateway.taken()),
            batches: batches
                .iter()
                .map(|batch| batch_view(directory, batch))
                .collect(),
            trouble,
            phones: phones::PhonesView::of(&sandbox.gateway, names, &search, &time),
            mailbox: mailbox::MailboxView::of(&sandbox.mailbox, names, &search, &time),
            feed: sandbox.feed.newest(LINES).into_iter().map(line).collect(),
            offices: offices(directory),
            days: days(now),
            standing: standing.await.iter().map(choice).collect(),
            cancelled: cancelled.await.iter().map(choice).collect(),
            move_day: move_day.to_string(),
            gateway_modes: gateway_modes(sandbox.gateway.mode()),
            mail_modes: mail_modes(sandbox.mailbox.mode()),
            q: search,
        }
    }
}

fn live_address(search: &str) -> String {
    let asked = reqwest::Url::parse_with_params("http://localhost/live", [("q", search)]);
    let query = asked.ok().and_then(|url| url.query().map(str::to_owned));
    format!("/live?{}", query.unwrap_or_default())
}

async fn look_at_store(page: &Page, now: DateTime<Utc>) -> (Tally, Vec<Batch>, Option<String>) {
    let desk = &page.sandbox.desk;
    match (desk.tally(now).await, desk.batches().await) {
        (Ok(tally), Ok(batches)) => (tally, batches, None),
        (Err(problem), _) | (_, Err(problem)) => {
            (Tally::default(), Vec::new(), Some(problem.to_string()))
        }
    }
}

fn tally_view(tally: Tally, taken: crate::sandbox::gateway::Taken) -> TallyView {
    let word = |word, nb, en, count| WordView {
        word,
        nb,
        en,
        count,
    };
    let words = vec![
        word("told", "har fått beskjed", "told", tally.told),
        word("waiting", "venter", "waiting", tally.waiting),
        word(
            "must_be_phoned",
            "må ringes",
            "must be phoned",
            tally.must_be_phoned,
        ),
        word("left_out", "utelatt med rette", "left out", tally.left_out),
        word("too_late", "for sent", "too late", tally.too_late),
    ];
    TallyView {
        people: tally.people(),
        bar: bar(&words, tally.people()),
        words,
        sms: tally.sms,
        email: tally.email,
        parts: taken.parts,
        held: tally.held,
        late: tally.late,
        duplicates: taken.duplicates,
        sentence: sentence(tally),
        sentence_en: sentence_en(tally),
    }
}

/// The pieces of the bar, end to end; rounding never leaves a gap or runs over.
fn bar(words: &[WordView], people: u32) -> Vec<Bar> {
    const LENGTH: u32 = 1000;
    let at = |count: u32| (u64::from(count) * u64::from(LENGTH) / u64::from(people.max(1))) as u32;
    let mut before = 0;
    let pieces = words.iter().map(|word| {
        let from = at(before);
        before += word.count;
        Bar {
            word: word.word,
            from,
            length: at(before) - from,
        }
    });
    pieces.filter(|piece| piece.length > 0).collect()
}

/// The one sentence a duty manager reads first.
fn sentence(tally: Tally) -> String {
    let people = |n: u32| {
        if n == 1 {
            "1 person".to_owned()
        } else {
            format!("{n} personer")
        }
    };
    if tally.people() == 0 {
        "Ingen timer er endret ennå.".to_owned()
    } else if tally.held > 0 {
        format!(
            "Bremsen holder igjen {}: noen må se over og slippe dem.",
            people(tally.held)
        )
    } else if tally.waiting > 0 {
        format!("{} venter på beskjed.", people(tally.waiting))
    } else if tally.must_be_phoned > 0 {
        format!(
            "{} må ringes. Alle andre har fått beskjed.",
            people(tally.must_be_phoned)
        )
    } else {
        "Alle har fått beskjed.".to_owned()
    }
}

fn sentence_en(tally: Tally) -> String {
    let people = |n: u32| {
        if n == 1 {
            "1 person".to_owned()
        } else {
            format!("{n} people")
        }
    };
    if tally.people() == 0 {
        "No appointment has changed yet.".to_owned()
    } else if tally.held > 0 {
        format!(
            "The brake holds back {}: somebody must look and release them.",
            people(tally.held)
        )
    } else if tally.waiting > 0 {
        format!("{} waiting to be told.", people(tally.waiting))
    } else if tally.must_be_phoned > 0 {
        format!(
            "{} to be phoned. Everyone else knows.",
            people(tally.must_be_phoned)
        )
    } else {
        "Everyone knows.".to_owned()
    }
}

fn batch_view(directory: &Directory, batch: &Batch) -> BatchView {
    let (why, why_en) = match batch.braked {
        Braked::TooMany => (
            "Det er flere endringer i én lesing enn grensen tillater.",
            "There are more changes in one poll than the limit allows.",
        ),
        Braked::TooLargeAShare => (
            "En for stor andel av alle kjente timer er endret på én gang.",
            "Too large a share of all known appointments changed at once.",
        ),
        Braked::ZeroRows => (
            "Bookingsystemet viser plutselig ingen timer i det hele tatt.",
            "The booking system suddenly shows no appointments at all.",
        ),
    };
    let offices = batch.offices.iter().map(|(office, people)| OfficeCount {
        office: office_name(directory, office),
        people: *people,
    });
    BatchView {
        id: batch.id.0,
        version: batch.version,
        people: batch.people,
        releasing: batch.releasing,
        held_at: time(batch.held_at),
        first_due_by: batch.first_due_by.map(time),
        why,
        why_en,
        offices: offices.collect(),
        samples: batch.samples.clone(),
    }
}

fn line(line: Line) -> FeedView {
    FeedView {
        number: line.number,
        time: line.at.with_timezone(&ZONE).format("%H.%M.%S").to_string(),
        kind: match line.kind {
            Kind::Story => "story",
            Kind::Done => "done",
            Kind::Refused => "refused",
        },
        nb: line.said.nb,
        en: line.said.en,
    }
}

fn offices(directory: &Directory) -> Vec<Choice> {
    let one = |id: &OfficeId| Choice {
        value: id.0.clone(),
        label: office_name(directory, id),
        chosen: false,
    };
    directory.offices.keys().map(one).collect()
}

fn days(now: DateTime<Utc>) -> Vec<Choice> {
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

fn booking_choice(directory: &Directory, booking: &Booking) -> Choice {
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

fn gateway_modes(now: GatewayMode) -> Vec<Choice> {
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

fn mail_modes(now: MailMode) -> Vec<Choice> {
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

/// An office's full name, or its identifier where the directory has none.
pub(super) fn office_name(directory: &Directory, office: &OfficeId) -> String {
    let texts = directory
        .offices
        .get(office)
        .map(|office| &office.name_full);
    norwegian(texts, &office.0)
}

/// A service's name, or its identifier where the directory has none.
pub(super) fn service_name(directory: &Directory, service: &ServiceId) -> String {
    let texts = directory.services.get(service).map(|service| &service.name);
    norwegian(texts, &service.0)
}

fn norwegian(texts: Option<&Texts>, otherwise: &str) -> String {
    let found = texts.and_then(|texts| texts.get(Language::Nb));
    found.unwrap_or(otherwise).to_owned()
}

fn time(at: DateTime<Utc>) -> String {
    calendar::day_time(Language::Nb, at, ZONE)
}
