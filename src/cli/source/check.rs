//! `source check`: one read of each source, counted, and what somebody should do about it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Options;
use super::survey::{as_json, show};
use crate::cli::rehearse::{ending, sources};
use crate::cli::{Everywhere, Exit, Failure, out};
use crate::source::survey::{Survey, Suspicion, Suspicious};
use crate::source::{AnySource, Settings};

/// More than this share of the bookings outside the day's hours is no accident.
const STRANGE_HOURS: f64 = 0.1;
/// More than this share of people who cannot be reached is no accident.
const MANY_UNREACHABLE: f64 = 0.1;
/// Clocks that differ by more seconds than this should be set.
const CLOCKS_DIFFER_SECONDS: u64 = 60;
/// The hours of a day at which appointments start.
const DAY: std::ops::Range<usize> = 6..22;

/// One thing that somebody should know.
pub(super) struct Remark {
    /// The daemon would not understand, or not read, something.
    pub(super) wrong: bool,
    pub(super) text: String,
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let now = options.reading.now(config.file.agency.zone.0)?;
    let sources = sources(&config, options.name.as_deref())?;
    let directory = config.directory()?;
    let (mut failures, mut shown, mut wrong) = (Vec::new(), Vec::new(), false);
    for settings in sources {
        let name = settings.name().0.clone();
        match survey(settings, Arc::clone(&directory), now).await {
            Ok((survey, writes)) => {
                let remarks = remarks(&survey, writes.as_deref());
                wrong |= remarks.iter().any(|remark| remark.wrong);
                if everywhere.json {
                    shown.push(as_json(&name, &survey, &remarks));
                } else {
                    show(&name, &survey, &remarks);
                }
            }
            Err(failure) => {
                shown.push(json!({ "source": name, "failure": failure.as_json() }));
                failures.push(failure);
            }
        }
    }
    let exit = ending(&failures, if wrong { Exit::Config } else { Exit::Done });
    if everywhere.json {
        out::json(&json!({ "sources": Value::Array(shown) }));
    } else {
        failures.into_iter().for_each(out::error);
    }
    Ok(exit)
}

async fn survey(
    settings: Settings,
    directory: Arc<crate::domain::directory::Directory>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(Survey, Option<String>), Failure> {
    let mut source = AnySource::open(settings, directory).await?;
    let writes = source.may_write().await?;
    Ok((source.survey(now).await?, writes))
}

/// What somebody should do something about, what is wrong first.
fn remarks(survey: &Survey, writes: Option<&str>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut remark = |wrong: bool, text: String| remarks.push(Remark { wrong, text });
    if survey.without_key > 0 {
        let rows = out::rows(survey.without_key);
        remark(true, format!("{rows} without an id: no read would count"));
    }
    if survey.doubled_rows > 0 {
        let ids = survey.doubled.join(", ");
        let rows = out::rows(survey.doubled_rows);
        remark(
            true,
            format!(
                "{rows} with an id that came before ({ids}): no read would count; a join may multiply them"
            ),
        );
    }
    for (column, (rows, first)) in &survey.faults {
        let example = first
            .first()
            .map_or(String::new(), |fault| format!(", such as {fault}"));
        let rows = out::rows(*rows);
        remark(true, format!("{rows} not understood in {column}{example}"));
    }
    if survey.active == 0 {
        let text = "no booking stands in the future: is this the right database?";
        remark(false, text.to_owned());
    }
    let (outside, all) = outside_the_day(survey);
    if share(outside, all) > STRANGE_HOURS {
        let text = format!(
            "{} of {} bookings start between 22:00 and 06:00: are the starts in another zone?",
            out::long(outside),
            out::long(all)
        );
        remark(false, text);
    }
    if share(survey.unreachable, survey.active) > MANY_UNREACHABLE {
        let people = out::long(survey.unreachable);
        remark(
            false,
            format!("{people} people can only be phoned or not reached at all"),
        );
    }
    for text in survey.suspicious.iter().filter_map(said) {
        remark(false, text);
    }
    if let Some(ahead) = survey.clock_ahead_seconds
        && ahead.unsigned_abs() > CLOCKS_DIFFER_SECONDS
    {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let seconds = ahead.unsigned_abs();
        remark(
            false,
            format!("its clock is {seconds} s {way} ours: set one of them"),
        );
    }
    if let Some(what) = writes {
        remark(
            false,
            format!("this account may write to {what}; Varsel never does"),
        );
    }
    remarks.sort_by_key(|remark| !remark.wrong);
    remarks
}

/// What is said of an address that may not be one person's own.
fn said(address: &Suspicious) -> Option<String> {
    let why = match address.why {
        Suspicion::Crowded => "nobody's own, not used",
        Suspicion::Own => "the agency's own",
        Suspicion::Dummy => "typed to fill the field?",
        Suspicion::Shared => return None,
    };
    let bookings = out::bookings(address.bookings);
    Some(format!("{} on {bookings}: {why}", address.address))
}

fn outside_the_day(survey: &Survey) -> (u64, u64) {
    let all: u64 = survey.hours.values().flatten().sum();
    let inside: u64 = survey.hours.values().flat_map(|hours| &hours[DAY]).sum();
    (all - inside, all)
}

/// A share, as far as it can be told from nothing.
fn share(part: u64, whole: u64) -> f64 {
    let parts = u32::try_from(part).unwrap_or(u32::MAX);
    let whole = u32::try_from(whole.max(1)).unwrap_or(u32::MAX);
    f64::from(parts) / f64::from(whole)
}
