//! The story that `demo` tells: what the agency does on the afternoon of 16 March 2021.
//!
//! It plays people: it changes the register, announces the closing, and (where nobody watches) is
//! the duty manager who looks at the held batch and releases it. It never waits for a length of
//! time to be over where it can wait for what it needs to see.

mod scenes;

use std::time::Duration;

use super::feed::Kind;
use super::register::RegisterError;
use super::{SOURCE, Sandbox};
use crate::clock::Clock;
use crate::domain::message::words;
use crate::store::{ActError, Batch, Desk, StoreError, Tally};

use scenes::Stage;

/// How often the story looks whether what it waits for has happened.
const LOOK: Duration = Duration::from_millis(150);
/// How many looks it takes before it gives up: three minutes.
const LOOKS: u32 = 1_200;
/// The time between two scenes that people can follow.
pub const BEAT: Duration = Duration::from_secs(4);

/// For whom the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Somebody watches: there is time between the scenes, and the held batch waits for their click.
    Watched {
        /// The time between two scenes ([`BEAT`]).
        beat: Duration,
    },
    /// Nobody watches: one scene follows the other, and a scripted duty manager releases the batch.
    Once,
}

/// One scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The closing is announced.
    Announce,
    /// A handful of passport appointments are cancelled.
    CancelFew,
    /// A residence permit case for tomorrow morning is cancelled.
    CancelShortNotice,
    /// A citizenship case for tomorrow is cancelled: no digital route.
    CancelCitizenship,
    /// The embassy moves an appointment.
    MoveAtEmbassy,
    /// An appointment is moved, and at once again.
    MoveTwice,
    /// A cancellation is taken back after the person was told of it.
    ReinstateTold,
    /// Most appointments of the closing are cancelled: the brake holds the batch.
    CancelMost,
    /// One of them is taken back while the batch is held: nobody hears of it.
    ReinstateHeld,
    /// Somebody looks at the held batch and releases it.
    Release,
}

words!(Step {
    Announce => "announce",
    CancelFew => "cancel_few",
    CancelShortNotice => "cancel_short_notice",
    CancelCitizenship => "cancel_citizenship",
    MoveAtEmbassy => "move_at_embassy",
    MoveTwice => "move_twice",
    ReinstateTold => "reinstate_told",
    CancelMost => "cancel_most",
    ReinstateHeld => "reinstate_held",
    Release => "release",
});

/// Why the story could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The register failed.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store refused what the script asked for.
    #[error("the story's act was refused: {0}")]
    Act(#[from] ActError),
    /// What the story waits for did not happen.
    #[error("in the scene {step}, this did not happen in time: {awaited}")]
    InVain {
        /// The scene.
        step: Step,
        /// What it waited for.
        awaited: &'static str,
    },
    /// The register holds no booking that the scene needs.
    #[error("the register has no booking for the scene {0}")]
    NobodyFor(Step),
}

/// Everybody knows, or stands where a person sees them: nobody waits.
#[must_use]
pub fn settled(tally: &Tally) -> bool {
    tally.waiting == 0 && tally.held == 0
}

/// Tells the story: plays every scene in order and returns when the last one has been played. That
/// everybody has been told by then is for the caller to see ([`settled`]).
///
/// # Errors
/// As the names of [`StoryError`] say.
pub async fn run_story<S: Desk>(
    sandbox: &Sandbox,
    desk: &S,
    clock: Clock,
    pace: Pace,
) -> Result<(), StoryError> {
    let mut stage = Stage::new(sandbox, desk, clock, pace);
    let eyes = Eyes {
        desk,
        clock,
        pace,
        step: Step::Announce,
    };
    eyes.until("the register's baseline is recorded", async || {
        let ages = desk.gauges(clock.now()).await?.snapshot_age_seconds;
        Ok(ages.keys().any(|source| source.0 == SOURCE))
    })
    .await?;
    for step in Step::ALL.iter().copied() {
        Eyes { step, ..eyes }.play(&mut stage).await?;
    }
    Ok(())
}

