//! A link to PostgreSQL that can lose replies: a socket of our own before the server's.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use varsel::store::{Place, postgres::Address};

use super::postgres::Db;

/// What becomes of what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// Everything arrives.
    None,
    /// Requests arrive, replies do not.
    NoReplies,
    /// The same, from the next COMMIT on.
    NoRepliesFromCommit,
}

/// A link that stands until this is dropped.
pub(crate) struct Link {
    folder: tempfile::TempDir,
    database: String,
    fault: Arc<AtomicU8>,
    task: tokio::task::JoinHandle<()>,
}

impl Link {
    pub(crate) fn to(db: &Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let fault = Arc::new(AtomicU8::new(Fault::None as u8));
        let task = tokio::spawn(serve(listener, db.socket(), Arc::clone(&fault)));
        Self {
            folder,
            database: db.name.clone(),
            fault,
            task,
        }
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// The database as it is reached over this link.
    pub(crate) fn place(&self, patience: std::time::Duration) -> Place {
        let host = self.folder.path().display();
        let url = format!("postgres://varsel@localhost/{}?host={host}", self.database);
        let address = Address::parse(&url).unwrap().with_patience(patience);
        Place::Postgres(Box::new(address))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: UnixListener, server: PathBuf, fault: Arc<AtomicU8>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = UnixStream::connect(&server).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(requests(from_client, to_server, Arc::clone(&fault)));
        tokio::spawn(replies(from_server, to_client, Arc::clone(&fault)));
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Arc<AtomicU8>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let commits = bytes[..read].windows(7).any(|w| w == b"COMMIT\0");
        let armed = fault.load(Ordering::SeqCst) == Fault::NoRepliesFromCommit as u8;
        if commits && armed {
            fault.store(Fault::NoReplies as u8, Ordering::SeqCst);
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Arc<AtomicU8>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let lost = fault.load(Ordering::SeqCst) == Fault::NoReplies as u8;
        if !lost && to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
