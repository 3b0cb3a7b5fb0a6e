//! What a PostgreSQL database says by NOTIFY. It carries no data: whoever hears it looks.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Address, SourceError};
use crate::domain::appointment::SourceName;

/// A connection must stand within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A link that was silent for so long is replaced: it may have died without a word.
const SILENCE: Duration = Duration::from_secs(300);

/// Hears one channel of one database.
pub struct Bell {
    source: SourceName,
    address: Address,
    channel: String,
    listener: Option<PgListener>,
}

impl Bell {
    pub(super) fn new(source: SourceName, address: Address, channel: String) -> Self {
        Self {
            source,
            address,
            channel,
            listener: None,
        }
    }

    /// Waits until something was said, or may have been said while nobody listened.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] when the database cannot be listened to.
    pub async fn rung(&mut self) -> Result<(), SourceError> {
        let Some(mut listener) = self.listener.take() else {
            self.listener = Some(self.enter().await?);
            // Whatever was said before this link stood is found now.
            return Ok(());
        };
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {
                self.listener = Some(listener);
                Ok(())
            }
            // The next call enters anew, and looks.
            Ok(Ok(None)) | Err(_) => Ok(()),
            Ok(Err(error)) => Err(self.unheard(&error)),
        }
    }

    async fn enter(&self) -> Result<PgListener, SourceError> {
        let options = self
            .address
            .postgres_options()
            .application_name("varsel-bell");
        let mut options = options.options([("default_transaction_read_only", "on")]);
        if let Some(password) = self.address.password() {
            options = options.password(password.expose_secret());
        }
        // Each link has a pool of its own, which dies with it.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.disable_statement_logging());
        let listener = PgListener::connect_with(&pool).await;
        let mut listener = listener.map_err(|error| self.unheard(&error))?;
        let listening = listener.listen(&self.channel).await;
        listening.map_err(|error| self.unheard(&error))?;
        Ok(listener)
    }

    fn unheard(&self, error: &sqlx::Error) -> SourceError {
        SourceError::Unavailable {
            source_name: self.source.clone(),
            problem: format!("the channel {} cannot be heard: {error}", self.channel),
        }
    }
}
