//! The scenes: what each one does to the register, and the sentence that goes with it.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::{Pace, Step, StoryError};
use crate::clock::Clock;
use crate::domain::calendar;
use crate::domain::closing::{Closing, ClosingKind, NextStep};
use crate::domain::directory::{Office, OfficeId, ServiceId, ServiceKind};
use crate::domain::language::{Language, Texts};
use crate::sandbox::feed::{Kind, Said};
use crate::sandbox::gateway::{SmsState, fate};
use crate::sandbox::mail::REFUSED_PREFIX;
use crate::sandbox::register::{Booking, BookingQuery};
use crate::sandbox::{BOOKINGS, Sandbox};
use crate::store::{Act, ActError, Batch, Deed, Desk};

/// Appointments in the first small batch.
const FEW: usize = 6;
/// The closing's length after its first day: 17 March to 9 April.
const CLOSING_DAYS: i64 = 23;
/// The days of the closing that are cancelled at once when nobody watches: enough for the brake.
const SHORT_DAYS: i64 = 5;
/// Of so many passport appointments one stands: the offices receive fewer, not nobody.
const ONE_STANDS_OF: usize = 4;
/// Who acts, in the history.
const SCRIPT: &str = "sandbox";
/// The scripted duty manager.
const DUTY_MANAGER: &str = "sandbox duty manager";

/// The register, the announcements, and who has played a part so far.
pub(super) struct Stage<'a, S> {
    pub(super) sandbox: &'a Sandbox,
    desk: &'a S,
    clock: Clock,
    pace: Pace,
    /// The booking that is cancelled and, once its person knows, taken back.
    pub(super) told: String,
    /// The booking that is taken back while its batch is held.
    pub(super) held: String,
    /// Bookings with a scene of their own.
    cast: Vec<String>,
}

impl<'a, S> Stage<'a, S> {
    pub(super) fn new(sandbox: &'a Sandbox, desk: &'a S, clock: Clock, pace: Pace) -> Self {
        Self {
            sandbox,
            desk,
            clock,
            pace,
            told: String::new(),
            held: String::new(),
            cast: Vec::new(),
        }
    }

    fn say(&self, nb: impl Into<String>, en: impl Into<String>) {
        self.sandbox.feed.say(Kind::Story, Said::new(nb, en));
    }

    /// The first day of the closing: tomorrow.
    fn first_day(&self) -> NaiveDate {
        calendar::local_day(self.clock.now(), chrono_tz::Europe::Oslo) + TimeDelta::days(1)
    }

    fn start_of(&self, day: NaiveDate) -> DateTime<Utc> {
        calendar::instant(day.and_time(NaiveTime::MIN), chrono_tz::Europe::Oslo)
    }

    fn office(&self, id: &OfficeId) -> Option<&Office> {
        self.sandbox.directory.offices.get(id)
    }

    fn kind(&self, id: &ServiceId) -> Option<ServiceKind> {
        Some(self.sandbox.directory.services.get(id)?.kind)
    }

    /// Bookings that stand between two instants and have no scene of their own yet.
    async fn standing(
        &self,
        from: DateTime<Utc>,
        before: DateTime<Utc>,
        fits: impl Fn(&Booking) -> bool,
    ) -> Result<Vec<Booking>, StoryError> {
        let wanted = BookingQuery {
            stands: Some(true),
            from: Some(from),
            before: Some(before),
            limit: BOOKINGS,
            ..BookingQuery::default()
        };
        let mut bookings = self.sandbox.register.list(&wanted).await?;
        bookings.retain(|booking| !self.cast.contains(&booking.number) && fits(booking));
        Ok(bookings)
    }

    /// The first booking that fits and whose person can be reached; it plays no other part.
    async fn one(
        &mut self,
        step: Step,
        from: DateTime<Utc>,
        fits: impl Fn(&Self, &Booking) -> bool,
    ) -> Result<Booking, StoryError> {
        let far = from + TimeDelta::days(CLOSING_DAYS);
        let found = self
            .standing(from, far, |booking| {
                reachable(booking) && fits(self, booking)
            })
            .await?;
        let booking = found
            .into_iter()
            .next()
            .ok_or(StoryError::NobodyFor(step))?;
        self.cast.push(booking.number.clone());
        Ok(booking)
    }
}

