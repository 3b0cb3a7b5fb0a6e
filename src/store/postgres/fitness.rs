//! Whether a server keeps what it acknowledges, and whether its schema is ours. Asked of every new
//! connection, so that a restart with other settings does not pass unseen.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::statement;
use crate::store::sql::Access;
use crate::store::{Schema, StoreError, StoreResult};

/// Every migration in order; the number of one is its place, counted from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/postgres/0001_spine.sql")];
/// The oldest server with everything used here (`client_connection_check_interval`).
const OLDEST_VERSION: i64 = 14;
/// The advisory lock of those who migrate ("vars" in ASCII, then 2).
const MIGRATION: &str = "SELECT pg_advisory_xact_lock(8530240361306718210)";

/// What every session is told. A COMMIT that waits for its standby must not be cut short, since
/// PostgreSQL would then acknowledge what the standby lacks: so there is no `statement_timeout`,
/// and the server itself looks whether the node is still there: the locks and the name of one that
/// lost its power are free again within a minute.
const SESSION: &str = "
SET statement_timeout = 0;
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '15s';
SET client_connection_check_interval = '2s';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3";

/// A reload of the server's configuration changes what open sessions were never asked about again; what
/// a session has set itself stays. Pinned before it is looked at, so that nothing comes between.
const PINNED: &str =
    "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)";

/// Refuses a server that does not keep its promises, and sets the session's limits.
pub(super) async fn prepare(conn: &mut PgConnection) -> StoreResult<()> {
    sqlx::raw_sql(PINNED).execute(&mut *conn).await?;
    let sql = "SELECT current_setting('server_version_num')::bigint / 10000 AS version,
                 current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
                 current_setting('full_page_writes') AS full_page_writes,
                 current_setting('synchronous_commit') AS synchronous_commit,
                 current_setting('synchronous_standby_names') <> '' AS has_standbys,
                 pg_is_in_recovery() AS is_standby";
    let row = sqlx::query(sql).fetch_one(&mut *conn).await?;
    let found = Found {
        version: row.try_get("version")?,
        encoding: row.try_get("encoding")?,
        fsync: row.try_get("fsync")?,
        full_page_writes: row.try_get("full_page_writes")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        has_standbys: row.try_get("has_standbys")?,
    };
    if row.try_get("is_standby")? {
        let why = "it is a standby and takes no writes; give the address of the primary";
        return Err(StoreError::Unavailable(why.to_owned()));
    }
    found.judge().map_err(StoreError::Unfit)?;
    sqlx::raw_sql(SESSION).execute(conn).await?;
    Ok(())
}

/// What a server says of itself.
struct Found {
    version: i64,
    encoding: String,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    has_standbys: bool,
}

impl Found {
    fn judge(&self) -> Result<(), String> {
        let Self {
            version, encoding, ..
        } = self;
        if *version < OLDEST_VERSION {
            return Err(format!(
                "it is PostgreSQL {version}; version {OLDEST_VERSION} or newer is needed"
            ));
        }
        if encoding != "UTF8" {
            return Err(format!(
                "its encoding is {encoding}; create the database with ENCODING 'UTF8'"
            ));
        }
        for (name, value) in [
            ("fsync", &self.fsync),
            ("full_page_writes", &self.full_page_writes),
        ] {
            if value != "on" {
                return Err(format!(
                    "{name} is {value}, so a power cut may take back what was written before a \
                     message left; set {name} = on"
                ));
            }
        }
        match (self.synchronous_commit.as_str(), self.has_standbys) {
            ("off", _) => Err(
                "synchronous_commit is off, so a crash may take back what was written before a \
                 message left; set synchronous_commit = on"
                    .to_owned(),
            ),
            (value @ ("local" | "remote_write"), true) => Err(format!(
                "synchronous_commit is {value}, so a failover may take back what was written \
                 before a message left; set synchronous_commit = on"
            )),
            _ => Ok(()),
        }
    }
}

/// Brings the schema up to date, or says why this program must not touch it. Nodes that start at
/// once wait for each other.
pub(super) async fn migrate(conn: &mut PgConnection, access: Access) -> StoreResult<()> {
    let newest = MIGRATIONS.len();
    let mut transaction = conn.begin().await?;
    if access == Access::Daemon {
        statement(&mut transaction, MIGRATION).await?;
    }
    let (writes, reads) = schema(&mut transaction).await?;
    if reads > newest {
        return Err(StoreError::Unfit(format!(
            "its schema needs a program that knows version {reads}; this one knows {newest}; \
             install the newer release"
        )));
    }
    if writes == 0 && access == Access::Check {
        return transaction.rollback().await.map_err(StoreError::from);
    }
    if writes < newest && access != Access::Daemon {
        return Err(StoreError::Unfit(format!(
            "its schema is of version {writes} and this program needs {newest}; start \
             the daemon of this release once, which migrates it"
        )));
    }
    for migration in MIGRATIONS.into_iter().skip(writes) {
        sqlx::raw_sql(AssertSqlSafe(migration))
            .execute(&mut *transaction)
            .await?;
    }
    let in_doubt = |e| StoreError::InDoubt(format!("the migration may or may not stand: {e}"));
    transaction.commit().await.map_err(in_doubt)
}

/// Of which version the schema is.
pub(super) async fn version(conn: &mut PgConnection) -> StoreResult<Schema> {
    let (found, _) = schema(conn).await?;
    let newest = MIGRATIONS.len();
    Ok(Schema { found, newest })
}

/// The newest migration applied, and the version one must know to read; zeros for an empty
/// database.
async fn schema(conn: &mut PgConnection) -> StoreResult<(usize, usize)> {
    let sql = "SELECT to_regclass('schema') IS NOT NULL";
    let there: bool = sqlx::query_scalar(sql).fetch_one(&mut *conn).await?;
    if !there {
        return Ok((0, 0));
    }
    let row = sqlx::query("SELECT writes, reads FROM schema")
        .fetch_one(conn)
        .await?;
    let count = |name| {
        let number: i64 = row.try_get(name)?;
        Ok::<_, StoreError>(usize::try_from(number).unwrap_or_default())
    };
    Ok((count("writes")?, count("reads")?))
}
