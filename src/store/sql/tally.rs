//! The tally: one read of what the words of people depend on, summed by the domain.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::cells::Cells;
use super::conn::{Conn, Row};
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::directory::OfficeId;
use crate::domain::ladder::Ladder;
use crate::domain::message::{Channel, MessageBrief, MessageId, MessageState, Reason, ToldOn};
use crate::domain::notice::{NoticeBrief, NoticeId, OnUnknown, Purpose};
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::store::deeds::MessageFacts;
use crate::store::{StoreResult, Tally};

/// Every recipient of every appointment with a change, and the messages' own facts.
pub(super) struct People {
    pub(super) people: BTreeMap<(i64, Role), Vec<NoticeBrief>>,
    messages: Vec<MessageFacts>,
}

/// The tally at `now`.
pub(super) async fn tally(conn: &mut Conn<'_>, now: DateTime<Utc>) -> StoreResult<Tally> {
    let all = people(conn, None).await?;
    let mut tally = Tally::default();
    tally.add_people(&all.people, now);
    for message in &all.messages {
        tally.add_message(message);
    }
    Ok(tally)
}

/// Reads the people of these appointments, or all.
pub(super) async fn people(
    conn: &mut Conn<'_>,
    appointments: Option<Vec<i64>>,
) -> StoreResult<People> {
    let sql = "SELECT n.id, n.appointment, n.role, n.revision, n.purpose, n.due_by, n.superseded,
                 m.id AS message, m.rung, m.channel, m.state, m.reason, m.told_on, m.told_at,
                 m.accepted, m.possible_duplicate, m.together, m.bundle
               FROM notice n LEFT JOIN message m ON m.notice = n.id
               WHERE {none 1} OR n.appointment IN (SELECT j.value FROM {ints 1})
               ORDER BY n.id, m.rung";
    let mut all = People {
        people: BTreeMap::new(),
        messages: Vec::new(),
    };
    let found = conn.query(sql).bind(appointments).rows().await?;
    for row in &found {
        all.take(row)?;
    }
    Ok(all)
}

impl People {
    fn take(&mut self, row: &Row) -> StoreResult<()> {
        let cells = Cells(row);
        let person = (cells.int("appointment")?, cells.parsed("role")?);
        let notices = self.people.entry(person).or_default();
        let id = NoticeId(cells.int("id")?);
        if notices.last().is_none_or(|last| last.id != id) {
            notices.push(outline(id, cells)?);
        }
        if let (Some(message), Some(notice)) = (cells.maybe_int("message")?, notices.last_mut()) {
            let brief = message_outline(MessageId(message), cells)?;
            let alone = !cells.flag("together")? || cells.maybe_int("bundle")? == Some(message);
            self.messages.push(MessageFacts {
                channel: brief.channel,
                state: brief.state,
                reason: brief.reason,
                accepted: cells.flag("accepted")? && alone,
                possible_duplicate: cells.flag("possible_duplicate")?,
            });
            notice.messages.push(brief);
        }
        Ok(())
    }
}

/// A notice with the facts that its word depends on. What it tells is left blank, and so are the
/// reference and the ladder: none of them bears on the word.
fn outline(id: NoticeId, cells: Cells<'_>) -> StoreResult<NoticeBrief> {
    let blank = BookingState {
        standing: Standing::Active,
        start: DateTime::UNIX_EPOCH,
        office: OfficeId(String::new()),
    };
    let due_by = cells.time("due_by")?;
    Ok(NoticeBrief {
        id,
        revision: cells.count("revision")?,
        purpose: cells.word("purpose", Purpose::from_word)?,
        occasion: 0,
        role: cells.parsed("role")?,
        change: Change {
            kind: ChangeKind::Cancelled,
            old: blank.clone(),
            new: blank,
        },
        ladder: Ladder::new(&[]),
        on_unknown: OnUnknown::Hold,
        reference: Reference::draw(0),
        due_by,
        not_after: due_by,
        superseded: cells.flag("superseded")?,
        messages: Vec::new(),
    })
}

fn message_outline(id: MessageId, cells: Cells<'_>) -> StoreResult<MessageBrief> {
    Ok(MessageBrief {
        id,
        rung: cells.count("rung")?,
        channel: cells.word("channel", Channel::from_word)?,
        state: cells.word("state", MessageState::from_word)?,
        reason: cells.maybe_word("reason", Reason::from_word)?,
        told_on: cells.word("told_on", ToldOn::from_word)?,
        may_be_out: false,
        first_attempt_at: None,
        told_at: cells.maybe_time("told_at")?,
        gateway_key: String::new(),
    })
}