/// What the script sees of the daemon's work, and how patiently it looks.
struct Eyes<'a, S> {
    desk: &'a S,
    clock: Clock,
    pace: Pace,
    step: Step,
}

impl<S> Clone for Eyes<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Eyes<'_, S> {}

impl<S: Desk> Eyes<'_, S> {
    async fn play(self, stage: &mut Stage<'_, S>) -> Result<(), StoryError> {
        let before = self.desk.tally(self.clock.now()).await?.people();
        if self.step == Step::Release {
            self.released(stage).await?;
        } else {
            stage.play(self.step).await?;
        }
        match self.step {
            Step::Announce | Step::Release => {}
            Step::CancelFew => {
                self.told(stage, "the person to be reinstated is told")
                    .await?
            }
            Step::CancelMost => {
                let held = async || Ok(!self.held().await?.is_empty());
                self.until("the brake holds the batch", held).await?;
            }
            Step::ReinstateHeld => self.left_out(stage).await?,
            Step::ReinstateTold => {
                self.told(stage, "the person is told that the appointment stands")
                    .await?;
            }
            Step::CancelShortNotice
            | Step::CancelCitizenship
            | Step::MoveAtEmbassy
            | Step::MoveTwice => {
                let noticed =
                    async || Ok(self.desk.tally(self.clock.now()).await?.people() > before);
                self.until("the change is noticed", noticed).await?;
            }
        }
        if let Pace::Watched { beat } = self.pace {
            self.clock.pause(beat).await;
        }
        Ok(())
    }

    /// The newest word on the booking is told.
    async fn told(self, stage: &Stage<'_, S>, awaited: &'static str) -> Result<(), StoryError> {
        let name = format!("{SOURCE}/{}", stage.told);
        let expected = if self.step == Step::CancelFew { 1 } else { 2 };
        self.until(awaited, async || {
            let stories = self.desk.explain(&name).await?;
            let notices = stories.iter().flat_map(|story| &story.notices);
            Ok(notices.filter(|notice| notice.has_told()).count() >= expected)
        })
        .await
    }

    /// The held notice of the booking was made void.
    async fn left_out(self, stage: &Stage<'_, S>) -> Result<(), StoryError> {
        let name = format!("{SOURCE}/{}", stage.held);
        self.until("the held notice is superseded", async || {
            let stories = self.desk.explain(&name).await?;
            let mut notices = stories.iter().flat_map(|story| &story.notices);
            Ok(notices.any(|notice| notice.superseded))
        })
        .await
    }

    /// No batch is held any more, because somebody has released it: the watcher, or the script.
    async fn released(self, stage: &Stage<'_, S>) -> Result<(), StoryError> {
        if self.pace != Pace::Once {
            stage.ask_for_release();
            while !self.held().await?.is_empty() {
                self.clock.pause(LOOK).await;
            }
            return Ok(());
        }
        self.until("the held batch is released", async || {
            for batch in self.held().await? {
                // Where it has changed since it was read, it is refused: look again.
                if let Err(ActError::Store(problem)) = stage.release(&batch).await {
                    return Err(problem);
                }
            }
            Ok(self.held().await?.is_empty())
        })
        .await
    }

    /// The batches that wait for a person.
    async fn held(self) -> Result<Vec<Batch>, StoreError> {
        let mut batches = self.desk.batches().await?;
        batches.retain(|batch| !batch.releasing);
        Ok(batches)
    }

    async fn until(
        self,
        awaited: &'static str,
        mut happened: impl AsyncFnMut() -> Result<bool, StoreError>,
    ) -> Result<(), StoryError> {
        for _ in 0..LOOKS {
            if happened().await? {
                return Ok(());
            }
            self.clock.pause(LOOK).await;
        }
        let step = self.step;
        Err(StoryError::InVain { step, awaited })
    }
}

impl<S> Stage<'_, S> {
    fn ask_for_release(&self) {
        let said = super::Said::new(
            "Se over den holdte bunken, og slipp den.",
            "Look at the held batch, and release it.",
        );
        self.sandbox.feed.say(Kind::Story, said);
    }
}
