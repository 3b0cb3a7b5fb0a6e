//! Laws of the brake: it never holds less when more is found, an hour of small polls is one large
//! one, and what cannot be believed is held at any size.

use chrono::TimeDelta;
use proptest::prelude::*;
use varsel::domain::brake::{BrakeLimits, Braked, PollCounts, Shift, brake, shifted_alike};

fn limits() -> impl Strategy<Value = BrakeLimits> {
    let share = || 0.01f64..1.0;
    (1u32..200, share(), 0u32..50, 1u32..400, share(), share()).prop_map(|limits| BrakeLimits {
        max_changes: limits.0,
        max_share: limits.1,
        min_changes: limits.2,
        max_changes_per_hour: limits.3,
        max_share_per_hour: limits.4,
        max_shrink: limits.5,
    })
}

fn no_limits() -> BrakeLimits {
    BrakeLimits {
        max_changes: u32::MAX,
        max_share: 1.0,
        min_changes: u32::MAX,
        max_changes_per_hour: u32::MAX,
        max_share_per_hour: 1.0,
        max_shrink: 1.0,
    }
}

/// A poll of a source that knows `known` appointments, all of which stand.
fn poll() -> impl Strategy<Value = PollCounts> {
    (0u32..300, 0u32..600, 1u32..1000, 0u32..300, 0u32..300).prop_map(
        |(changes, lately, known, missing, shifted)| PollCounts {
            changes,
            lately,
            known,
            standing: known,
            missing: missing.min(known),
            shifted: shifted.min(changes),
            rows: known,
        },
    )
}

proptest! {
    #[test]
    fn the_brake_holds_more_whenever_more_is_found(
        counts in poll(), limits in limits(), more in 0u32..300, earlier in 0u32..300, gone in 0u32..300,
    ) {
        let held = brake(counts, &limits).is_some();
        let worse = [
            PollCounts { changes: counts.changes + more, ..counts },
            PollCounts { lately: counts.lately + earlier, ..counts },
            PollCounts { missing: counts.missing + gone, ..counts },
            PollCounts { rows: 0, ..counts },
        ];
        for counts in worse {
            prop_assert!(!held || brake(counts, &limits).is_some());
        }
    }

    #[test]
    fn nothing_found_is_nothing_held(counts in poll(), limits in limits()) {
        prop_assert_eq!(brake(PollCounts { changes: 0, ..counts }, &limits), None);
    }

    #[test]
    fn each_limit_holds_by_itself_and_names_itself(counts in poll(), limits in limits()) {
        let counts = PollCounts { shifted: 0, ..counts };
        let share = |part: u32| f64::from(part) / f64::from(counts.known);
        let enough = |part: u32| part > limits.min_changes;
        let hour = counts.lately + counts.changes;
        let expected = if counts.changes == 0 {
            None
        } else if enough(counts.missing) && share(counts.missing) > limits.max_shrink {
            Some(Braked::Shrunk)
        } else if counts.changes > limits.max_changes {
            Some(Braked::TooMany)
        } else if enough(counts.changes) && share(counts.changes) > limits.max_share {
            Some(Braked::TooLargeAShare)
        } else if hour > limits.max_changes_per_hour {
            Some(Braked::TooManyInAnHour)
        } else if enough(hour) && share(hour) > limits.max_share_per_hour {
            Some(Braked::TooLargeAShareInAnHour)
        } else {
            None
        };
        prop_assert_eq!(brake(counts, &limits), expected);
    }

    /// However the changes of an hour are cut into polls, no more flows than the hour allows, and
    /// no more than if the limits of one poll were not there.
    #[test]
    fn many_small_polls_do_not_pass(
        polls in prop::collection::vec(0u32..60, 0..60), known in 1u32..2000, limits in limits(),
    ) {
        let mut lately = 0;
        for changes in polls {
            let counts = PollCounts { changes, lately, known, standing: known, rows: known, ..PollCounts::default() };
            if brake(counts, &limits).is_none() {
                lately += changes;
            }
        }
        prop_assert!(lately <= limits.max_changes_per_hour);
        let most = f64::from(known) * limits.max_share_per_hour;
        prop_assert!(lately <= limits.min_changes || f64::from(lately) <= most);
    }

    #[test]
    fn a_source_that_shows_nothing_is_held_whatever_the_limits(changes in 1u32..100, known in 1u32..1000) {
        let counts = PollCounts { changes, known, standing: known, ..PollCounts::default() };
        prop_assert_eq!(brake(counts, &no_limits()), Some(Braked::ZeroRows));
    }

    #[test]
    fn a_uniform_shift_of_all_times_is_held_at_any_size(standing in 2u32..1000, minutes in 1i64..2000) {
        let moves = (0..standing).map(|_| by(minutes));
        let counts = PollCounts {
            changes: standing,
            known: standing,
            standing,
            shifted: shifted_alike(moves),
            rows: standing,
            ..PollCounts::default()
        };
        prop_assert_eq!(brake(counts, &no_limits()), Some(Braked::UniformShift));
    }

    /// What a clerk does by hand, one appointment or each by another length, is no shift.
    #[test]
    fn a_single_move_and_moves_by_various_lengths_are_no_shift(
        lengths in prop::collection::btree_set(1i64..2000, 1..30),
    ) {
        let moves = lengths.iter().map(|minutes| by(*minutes));
        prop_assert_eq!(shifted_alike(moves), 1);
        let known = u32::try_from(lengths.len()).unwrap();
        let counts = PollCounts {
            changes: known, known, standing: known, shifted: 1, rows: known, ..PollCounts::default()
        };
        prop_assert_eq!(brake(counts, &no_limits()), None);
    }
}

/// A move in an office at Greenwich.
fn by(minutes: i64) -> Shift {
    Shift {
        by: TimeDelta::minutes(minutes),
        from_utc: TimeDelta::zero(),
    }
}

/// Oslo's times before and after the last Sunday of March, read as UTC, or UTC read as Oslo's.
#[test]
fn a_zone_that_was_lost_is_a_uniform_shift_across_a_change_of_the_clocks() {
    for read_as in [1, -1] {
        let moves = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2].map(|hours| Shift {
            by: TimeDelta::hours(hours * read_as),
            from_utc: TimeDelta::hours(hours),
        });
        assert_eq!(shifted_alike(moves), 10);
    }
}

#[test]
fn a_move_of_the_office_alone_has_no_length() {
    assert_eq!(shifted_alike([by(0), by(0)]), 0);
    assert_eq!(shifted_alike([]), 0);
}
