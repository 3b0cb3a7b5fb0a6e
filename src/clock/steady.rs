//! A clock that does not jump with the machine's: what has expired can never be told, so one wrong
//! reading must not make it so. It reads no clock itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Mono;

/// What a clock that is kept right may be corrected by at once.
const MOST_STEP: TimeDelta = TimeDelta::seconds(60);

/// A greater step is believed when it has stood for so long.
const STANDS_FOR: Duration = Duration::from_secs(300);

/// Domain time that goes on by boot time until a step of the machine's clock is to be believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    last: Option<(Mono, DateTime<Utc>)>,
    /// Since when the machine's clock has shown something else.
    doubted: Option<Mono>,
}

impl Steady {
    /// The time that counts, where the machine's clock shows `shown` at the point `at` of boot time.
    pub fn read(&mut self, shown: DateTime<Utc>, at: Mono) -> DateTime<Utc> {
        let expected = self.last.and_then(|(then, time)| {
            let passed = at.shown().saturating_sub(then.shown());
            time.checked_add_signed(TimeDelta::from_std(passed).ok()?)
        });
        let expected = expected.unwrap_or(shown);
        let now = match (shown - expected).abs() <= MOST_STEP || self.has_stood(at) {
            true => {
                self.doubted = None;
                shown
            }
            false => {
                self.doubt(shown - expected, at);
                expected
            }
        };
        self.last = Some((at, now));
        now
    }

    fn has_stood(&self, at: Mono) -> bool {
        let since = self.doubted.map(Mono::shown);
        since.is_some_and(|since| at.shown().saturating_sub(since) >= STANDS_FOR)
    }

    fn doubt(&mut self, step: TimeDelta, at: Mono) {
        if self.doubted.is_none() {
            let (seconds, minutes) = (step.num_seconds(), STANDS_FOR.as_secs() / 60);
            tracing::error!(
                "the machine's clock has jumped by {seconds} s: nothing expires by it before it has stood \
                 for {minutes} minutes"
            );
            self.doubted = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read where the machine's clock shows this many seconds after so many of boot time.
    fn read(steady: &mut Steady, boot: u64, shown: i64) -> i64 {
        let at = Mono(Duration::from_secs(boot));
        let shown = DateTime::UNIX_EPOCH + TimeDelta::seconds(shown);
        steady.read(shown, at).timestamp()
    }

    #[test]
    fn a_clock_that_is_corrected_is_followed() {
        let mut steady = Steady::default();
        assert_eq!(read(&mut steady, 0, 1_000), 1_000);
        assert_eq!(read(&mut steady, 10, 1_070), 1_070);
        assert_eq!(read(&mut steady, 20, 1_020), 1_020);
        // A machine that slept shows both clocks later.
        assert_eq!(read(&mut steady, 90_020, 91_020), 91_020);
    }

    #[test]
    fn a_jump_is_believed_when_it_has_stood() {
        for jump in [86_400, -86_400] {
            let mut steady = Steady::default();
            assert_eq!(read(&mut steady, 0, 1_000), 1_000);
            assert_eq!(read(&mut steady, 10, 1_010 + jump), 1_010);
            assert_eq!(read(&mut steady, 309, 1_309 + jump), 1_309);
            assert_eq!(read(&mut steady, 310, 1_310 + jump), 1_310 + jump);
            assert_eq!(read(&mut steady, 320, 1_320 + jump), 1_320 + jump);
        }
    }

    #[test]
    fn a_wrong_reading_that_goes_away_was_nothing() {
        let mut steady = Steady::default();
        assert_eq!(read(&mut steady, 0, 1_000), 1_000);
        assert_eq!(read(&mut steady, 10, 90_000), 1_010);
        assert_eq!(read(&mut steady, 20, 1_020), 1_020);
        assert_eq!(read(&mut steady, 319, 90_000), 1_319);
    }
}
