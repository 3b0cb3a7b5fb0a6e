//! The dead man's beat: sent only while every line really goes round and may send, so that its silence
//! tells somebody else what we cannot say any more.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::settings::BeatSettings;
use super::{Gateway, Shared, dispatch, intake, upkeep};
use crate::channel::duty::{self, DutyError};
use crate::domain::appointment::SourceName;

/// A line of the daemon's own goes round at least this often.
const ROUND_WITHIN: Duration = Duration::from_secs(120);

/// The beat and its pace.
pub struct Beat {
    /// What is sent.
    pub sent: duty::Beat,
    /// How often.
    pub every: Duration,
    /// Every line, and the longest one may go without going round.
    pub lines: Vec<(String, Duration)>,
}

impl Beat {
    /// The beat of every gateway's dispatch, every source's intake (each read within `stale_after`)
    /// and upkeep; `None` where nobody watches.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn watched<'a>(
        settings: &BeatSettings,
        gateways: &[Gateway],
        sources: impl Iterator<Item = &'a SourceName>,
        stale_after: Duration,
    ) -> Result<Option<Self>, DutyError> {
        if settings.url.is_none() && settings.file.is_none() {
            return Ok(None);
        }
        let gateways = gateways.iter();
        let dispatch = gateways.map(|g| (dispatch::line(&g.name), ROUND_WITHIN));
        let intake = sources.map(|source| (intake::line(source), stale_after));
        let upkeep = [(upkeep::LINE.to_owned(), ROUND_WITHIN)];
        Ok(Some(Self {
            sent: duty::Beat::new(settings.url.as_deref(), settings.file.clone())?,
            every: settings.every,
            lines: dispatch.chain(intake).chain(upkeep).collect(),
        }))
    }

    /// Beats until `stop`.
    pub async fn run(self, shared: Arc<Shared>, stop: CancellationToken) {
        let mut silent = false;
        while !stop.is_cancelled() {
            match self.standing(&shared) {
                None => {
                    silent = false;
                    if let Err(error) = self.sent.beat().await {
                        tracing::error!("the beat was not taken: {error}");
                    }
                }
                Some(why) if !silent => {
                    silent = true;
                    tracing::error!("there is no beat: {why}");
                }
                Some(_) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = shared.clock.pause(self.every) => {}
            }
        }
    }

    /// What stands still: a line that has not gone round in time, or sending itself, because outcomes
    /// cannot be written. A store that is locked waits for a person, who has been told of it.
    fn standing(&self, shared: &Shared) -> Option<String> {
        if let Some(why) = shared.sending.trouble() {
            return Some(format!("nothing is sent: {why}"));
        }
        let standing = |(line, within): &&(String, Duration)| !shared.pulse.is_round(line, *within);
        let line = self.lines.iter().find(standing);
        line.map(|(line, _)| format!("{line} does not go round"))
    }
}
