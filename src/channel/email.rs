//! The e-mail channel: composes mails and hands them to the agency's SMTP relay.
//!
//! The session is our own because an outcome needs to know how far it came. A connection carries one
//! transaction at a time and returns to the rest only when every reply was read; a hand-over that
//! is dropped, fails unclearly or runs out of time takes its connection with it. This channel never
//! retries a mail whose final dot was begun.
//!
//! Reading order: `settings`, `letter` and `calendar` (what a mail is), `envelope` and `wire` (how it is written), `reply`
//! and `link` (what comes back), `session` (the steps), `outcome` (what they mean); `bounce` reads mails
//! that come back later.

mod bounce;
mod calendar;
mod envelope;
mod letter;
mod link;
mod outcome;
mod reply;
mod session;
mod settings;
mod tls;
mod wire;

use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::bounce::{Returned, read_returned};
pub use self::calendar::{CalendarEntry, Method};
pub use self::letter::{ComposeError, Letter, compose};
pub use self::settings::{BounceAddress, Login, Settings, SetupError, Timeouts, TlsMode};
pub use self::wire::Unfit;

use self::envelope::Mail;
use self::outcome::{Phase, Stop, Why};
use self::session::Session;
use self::tls::Tls;
use super::{Channel, Outgoing, Sending, may_start};
use crate::domain::outcome::Outcome;

/// The e-mail channel to one relay.
pub struct Smtp {
    settings: Settings,
    tls: Option<Tls>,
    /// One permit for each connection that may be open.
    places: Semaphore,
    /// Sessions between two mails; never more than there are places.
    resting: Mutex<Vec<Session>>,
}

impl Smtp {
    /// Reads the trust anchors and checks the settings; connects only when there is a mail.
    ///
    /// # Errors
    /// When a setting cannot be meant so.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        settings.check()?;
        let tls = match settings.tls {
            TlsMode::Plain => None,
            TlsMode::Implicit | TlsMode::StartTls => {
                Some(Tls::new(&settings.host, settings.ca_file.as_deref())?)
            }
        };
        Ok(Self {
            places: Semaphore::new(settings.connections),
            resting: Mutex::new(Vec::new()),
            settings,
            tls,
        })
    }

    async fn hand_over(&self, message: &Outgoing) -> Outcome {
        let mail = match Mail::prepare(&self.settings, message) {
            Ok(mail) => mail,
            Err(outcome) => return outcome,
        };
        let place = self.places.acquire().await;
        let _place = place.expect("the semaphore is never closed");
        let written = self.up_to_the_dot(&mail, message);
        let mut session = match timeout(self.settings.timeouts.before_dot, written).await {
            Ok(Ok(session)) => session,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return outcome::too_slow(),
        };
        // Everything up to here took its time, and a process may be paused. A mail without its dot is none; the
        // connection, which would wait for it, goes with it.
        if !may_start(message) {
            return Stop::unwritten(Why::TooLate).outcome();
        }
        // The point of no return: from the first byte of the dot on, only its reply is certain.
        match session.dot().await {
            Ok(reply) => {
                self.rest(session);
                outcome::of_reply(Phase::Dot, &reply)
            }
            Err(stop) => self.stopped(session, &stop),
        }
    }

    /// Writes everything but the final dot. Whatever goes wrong in here, or cuts it off: nothing
    /// was handed over.
    async fn up_to_the_dot(&self, mail: &Mail, message: &Outgoing) -> Result<Session, Outcome> {
        if let Some(mut session) = self.rested().await {
            match self.write(&mut session, mail, message).await {
                Ok(()) => return Ok(session),
                // The relay had closed it while it rested: a new one is tried at once, and once.
                Err(stop) if stop.is_stale() => {}
                Err(stop) => return Err(self.stopped(session, &stop)),
            }
        }
        let opened = Session::open(&self.settings, self.tls.as_ref()).await;
        let mut session = opened.map_err(|stop| stop.outcome())?;
        match self.write(&mut session, mail, message).await {
            Ok(()) => Ok(session),
            Err(stop) => Err(self.stopped(session, &stop)),
        }
    }

    async fn write(
        &self,
        session: &mut Session,
        mail: &Mail,
        message: &Outgoing,
    ) -> Result<(), Stop> {
        // The last moment: behind it stands the first byte of MAIL.
        match may_start(message) {
            true => session.write(mail).await,
            false => Err(Stop::unwritten(Why::TooLate)),
        }
    }

    /// The outcome of a transaction that ended early; its session goes on where nothing is unclear.
    fn stopped(&self, session: Session, stop: &Stop) -> Outcome {
        if stop.usable {
            self.rest(session);
        }
        stop.outcome()
    }

    /// A session that has rested and is awake again, if there is one. One that does not wake is
    /// dropped, and so are the others: what ended it has probably ended them.
    async fn rested(&self) -> Option<Session> {
        let mut session = self.resting().pop()?;
        if session.is_worn(&self.settings) {
            session.quit().await;
            return None;
        }
        if session.wake().await.is_err() {
            self.resting().clear();
            return None;
        }
        Some(session)
    }

    /// Lets a session whose every reply was read wait for the next mail. It never waits itself: an
    /// outcome is in hand.
    fn rest(&self, mut session: Session) {
        session.rest();
        self.resting().push(session);
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        // Nothing can panic while the list is locked, and a list has no half state.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel for Smtp {
    fn send<'a>(&'a self, message: &'a Outgoing) -> Sending<'a> {
        Box::pin(self.hand_over(message))
    }
}