impl<S: Desk> Stage<'_, S> {
    pub(super) async fn play(&mut self, step: Step) -> Result<(), StoryError> {
        match step {
            Step::Announce => self.announce().await,
            Step::CancelFew => self.cancel_few().await,
            Step::CancelShortNotice => {
                self.say(
                    "En time for oppholdstillatelse i morgen er avlyst på kort varsel.",
                    "A residence permit appointment for tomorrow is cancelled at short notice.",
                );
                self.cancel_one(step, ServiceKind::ResidencePermit).await
            }
            Step::CancelCitizenship => {
                self.say(
                    "En time for statsborgerskap er avlyst. Den søknaden kan ikke leveres digitalt.",
                    "A citizenship appointment is cancelled. That cannot be submitted online.",
                );
                self.cancel_one(step, ServiceKind::Citizenship).await
            }
            Step::MoveAtEmbassy => self.move_at_embassy().await,
            Step::MoveTwice => self.move_twice().await,
            Step::ReinstateTold => {
                self.say(
                    "En avlysning er trukket tilbake etter at personen fikk beskjed.",
                    "A cancellation is taken back after the person was told.",
                );
                self.sandbox
                    .register
                    .reinstate(std::slice::from_ref(&self.told))
                    .await?;
                Ok(())
            }
            Step::CancelMost => self.cancel_most().await,
            Step::ReinstateHeld => {
                self.say(
                    "En avlysning i den holdte bunken er trukket tilbake: den personen hører ingenting.",
                    "A cancellation in the held batch is taken back: that person hears nothing.",
                );
                self.sandbox
                    .register
                    .reinstate(std::slice::from_ref(&self.held))
                    .await?;
                Ok(())
            }
            // The caller does it: here it takes more than one look.
            Step::Release => Ok(()),
        }
    }

    async fn announce(&self) -> Result<(), StoryError> {
        let from = self.first_day();
        let to = from + TimeDelta::days(CLOSING_DAYS);
        let offices = self.sandbox.directory.offices.values();
        let closing = Closing {
            offices: offices
                .filter(|office| !office.abroad)
                .map(|office| office.id.clone())
                .collect(),
            kinds: Vec::new(),
            from,
            to,
            kind: ClosingKind::Reduced,
            next: NextStep::Book,
            reason: Texts::from([
                (Language::Nb, "smittesituasjonen i Oslo og Viken"),
                (Language::Nn, "smittesituasjonen i Oslo og Viken"),
                (Language::En, "the infection situation in Oslo and Viken"),
            ]),
            // The story shows the brake, so nothing passes it on the announcement's account.
            max: 0,
        };
        let act = Act {
            actor: SCRIPT.to_owned(),
            reason: "announced on 16 March".to_owned(),
            idempotency_key: format!("sandbox-story-closing-{from}"),
            at: self.clock.now(),
            deed: Deed::AddClosing(closing),
        };
        self.desk.act(&act).await?;
        let span = |language| (calendar::date(language, from), calendar::date(language, to));
        let (nb, en) = (span(Language::Nb), span(Language::En));
        self.say(
            format!(
                "Det kunngjøres: fra og med {} til og med {} tar kontorene i Oslo imot færre enn vanlig.",
                nb.0, nb.1
            ),
            format!("Announced: from {} to {} the Oslo offices see fewer people.", en.0, en.1),
        );
        Ok(())
    }

    async fn cancel_few(&mut self) -> Result<(), StoryError> {
        let step = Step::CancelFew;
        let day = self.start_of(self.first_day() + TimeDelta::days(7));
        let first = self.one(step, day, Self::is_oslo_passport).await?;
        let mut numbers = vec![first.number.clone()];
        let same_day = self
            .standing(day, day + TimeDelta::days(2), |booking| {
                booking.office == first.office
            })
            .await?;
        numbers.extend(same_day.into_iter().map(|one| one.number).take(FEW - 1));
        self.cast.extend(numbers.iter().skip(1).cloned());
        self.told = first.number;
        self.say(
            format!("{} timer ved ett passkontor er avlyst.", numbers.len()),
            format!(
                "{} appointments at one passport office are cancelled.",
                numbers.len()
            ),
        );
        self.sandbox.register.cancel(&numbers).await?;
        Ok(())
    }

    async fn cancel_one(&mut self, step: Step, kind: ServiceKind) -> Result<(), StoryError> {
        let tomorrow = self.start_of(self.first_day());
        let fits = |stage: &Self, one: &Booking| stage.kind(&one.service) == Some(kind);
        let booking = self.one(step, tomorrow, fits).await?;
        self.sandbox.register.cancel(&[booking.number]).await?;
        Ok(())
    }

    async fn move_at_embassy(&mut self) -> Result<(), StoryError> {
        let from = self.start_of(self.first_day() + TimeDelta::days(4));
        let abroad =
            |stage: &Self, one: &Booking| stage.office(&one.office).is_some_and(|o| o.abroad);
        let booking = self.one(Step::MoveAtEmbassy, from, abroad).await?;
        self.say(
            "Ambassaden i Alger flytter en time.",
            "The embassy in Algiers moves an appointment.",
        );
        self.shift(&booking, 22, 10).await
    }

    async fn move_twice(&mut self) -> Result<(), StoryError> {
        let from = self.start_of(self.first_day() + TimeDelta::days(9));
        let booking = self
            .one(Step::MoveTwice, from, Self::is_oslo_passport)
            .await?;
        self.say(
            "En passtime flyttes, og like etter en gang til.",
            "A passport appointment is moved, and moments later once more.",
        );
        self.shift(&booking, 7, 9).await?;
        self.shift(&booking, 14, 12).await
    }

    /// Moves a booking by days, to a full hour of the office's own clock.
    async fn shift(&self, booking: &Booking, days: i64, hour: u32) -> Result<(), StoryError> {
        let zone = self
            .office(&booking.office)
            .map_or(chrono_tz::Europe::Oslo, |office| office.zone);
        let day = calendar::local_day(booking.start, zone) + TimeDelta::days(days);
        let time = NaiveTime::MIN + TimeDelta::hours(i64::from(hour));
        let start = calendar::instant(day.and_time(time), zone);
        self.sandbox
            .register
            .move_booking(&booking.number, start)
            .await?;
        Ok(())
    }

    async fn cancel_most(&mut self) -> Result<(), StoryError> {
        let from = self.start_of(self.first_day() + TimeDelta::days(1));
        let days = match self.pace {
            Pace::Watched { .. } => CLOSING_DAYS,
            Pace::Once => SHORT_DAYS,
        };
        let until = self.start_of(self.first_day() + TimeDelta::days(days + 1));
        let in_oslo = |one: &Booking| {
            self.office(&one.office)
                .is_some_and(|office| !office.abroad)
        };
        let bookings = self.standing(from, until, in_oslo).await?;
        let stays = |at: &usize| (at + 1).is_multiple_of(ONE_STANDS_OF);
        let most = bookings.into_iter().enumerate();
        let most: Vec<Booking> = most
            .filter(|(at, _)| !stays(at))
            .map(|(_, one)| one)
            .collect();
        let held = most.iter().find(|one| reachable(one));
        let held = held.ok_or(StoryError::NobodyFor(Step::CancelMost))?;
        self.held = held.number.clone();
        let numbers: Vec<String> = most.into_iter().map(|one| one.number).collect();
        self.say(
            format!("{} timer i Oslo er avlyst på én gang.", numbers.len()),
            format!(
                "{} appointments in Oslo are cancelled at once.",
                numbers.len()
            ),
        );
        self.sandbox.register.cancel(&numbers).await?;
        Ok(())
    }

    fn is_oslo_passport(&self, booking: &Booking) -> bool {
        self.kind(&booking.service) == Some(ServiceKind::Passport)
            && self
                .office(&booking.office)
                .is_some_and(|office| !office.abroad)
    }

    /// Releases a held batch as it was seen.
    pub(super) async fn release(&self, batch: &Batch) -> Result<(), ActError> {
        let seen = batch.seen();
        let act = Act {
            actor: DUTY_MANAGER.to_owned(),
            reason: "the closing was announced".to_owned(),
            idempotency_key: format!("sandbox-story-release-{}-{}", batch.id.0, batch.version),
            at: self.clock.now(),
            deed: Deed::Release(seen),
        };
        let acted = self.desk.act(&act).await?;
        self.say(
            format!(
                "Vakthavende har sett over bunken og slipper varslene til {} personer.",
                acted.count
            ),
            format!(
                "The duty manager has looked and releases the notices of {} people.",
                acted.count
            ),
        );
        Ok(())
    }
}

/// Whether messages to this person arrive, by number and by address: the parts with a scene of
/// their own go to people who can be reached.
fn reachable(booking: &Booking) -> bool {
    let mobile = booking.mobile.as_deref().is_some_and(|mobile| {
        mobile.ends_with(|last: char| last.is_ascii_digit()) && fate(mobile) == SmsState::Delivered
    });
    let email = booking.email.as_deref().is_some_and(|email| {
        email.contains(".") && !email.ends_with('@') && !email.starts_with(REFUSED_PREFIX)
    });
    mobile && email
}
