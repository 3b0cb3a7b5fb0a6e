//! What signed lists had to do with one appointment, as lines of its story. A list is no change of the appointment: its
//! act stands once in the history, however many it names. Nothing here does I/O or reads a clock.

use chrono::{DateTime, Utc};

use super::{StandingList, StoryLine};

/// A list that names an appointment, or did.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) list: StandingList,
    pub(crate) lifted: Option<Lifted>,
}

/// Who lifted a list, when and why.
#[derive(Clone, Debug)]
pub(crate) struct Lifted {
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) reason: String,
}

impl Listing {
    fn lines(&self) -> impl Iterator<Item = StoryLine> {
        let Self { list, lifted } = self;
        let name = format!("list {} ({})", list.id.0, list.file);
        let (by, why) = (&list.signed_by, &list.reason);
        let cancels = format!("{name}, signed by {by}, cancels this booking: {why}");
        let added = line(list.since, &list.actor, "list_added", cancels);
        let lifted = lifted.as_ref().map(|lifted| {
            let ends = format!("{name} no longer cancels this booking: {}", lifted.reason);
            line(lifted.at, &lifted.actor, "list_lifted", ends)
        });
        [Some(added), lifted].into_iter().flatten()
    }
}

fn line(at: DateTime<Utc>, actor: &str, event: &str, detail: String) -> StoryLine {
    StoryLine {
        at,
        actor: actor.to_owned(),
        notice: None,
        channel: None,
        event: event.to_owned(),
        from: None,
        to: None,
        detail,
    }
}

/// The lines of lists among the others, each before the first that is younger: what a list brought about follows it.
pub(crate) fn among(mut lines: Vec<StoryLine>, listings: &[Listing]) -> Vec<StoryLine> {
    for listed in listings.iter().flat_map(Listing::lines) {
        let later = lines.iter().position(|line| listed.at < line.at);
        lines.insert(later.unwrap_or(lines.len()), listed);
    }
    lines
}
