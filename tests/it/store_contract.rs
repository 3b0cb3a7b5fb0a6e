//! One suite for every store: each law is one function, and every backend must keep it.

/// Runs each law once per backend.
macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("varsel.db");
                let access = varsel::store::Access::Daemon;
                let store = varsel::store::Database::sqlite(&path, access).await.unwrap();
                super::$law(store).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs tests/servers/fetch"]
            async fn $law() {
                let db = crate::support::postgres::database().await;
                super::$law(db.open(varsel::store::Access::Daemon).await).await;
            })+
        }

        mod on_the_model {
            $(#[tokio::test]
            async fn $law() {
                super::$law(varsel::store::model::Model::default()).await;
            })+
        }
    };
}

mod alarms;
mod bundles;
mod canary;
mod commitments;
mod copying;
mod correcting;
mod desk;
mod differential;
mod failover;
mod fixtures;
mod holds;
mod lately;
mod leases;
mod lists;
mod pacing;
mod postgres;
mod power_cut;
mod rates;
mod reading;
mod recording;
mod recovering;
mod reports;
mod rungs;
mod sending;
mod sqlite;
mod standby;
mod ticks;
mod unknowns;
mod wakes;
mod waves;
mod whole;
