//! Laws of the breaker: a gateway is left alone after so many failures in a row and not before, never
//! for ever, and any answer brings it back.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use varsel::domain::breaker::{Breaker, BreakerLimits, Heard, LONGEST_REST, Passage, Turn};
use varsel::domain::outcome::{Blame, Outcome};

fn limits() -> impl Strategy<Value = BreakerLimits> {
    (1u32..6, 1u64..120, 1u64..60).prop_map(|(failures, within, rest)| BreakerLimits {
        failures,
        within: Duration::from_secs(within),
        rest: Duration::from_secs(rest),
    })
}

fn heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        2 => Just(Heard::Answer),
        6 => (0u64..100).prop_map(|wait| Heard::Failure(Duration::from_secs(wait / 10))),
        1 => (0u64..10_000).prop_map(|wait| Heard::Failure(Duration::from_secs(wait))),
        1 => Just(Heard::Locked),
    ]
}

/// What is heard, each so long after the one before.
fn life() -> impl Strategy<Value = Vec<(Duration, Heard)>> {
    vec((0u64..40, heard()), 0..60).prop_map(|life| {
        let mut at = Duration::from_secs(1000);
        let step = |(later, heard)| {
            at += Duration::from_secs(later);
            (at, heard)
        };
        life.into_iter().map(step).collect()
    })
}

proptest! {
    #[test]
    fn so_many_failures_in_a_row_and_no_fewer_open_it(limits in limits(), life in life()) {
        let mut breaker = Breaker::new(limits);
        let mut row: Vec<Duration> = Vec::new();
        for (at, heard) in life {
            let closed = breaker.passage(at) == Passage::All;
            match heard {
                Heard::Failure(_) if closed => row.push(at),
                Heard::Failure(_) => {}
                Heard::Answer | Heard::Locked => row.clear(),
            }
            let young = row.iter().filter(|failed| at - **failed <= limits.within).count();
            let opens = closed && (heard == Heard::Locked || young >= limits.failures as usize);
            let turn = breaker.hear(heard, at);
            prop_assert_eq!(matches!(turn, Some(Turn::Opened(_))), opens);
            if opens {
                row.clear();
                prop_assert_eq!(breaker.passage(at), Passage::Nothing);
            }
        }
    }

    #[test]
    fn nobody_is_left_alone_for_ever(limits in limits(), life in life()) {
        let mut breaker = Breaker::new(limits);
        let mut last = Duration::ZERO;
        for (at, heard) in life {
            breaker.hear(heard, at);
            last = at;
        }
        prop_assert_ne!(breaker.passage(last + LONGEST_REST), Passage::Nothing);
    }

    #[test]
    fn any_answer_brings_it_back(limits in limits(), life in life()) {
        let mut breaker = Breaker::new(limits);
        let mut last = Duration::ZERO;
        for (at, heard) in life {
            breaker.hear(heard, at);
            last = at;
        }
        let open = breaker.passage(last) != Passage::All;
        let turn = breaker.hear(Heard::Answer, last);
        prop_assert_eq!(turn, open.then_some(Turn::Closed));
        prop_assert_eq!(breaker, Breaker::new(limits));
    }

    #[test]
    fn a_failed_trial_rests_longer_and_what_was_on_its_way_counts_for_nothing(
        limits in limits(), late in 0u64..1000,
    ) {
        let mut breaker = Breaker::new(limits);
        let zero = Duration::ZERO;
        for _ in 0..limits.failures {
            breaker.hear(Heard::Failure(zero), zero);
        }
        let on_its_way = limits.rest.mul_f64(f64::from(u32::try_from(late).unwrap()) / 1001.0);
        prop_assert_eq!(breaker.hear(Heard::Failure(zero), on_its_way), None);
        prop_assert_eq!(breaker.passage(limits.rest), Passage::One);
        let longer = (limits.rest * 2).min(LONGEST_REST);
        prop_assert_eq!(breaker.hear(Heard::Failure(zero), limits.rest), Some(Turn::Stayed(longer)));
        prop_assert_eq!(breaker.passage(limits.rest + longer - Duration::from_nanos(1)), Passage::Nothing);
        prop_assert_eq!(breaker.passage(limits.rest + longer), Passage::One);
    }
}

#[test]
fn only_what_speaks_of_the_gateway_is_heard() {
    let not_sent = |blame| Outcome::NotSent {
        cause: String::new(),
        retry_after: Some(Duration::from_secs(7)),
        blame,
    };
    let wait = Duration::from_secs(7);
    assert_eq!(Heard::of(&not_sent(Blame::Message)), None);
    assert_eq!(
        Heard::of(&not_sent(Blame::Gateway)),
        Some(Heard::Failure(wait))
    );
    assert_eq!(Heard::of(&not_sent(Blame::Account)), Some(Heard::Locked));
    let cause = String::new();
    assert_eq!(Heard::of(&Outcome::Refused { cause }), Some(Heard::Answer));
}
