//! Hears whether the server warns. A COMMIT whose wait for its standby was cancelled is answered as
//! done, with nothing but a warning: the standby may lack it, and a failover would take it back.
//!
//! The driver hands warnings to `tracing` alone, on the task that awaits the statement; so that is
//! where they are heard, for the length of that statement only.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, level_filters::LevelFilter};

/// What the driver calls the server's notices.
const NOTICE: &str = "sqlx::postgres::notice";

tokio::task_local! {
    static WARNED: AtomicBool;
}

/// Awaits a statement; also says whether the server warned of anything meanwhile.
pub(super) async fn heard<T>(statement: impl Future<Output = T>) -> (T, bool) {
    static EAR: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Ear));
    let listening = async {
        let answer = statement.with_subscriber(EAR.clone()).await;
        (answer, WARNED.with(|warned| warned.load(Ordering::Relaxed)))
    };
    WARNED.scope(AtomicBool::new(false), listening).await
}

/// A subscriber that knows only whether there was a warning.
struct Ear;

impl Subscriber for Ear {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Others must be asked anew each time: this one listens for moments only.
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == NOTICE && *metadata.level() <= Level::WARN
    }

    fn event(&self, _: &Event<'_>) {
        // Without a listener there is nothing to tell.
        let _ = WARNED.try_with(|warned| warned.store(true, Ordering::Relaxed));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
