//! What reports do to the rows at hand: they belong to an attempt, come in any order, and none is
//! dropped. Nothing here does I/O or reads a clock.

use chrono::TimeDelta;

use super::life::as_evidence_finds_it;
use super::rows::{Hand, MessageRow, ReportRow, ReportStanding, draw};
use super::tables::Tables;
use super::{AttemptId, Report, ReportEffect, ReportState};
use crate::domain::message::{self, Event, MessageId, MessageState, Next};

/// Bad news counts for so long after the first hand-over. RFC 5321 (4.5.4.1) lets a mail wait four or
/// five days in a queue; gateways keep an SMS for less.
const BAD_NEWS_COUNTS: TimeDelta = TimeDelta::days(14);

impl Tables {
    /// Records a report and applies it as far as it may be applied now; and so for every attempt that
    /// left with this one. The answer is that of the first.
    pub(crate) fn report(&mut self, report: &Report) -> ReportEffect {
        let effect = self.report_alone(report);
        for carried in self.reported_of_carried(report) {
            self.report_alone(&carried);
        }
        effect
    }

    fn report_alone(&mut self, report: &Report) -> ReportEffect {
        let known = self.is_about_an_attempt(report.attempt, report.nonce);
        let same = |r: &ReportRow| {
            (r.attempt, r.nonce, r.state) == (report.attempt, report.nonce, report.state)
                && r.detail == report.detail
        };
        if self.reports.values().any(same) {
            return if known {
                ReportEffect::Recorded
            } else {
                ReportEffect::Parked
            };
        }
        let id = draw(&mut self.next.report);
        self.touched.reports.insert(id);
        self.reports.insert(
            id,
            ReportRow {
                attempt: report.attempt,
                nonce: report.nonce,
                state: report.state,
                detail: report.detail.clone(),
                at: report.at,
                standing: if known {
                    ReportStanding::Waiting
                } else {
                    ReportStanding::Parked
                },
            },
        );
        if known {
            self.apply_report(id, &Hand::part("reports", report.at))
        } else {
            ReportEffect::Parked
        }
    }

    /// Tries a recorded report again; the answer says what it did.
    fn apply_report(&mut self, id: i64, hand: &Hand<'_>) -> ReportEffect {
        let Some(report) = self.reports.get(&id).cloned() else {
            return ReportEffect::Parked;
        };
        let attempt = self.attempts.get(&report.attempt);
        let attempt = attempt.filter(|a| a.nonce == report.nonce);
        let Some(message) = attempt.map(|a| a.message) else {
            return ReportEffect::Parked;
        };
        let standing = if self.must_wait(&report, message) {
            ReportStanding::Waiting
        } else {
            ReportStanding::Used
        };
        if let Some(row) = self.reports.get_mut(&id) {
            row.standing = standing;
            self.touched.reports.insert(id);
        }
        let moved = standing == ReportStanding::Used && self.follow(&report, message, hand);
        if moved {
            ReportEffect::Applied
        } else {
            ReportEffect::Recorded
        }
    }

    /// Tries parked reports again whose attempt is at hand by now.
    pub(crate) fn unpark(&mut self, hand: &Hand<'_>) {
        let parked = self.reports.iter().filter(|(_, r)| {
            r.standing == ReportStanding::Parked && self.is_about_an_attempt(r.attempt, r.nonce)
        });
        for id in parked.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.apply_report(id, hand);
            let report = self.reports.get(&id).map(ReportRow::again);
            for carried in report
                .map(|r| self.reported_of_carried(&r))
                .unwrap_or_default()
            {
                self.report_alone(&carried);
            }
        }
    }

    /// Whether an attempt of this number and this claim is at hand: after a backup was restored the
    /// number alone may be another's.
    fn is_about_an_attempt(&self, attempt: AttemptId, nonce: u32) -> bool {
        let found = self.attempts.get(&attempt);
        found.is_some_and(|a| a.nonce == nonce)
    }

    fn must_wait(&self, report: &ReportRow, message: MessageId) -> bool {
        let attempt = self.attempts.get(&report.attempt);
        let open = attempt.is_some_and(|a| a.outcome.is_none());
        let sending = |m: &MessageRow| m.state == MessageState::Sending;
        report.state == ReportState::Undelivered
            && open
            && self.messages.get(&message).is_some_and(sending)
    }

    fn follow(&mut self, report: &ReportRow, id: MessageId, hand: &Hand<'_>) -> bool {
        if self.is_stale(report, id) {
            self.note_report(report, id, hand, "too_late_to_count");
            return false;
        }
        let event = match report.state {
            ReportState::Delivered => Event::ReportedDelivered,
            ReportState::Undelivered => Event::ReportedUndelivered,
            ReportState::Progress => {
                self.note_report(report, id, hand, "progress");
                return false;
            }
        };
        let Some(row) = self.messages.get(&id) else {
            return false;
        };
        let believed =
            event == Event::ReportedDelivered || self.negative_counts(report.attempt, id);
        let seen = as_evidence_finds_it(row);
        match message::next(seen, event) {
            Next::To(to) if believed => {
                self.put(id, to, None, hand, event.word(), &report.detail);
                if let Some(row) = self.messages.get_mut(&id) {
                    row.accepted = true;
                }
                self.let_go_if_outdated(id, hand);
                true
            }
            Next::To(_) | Next::Stay | Next::Refused => {
                self.note_report(report, id, hand, event.word());
                false
            }
        }
    }

    /// Bad news so long after the first hand-over is kept as evidence only: relays give up within
    /// days, and an address that once was ours to bounce to must not stay a lever for ever.
    fn is_stale(&self, report: &ReportRow, message: MessageId) -> bool {
        let first = self.messages.get(&message).and_then(|m| m.first_attempt_at);
        report.state == ReportState::Undelivered
            && first.is_some_and(|first| report.at - first > BAD_NEWS_COUNTS)
    }

    /// A negative report says nothing of an attempt that was certainly not sent, and nothing where
    /// a younger attempt may still arrive.
    fn negative_counts(&self, attempt: AttemptId, message: MessageId) -> bool {
        let Some(row) = self.messages.get(&message) else {
            return false;
        };
        let out = |id: &AttemptId| self.attempts.get(id).is_some_and(|a| a.may_be_out());
        let mut younger = row.attempt_ids.iter().filter(|id| **id > attempt);
        out(&attempt) && !younger.any(out)
    }

    fn note_report(
        &mut self,
        report: &ReportRow,
        id: MessageId,
        hand: &Hand<'_>,
        event: &'static str,
    ) {
        if let Some(notice) = self.messages.get(&id).map(|m| m.notice) {
            self.write_history(Some(id), notice, hand, event, (None, None), &report.detail);
        }
    }

    /// Applies negative reports that waited for this attempt's outcome.
    pub(super) fn apply_waiting(&mut self, attempt: AttemptId, hand: &Hand<'_>) {
        let waiting = self
            .reports
            .iter()
            .filter(|(_, r)| r.attempt == attempt && r.standing == ReportStanding::Waiting)
            .map(|(id, _)| *id);
        for id in waiting.collect::<Vec<_>>() {
            self.apply_report(id, hand);
        }
    }
}

impl ReportRow {
    /// The report as it came.
    fn again(&self) -> Report {
        Report {
            attempt: self.attempt,
            nonce: self.nonce,
            state: self.state,
            detail: self.detail.clone(),
            at: self.at,
        }
    }
}
