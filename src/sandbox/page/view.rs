//! What the page shows, as plain values for its templates: figures, dates and words, in Norwegian
//! first. It reads the sandbox and the store and changes neither.

mod batches;
mod choices;
mod mailbox;
mod moods;
mod phoned;
mod phones;
mod tally;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::assets::figure;
use super::{Ask, Page};
use crate::domain::calendar;
use crate::domain::directory::{Directory, OfficeId, ServiceId};
use crate::domain::language::{Language, Texts};
use crate::sandbox::feed::{Kind, Line};
use crate::sandbox::register::{Booking, BookingQuery};
use crate::store::{Batch, MustBePhoned, StoreError, Tally};

/// Bookings offered in a list to choose from.
const CHOICES: u32 = 40;
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
    tally: tally::TallyView,
    moods: Vec<moods::MoodView>,
    phoned: phoned::PhonedView,
    batches: Vec<batches::BatchView>,
    /// Set when the store did not answer: what it said.
    trouble: Option<String>,
    phones: phones::PhonesView,
    mailbox: mailbox::MailboxView,
    feed: Vec<FeedView>,
    offices: Vec<choices::Choice>,
    days: Vec<choices::Choice>,
    standing: Vec<choices::Choice>,
    cancelled: Vec<choices::Choice>,
    move_day: String,
    gateway_modes: Vec<choices::Choice>,
    mail_modes: Vec<choices::Choice>,
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
        let (tally, batches, phoned, trouble) = look_at_store(page, now).await;
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
        let price = sandbox.part_price_ore;
        let days = sandbox.register.days(directory, tomorrow(now)).await;
        let search = ask.search();
        let choice = |booking: &Booking| choices::booking_choice(directory, booking);
        let move_day = calendar::local_day(now, ZONE) + TimeDelta::days(28);
        Self {
            live: live_address(&search),
            now: time(now),
            answer: ask.svar.and_then(|n| sandbox.feed.find(n)).map(line),
            tally: tally::tally_view(tally, &batches, sandbox.gateway.taken(), price),
            moods: moods::moods(sandbox.gateway.mode(), sandbox.mailbox.mode()),
            phoned: phoned::PhonedView::of(directory, &phoned),
            batches: batches
                .iter()
                .filter(|batch| batch.people > 0)
                .map(|batch| batches::batch_view(directory, batch))
                .collect(),
            trouble,
            phones: phones::PhonesView::of(&sandbox.gateway, names, &search, price),
            mailbox: mailbox::MailboxView::of(&sandbox.mailbox, names, &search, &time),
            feed: sandbox.feed.newest(LINES).into_iter().map(line).collect(),
            offices: choices::offices(directory),
            days: choices::days(&days.unwrap_or_default()),
            standing: standing.await.iter().map(choice).collect(),
            cancelled: cancelled.await.iter().map(choice).collect(),
            move_day: move_day.to_string(),
            gateway_modes: choices::gateway_modes(sandbox.gateway.mode()),
            mail_modes: choices::mail_modes(sandbox.mailbox.mode()),
            q: search,
        }
    }
}

fn live_address(search: &str) -> String {
    let asked = reqwest::Url::parse_with_params("http://localhost/live", [("q", search)]);
    let query = asked.ok().and_then(|url| url.query().map(str::to_owned));
    format!("/live?{}", query.unwrap_or_default())
}

type Seen = (Tally, Vec<Batch>, MustBePhoned, Option<String>);

async fn look_at_store(page: &Page, now: DateTime<Utc>) -> Seen {
    let desk = &page.sandbox.desk;
    let look = async {
        let (tally, batches) = (desk.tally(now).await?, desk.batches().await?);
        let phoned = desk.must_be_phoned(now, phoned::SHOWN).await?;
        Ok::<_, StoreError>((tally, batches, phoned))
    };
    match look.await {
        Ok((tally, batches, phoned)) => (tally, batches, phoned, None),
        Err(problem) => {
            let trouble = Some(problem.to_string());
            (
                Tally::default(),
                Vec::new(),
                MustBePhoned::default(),
                trouble,
            )
        }
    }
}

/// The first instant of tomorrow by the page's clock.
fn tomorrow(now: DateTime<Utc>) -> DateTime<Utc> {
    let day = calendar::local_day(now, ZONE) + TimeDelta::days(1);
    calendar::instant(day.and_time(NaiveTime::MIN), ZONE)
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

/// A text whose telephone numbers stay on one line: the spaces within them do not break. Only what
/// is shown changes; what was sent is sent.
fn unbroken(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after_digit = shown.ends_with(|c: char| c.is_ascii_digit());
        let before_digit = letters.peek().is_some_and(char::is_ascii_digit);
        let within = letter == ' ' && after_digit && before_digit;
        shown.push(if within { '\u{a0}' } else { letter });
    }
    shown
}

/// An amount in Norwegian.
fn kroner(ore: u64) -> String {
    format!("kr\u{a0}{},{:02}", figure(ore / 100), ore % 100)
}

/// An amount in English.
fn kroner_en(ore: u64) -> String {
    format!("NOK\u{a0}{}.{:02}", figure(ore / 100), ore % 100)
}

fn time(at: DateTime<Utc>) -> String {
    calendar::day_time(Language::Nb, at, ZONE)
}

fn time_en(at: DateTime<Utc>) -> String {
    calendar::day_time(Language::En, at, ZONE)
}
