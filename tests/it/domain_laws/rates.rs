//! Laws of the rate: in no stretch of time does more leave than the burst and what the rate allows, a
//! rest is worth one burst at most, and whoever waits as long as they are told finds tokens.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use varsel::domain::rate::Rate;

fn rate() -> impl Strategy<Value = Rate> {
    (1u32..500, 1u32..200).prop_map(|(per_second, burst)| Rate { per_second, burst })
}

proptest! {
    #[test]
    fn never_more_than_the_burst_and_the_rate(
        rate in rate(),
        asks in vec((0i64..3000, 0u32..300), 1..80),
    ) {
        let mut bucket = rate.full(0);
        let (mut now, mut left) = (0, Vec::new());
        for (passed, wanted) in asks {
            now += passed;
            bucket = rate.filled(bucket, now);
            prop_assert!(bucket.tokens() <= rate.burst);
            let taken = wanted.min(bucket.tokens());
            bucket = bucket.without(taken);
            prop_assert!(bucket.thousandths >= 0);
            left.push((now, taken));
        }
        for (first, (from, _)) in left.iter().enumerate() {
            let mut sum = 0;
            for (at, taken) in &left[first..] {
                sum += i64::from(*taken);
                let most = i64::from(rate.burst) * 1000 + (at - from) * i64::from(rate.per_second);
                prop_assert!(sum * 1000 <= most);
            }
        }
    }

    #[test]
    fn whoever_waits_as_told_finds_tokens_and_no_sooner(rate in rate(), taken in 0u32..200) {
        let full = rate.full(0);
        let bucket = full.without(taken.min(full.tokens()));
        let wait = rate.wait(bucket, 0);
        let waited = i64::try_from(wait.as_millis()).unwrap();
        prop_assert!(rate.filled(bucket, waited).tokens() >= 1);
        prop_assert_eq!(rate.wait(bucket, waited), Duration::ZERO);
        if wait > Duration::ZERO {
            prop_assert!(rate.wait(bucket, waited - 1) > Duration::ZERO);
        }
    }

    #[test]
    fn a_clock_set_back_gives_nothing_and_keeps_nobody_waiting(rate in rate(), back in 1i64..1_000_000_000) {
        let empty = rate.full(back).without(rate.burst);
        let then = rate.filled(empty, 0);
        prop_assert_eq!(then.tokens(), 0);
        prop_assert!(rate.filled(then, 1000 + 1000 / i64::from(rate.per_second)).tokens() >= 1);
    }
}
