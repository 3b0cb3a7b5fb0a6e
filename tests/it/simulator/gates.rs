//! The points at which the simulated world stops: before and after each store call, at each look at
//! a source, before the first byte and before the answer of a gateway. Whatever waits there goes on
//! when the schedule says so, and with the word that it says.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

/// Where something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Point {
    /// A line may begin its next step.
    Begin,
    /// Before a call that only reads the store.
    Read(&'static str),
    /// Before a call that writes.
    Before(&'static str),
    /// After it: what was written stands, and nobody knows it yet.
    After(&'static str),
    /// Before a source is read.
    Source(&'static str),
    /// Before the first byte of this attempt.
    FirstByte(i64),
    /// The gateway has taken this attempt and has not answered yet.
    Answer(i64),
}

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Word {
    /// It goes on.
    Go,
    /// The call fails, and nothing was done.
    Fail,
    /// The write happened, and the caller is not told.
    DoubtDone,
    /// The write did not happen, and the caller is told that it may have.
    DoubtUndone,
    /// What the gateway makes of a hand-over.
    Fate(Fate),
    /// The answer is lost on the way.
    Lost,
}

/// What a gateway makes of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fate {
    /// No connection comes about.
    NoConnection,
    /// It says that it is busy, and takes nothing.
    Busy,
    /// It says that the account is locked, and takes nothing.
    Locked,
    /// It refuses this message.
    Refuse,
    /// The connection breaks before it has taken anything.
    Broken,
    /// It takes the message.
    Take,
}

/// One thing that waits.
pub(super) struct Waiting {
    pub(super) node: usize,
    pub(super) line: &'static str,
    pub(super) point: Point,
    answer: oneshot::Sender<Word>,
}

/// Everything that waits, in the order in which it came.
#[derive(Clone, Default)]
pub(super) struct Gates(Arc<Mutex<Vec<Waiting>>>);

impl Gates {
    pub(super) fn door(&self, node: usize, line: &'static str) -> Door {
        Door {
            gates: self.clone(),
            node,
            line,
        }
    }

    /// What waits at this moment; whoever gave up waiting is left out.
    pub(super) fn waiting(&self) -> Vec<(usize, &'static str, Point)> {
        let mut waiting = self.lock();
        waiting.retain(|one| !one.answer.is_closed());
        waiting
            .iter()
            .map(|one| (one.node, one.line, one.point))
            .collect()
    }

    /// Lets the `index`-th of them go on.
    pub(super) fn tell(&self, index: usize, word: Word) {
        let one = self.lock().remove(index);
        // Whoever stopped waiting in the same moment misses it.
        let _ = one.answer.send(word);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap()
    }
}

/// Where one line of one node waits.
#[derive(Clone)]
pub(super) struct Door {
    gates: Gates,
    pub(super) node: usize,
    pub(super) line: &'static str,
}

impl Door {
    pub(super) async fn wait(&self, point: Point) -> Word {
        let (answer, word) = oneshot::channel();
        self.gates.lock().push(Waiting {
            node: self.node,
            line: self.line,
            point,
            answer,
        });
        match word.await {
            Ok(word) => word,
            // The world has ended.
            Err(_) => std::future::pending().await,
        }
    }
}
