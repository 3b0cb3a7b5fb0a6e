//! A world so small that everything that can happen in it is lived: one booking, cancelled and then
//! perhaps reinstated (two revisions), two nodes, one crash and its restart anywhere, one report, and
//! time that may end a lease or a quarantine at any point; where the bounds say so, a trouble of
//! store or wire anywhere, and a gateway that takes each key once.
//!
//! The rows and what they mean are the model store's, the decisions the product's own. What a line
//! decides and what it records are two steps, and anything may come in between. A node's dispatch is
//! written out here as the states between its atomic points, so that a world can be copied at any of
//! them. Two states are one only if every row (but the history) and everything that happened are the
//! same.
//!
//! In an ordinary run time passes once, with `VARSEL_LONG` twice: a lease ends, and then a quarantine.

mod catching;
mod one_life;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use varsel::clock::simulated;

use self::one_life::{Event, Small};

/// Longer than a lease, so that it ends, and than the quarantine after it.
const PASS: Duration = Duration::from_secs(61);

/// No fewer different states are there within the narrowest bounds.
const LEAST_STATES: usize = 10_000;

/// How far a small world is lived.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// How often time passes.
    passes: u32,
    /// How often the store is in doubt or the wire breaks.
    troubles: u32,
    /// Within this the gateway takes a message under the same key only once.
    dedup: Duration,
}

/// What a world came to.
#[derive(Debug, PartialEq, Eq)]
struct Lived {
    /// Different states.
    states: usize,
    /// Steps between them.
    steps: u64,
    /// States from which the world was let come to rest.
    ends: u64,
    /// Different moves of the message table.
    moves: usize,
}

fn live_all(bounds: Bounds) -> Lived {
    let mut first = Small::begin(bounds);
    first.judge();
    let mut seen = HashSet::from([first.state()]);
    let mut open = vec![first];
    let (mut steps, mut ends) = (0, 0);
    let mut moves = BTreeSet::new();
    while let Some(small) = open.pop() {
        let mut ended = small.may_end();
        for event in small.events() {
            let mut next = small.fork();
            if !next.live(event) {
                continue;
            }
            // Whatever a node can still do leads to a state that is looked at, too.
            ended &= !matches!(event, Event::Claim(_));
            steps += 1;
            next.judge();
            moves.extend(next.laws.moves.iter().copied());
            if seen.insert(next.state()) {
                open.push(next);
            }
        }
        if ended {
            ends += 1;
            small.come_to_rest();
        }
    }
    simulated::show(None);
    Lived {
        states: seen.len(),
        steps,
        ends,
        moves: moves.len(),
    }
}

#[test]
fn every_life_of_the_small_world_keeps_every_law() {
    let long = std::env::var_os("VARSEL_LONG").is_some();
    let bounds = Bounds {
        passes: if long { 2 } else { 1 },
        troubles: 0,
        dedup: Duration::ZERO,
    };
    let lived = live_all(bounds);
    println!("{bounds:?}: {lived:?}");
    assert!(lived.states >= LEAST_STATES, "the world has shrunk");
}
