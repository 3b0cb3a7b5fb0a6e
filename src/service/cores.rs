//! Work on many things at once: each by itself, on every core, the answers in the order of the things.
//!
//! It is for pure work that takes long only because there is much of it. What reads or writes, or draws lots whose
//! order matters, does not belong here.

use std::panic::resume_unwind;
use std::thread::{available_parallelism, scope};

/// Fewer than this are done where they are: a thread would take longer to start.
const WORTH_A_THREAD: usize = 256;

/// No more threads than this, however many cores there are.
const MOST_THREADS: usize = 16;

/// What `each` makes of every thing.
pub fn all<T: Sync, R: Send>(things: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MOST_THREADS).min(things.len() / WORTH_A_THREAD);
    if threads < 2 {
        return things.iter().map(each).collect();
    }
    let each = &each;
    scope(|scope| {
        let parts = things.chunks(things.len().div_ceil(threads));
        let started: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<R>>()))
            .collect();
        let ended = started.into_iter().map(|part| {
            let ended = part.join();
            ended.unwrap_or_else(|panic| resume_unwind(panic))
        });
        ended.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_the_order_of_the_things() {
        for many in [0, 1, WORTH_A_THREAD, 5 * WORTH_A_THREAD + 3] {
            let things: Vec<usize> = (0..many).collect();
            let doubled: Vec<usize> = things.iter().map(|n| 2 * n).collect();
            assert_eq!(all(&things, |n| 2 * n), doubled);
        }
    }
}
