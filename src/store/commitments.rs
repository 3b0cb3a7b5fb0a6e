//! What was promised and is not kept yet: an invitation that a text named, and a correction that waits
//! until the appointment stands. Nothing here does I/O or reads a clock.

use super::Commitment;
use super::rows::{AppointmentId, AppointmentRow};
use super::tables::Tables;
use crate::domain::appointment::Standing;
use crate::domain::message::MessageBrief;
use crate::domain::notice::{NoticeBrief, Purpose};
use crate::domain::occasion::Occasion;
use crate::domain::recipient::Role;

/// One open promise, with the notice that made it.
struct Open {
    appointment: AppointmentId,
    notice: NoticeBrief,
    purpose: Purpose,
    under_way: bool,
}

impl Tables {
    /// What was promised and is not kept yet, the oldest promise first. Every appointment with a
    /// promise must be at hand, and every other one that shares an address with it, all with their
    /// people.
    pub(crate) fn commitments(&self) -> Vec<Commitment> {
        let mut open: Vec<Open> = Vec::new();
        for (id, row) in &self.appointments {
            open.extend(self.invitations_owed(*id, row));
            open.extend(self.corrections_owed(*id, row));
        }
        open.sort_by_key(|open| open.notice.id);
        let invitations = open
            .iter()
            .filter(|open| open.purpose == Purpose::Rebooking);
        let told = invitations.map(|open| (open.appointment, said_at(&open.notice)));
        // Whoever has booked again since needs no invitation.
        let replaced = self.replaced(told);
        open.retain(|open| {
            open.purpose == Purpose::Correction || !replaced.contains_key(&open.appointment)
        });
        let shown = open.into_iter().filter_map(|open| {
            let row = self.appointments.get(&open.appointment)?;
            Some(Commitment {
                source: row.source.clone(),
                key: row.key.clone(),
                role: open.notice.role.clone(),
                reference: open.notice.reference,
                purpose: open.purpose,
                office: open.notice.change.old.office.clone(),
                start: open.notice.change.old.start,
                since: said_at(&open.notice),
                under_way: open.under_way,
            })
        });
        shown.collect()
    }

    /// The invitations promised to the recipients of a cancelled appointment: kept once they were told.
    fn invitations_owed(&self, id: AppointmentId, row: &AppointmentRow) -> Vec<Open> {
        if row.state.standing != Standing::Cancelled {
            return Vec::new();
        }
        let briefs = self.live_briefs(row);
        let promises = |notice: &&NoticeBrief| {
            let promised = self.notices.get(&notice.id).is_some_and(|n| n.promises);
            promised && !notice.superseded && notice.may_have_told()
        };
        let promising: Vec<&NoticeBrief> = briefs.iter().filter(promises).collect();
        let mut open = Vec::new();
        for notice in &promising {
            // Whoever was promised it twice is owed it once, after the second time.
            let mut others = promising.iter();
            if others.any(|other| other.role == notice.role && other.id > notice.id) {
                continue;
            }
            let invites = |n: &&NoticeBrief| {
                n.purpose == Purpose::Rebooking
                    && n.role == notice.role
                    && n.revision >= notice.revision
                    && !n.superseded
            };
            let invited = briefs.iter().find(invites);
            if invited.is_some_and(NoticeBrief::has_told) {
                continue;
            }
            let asked = asked_for(row, Purpose::Rebooking, &notice.role);
            open.push(Open {
                appointment: id,
                notice: (*notice).clone(),
                purpose: Purpose::Rebooking,
                under_way: asked || invited.is_some(),
            });
        }
        open
    }

    /// The corrections that a person asked for and that nobody could write yet.
    fn corrections_owed(&self, id: AppointmentId, row: &AppointmentRow) -> Vec<Open> {
        let briefs = self.live_briefs(row);
        let of = |occasion: &&Occasion| occasion.purpose == Purpose::Correction;
        let owed = row.occasions.iter().filter(of).filter_map(|occasion| {
            let wrong = |n: &&NoticeBrief| {
                n.purpose == Purpose::Cancellation && n.role == occasion.role && n.may_have_told()
            };
            Some(Open {
                appointment: id,
                notice: briefs.iter().rev().find(wrong)?.clone(),
                purpose: Purpose::Correction,
                under_way: false,
            })
        });
        owed.collect()
    }

    fn live_briefs(&self, row: &AppointmentRow) -> Vec<NoticeBrief> {
        row.notices.iter().filter_map(|id| self.live(*id)).collect()
    }
}

fn asked_for(row: &AppointmentRow, purpose: Purpose, role: &Role) -> bool {
    let mut occasions = row.occasions.iter();
    occasions.any(|occasion| occasion.purpose == purpose && occasion.role == *role)
}

fn said_at(notice: &NoticeBrief) -> Option<chrono::DateTime<chrono::Utc>> {
    let at = |message: &MessageBrief| message.first_attempt_at;
    notice.messages.iter().filter_map(at).min()
}
