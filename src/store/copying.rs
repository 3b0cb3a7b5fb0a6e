//! A store of one machine becomes one of many nodes: every row of a SQLite file is copied into an
//! empty PostgreSQL database, in one transaction, and compared before that ends.
//!
//! Rows pass in chunks, so memory is bounded by one of them. Which tables and columns there are is
//! read from the file itself; both engines have the same.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Decode, PgConnection, Row, SqliteConnection, Type,
};

use super::postgres::Address;
use super::sql::{Conn, Write, hex};
use super::{
    Access, Cluster, Database, Lock, Locked, Place, StoreError, StoreResult, postgres, sqlite,
};

/// Rows that pass at once.
const CHUNK_ROWS: usize = 500;
/// No statement takes longer, or the copy is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is no part of a store's content: the schema is made by the target itself, and a node says
/// anew that it is there.
const LEFT_OUT: [&str; 2] = ["schema", "node"];

/// What makes the copy whole. It is spelled out, so that a server's log tells it from other commits.
const LAST_WORD: &str = "COMMIT TRANSACTION";

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Tables.
    pub tables: u32,
    /// Rows, all together.
    pub rows: u64,
}

/// How far a copy is: rows copied, of all.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// One table and its columns, as the file has them.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Int,
    Text,
    Bytes,
}

/// Count and hash of a table's rows, in whatever order they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hash: u128,
}

impl Sum {
    fn add(&mut self, row: &Value) {
        let digest = Sha256::digest(row.to_string().as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        self.rows += 1;
        self.hash = self.hash.wrapping_add(u128::from_be_bytes(first));
    }
}

/// Copies the store in the file `from` into the empty database `to`: all of it, or nothing. The file is locked
/// with `past` before the copy is whole, so that at no moment two could send.
///
/// # Errors
/// [`StoreError::Taken`] while a daemon runs on the file, [`StoreError::Unfit`] when the target is
/// not empty or the file was copied before, [`StoreError::Corrupt`] when what arrived is not what was sent, and whatever fails on
/// the way; the target is empty then. [`StoreError::InDoubt`] when the last step's answer was lost;
/// the file stays locked then.
pub async fn copy(
    from: &Path,
    to: &Address,
    past: &Lock,
    progress: Progress<'_>,
) -> StoreResult<Copied> {
    if !from.exists() {
        let why = format!("{} does not exist", from.display());
        return Err(StoreError::Unavailable(why));
    }
    // As the daemon: nobody else may be one meanwhile.
    let held = Database::sqlite(from, Access::Daemon).await?;
    let locks = held.standing("", None).await?.locks;
    if locks.iter().any(|lock| lock.why == Locked::Moved) {
        held.close().await;
        let why = "a copy has locked this file before; where that copy was broken off and its target is \
                   empty, `varsel recover` lets it go on";
        return Err(StoreError::Unfit(why.to_owned()));
    }
    let made = Database::open(&Place::Postgres(Box::new(to.clone())), Access::Daemon).await?;
    made.close().await;
    let mut source = sqlite::connect(from).await?;
    let mut target = postgres::connect(to).await?;
    let copied = async {
        let copied = transfer(&mut source, &mut target, progress).await?;
        past.write(&mut Conn::Sqlite(&mut source)).await?;
        let locked = run_sqlite(&mut source, "COMMIT").await;
        locked.map_err(|error| StoreError::InDoubt(error.to_string()))?;
        let committed = run(&mut target, LAST_WORD.to_owned()).await;
        committed.map_err(|error| StoreError::InDoubt(error.to_string()))?;
        Ok(copied)
    };
    let copied = copied.await;
    if copied.is_ok() {
        let _ = target.close().await;
    }
    let _ = source.close().await;
    held.close().await;
    copied
}

/// Everything but the last word.
async fn transfer(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    progress: Progress<'_>,
) -> StoreResult<Copied> {
    // No verb writes until the file is locked as the past: what a person was told is done is copied.
    run_sqlite(source, "BEGIN IMMEDIATE").await?;
    let tables = tables(source).await?;
    let mut all = 0;
    for table in &tables {
        all += count(source, table).await?;
    }
    run(target, "BEGIN".to_owned()).await?;
    // A node that would start on the target waits, and finds a whole store or none.
    run(target, "LOCK TABLE node IN EXCLUSIVE MODE".to_owned()).await?;
    refuse_what_is_not_empty(target, &tables).await?;
    let mut copied = Copied::default();
    for table in &tables {
        let done = copied.rows;
        let mut step = |rows| progress(done + rows, all);
        let sent = send(source, target, table, &mut step).await?;
        let arrived = sum(target, table).await?;
        if sent != arrived {
            return Err(StoreError::Corrupt(format!(
                "{} rows of {} were sent and {} arrived, or they differ; nothing was copied",
                sent.rows, table.name, arrived.rows
            )));
        }
        go_on_counting(target, table).await?;
        copied.tables += 1;
        copied.rows += sent.rows;
    }
    Ok(copied)
}

/// The tables in the order in which they were made: none refers to a later one.
async fn tables(source: &mut SqliteConnection) -> StoreResult<Vec<Table>> {
    let sql = "SELECT name FROM sqlite_schema
               WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *source).await?;
    let mut tables = Vec::new();
    for name in names
        .into_iter()
        .filter(|n| !LEFT_OUT.contains(&n.as_str()))
    {
        let sql = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
        let found = sqlx::query_as(sql).bind(&name).fetch_all(&mut *source);
        let found: Vec<(String, String)> = found.await?;
        let kind = |(column, kind): (String, String)| match kind.as_str() {
            "INTEGER" => Ok((column, Kind::Int)),
            "TEXT" => Ok((column, Kind::Text)),
            "BLOB" => Ok((column, Kind::Bytes)),
            other => Err(StoreError::Corrupt(format!("{name}.{column} is {other}"))),
        };
        let columns = found.into_iter().map(kind).collect::<StoreResult<_>>()?;
        tables.push(Table { name, columns });
    }
    Ok(tables)
}

impl Table {
    fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), self.name)
    }

    /// Takes a chunk of rows as one parameter.
    fn insert(&self) -> String {
        let cell = |(place, (_, kind)): (usize, &(String, Kind))| match kind {
            Kind::Int => format!("(j.value->>{place})::bigint"),
            Kind::Text => format!("j.value->>{place}"),
            Kind::Bytes => format!("decode(j.value->>{place}, 'hex')"),
        };
        let cells: Vec<_> = self.columns.iter().enumerate().map(cell).collect();
        // The target has drawn an identity of its own; it becomes that of the store it holds.
        let conflict = match self.name.as_str() {
            "meta" => "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            _ => "",
        };
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} \
             FROM jsonb_array_elements($1::jsonb) AS j (value) {conflict}",
            self.name,
            self.names(),
            cells.join(", ")
        )
    }
}

async fn count(source: &mut SqliteConnection, table: &Table) -> StoreResult<u64> {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
    let rows: i64 = sqlx::query_scalar(sql).fetch_one(source).await?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

async fn refuse_what_is_not_empty(target: &mut PgConnection, tables: &[Table]) -> StoreResult<()> {
    let names = tables.iter().map(|table| table.name.as_str());
    for name in names.chain(["node"]).filter(|name| *name != "meta") {
        let sql = AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 FROM {name})"));
        let full: bool = sqlx::query_scalar(sql).fetch_one(&mut *target).await?;
        if full {
            return Err(StoreError::Unfit(format!(
                "the target is not empty: its table {name} has rows; copy into a new database"
            )));
        }
    }
    Ok(())
}

async fn send(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    table: &Table,
    step: &mut (dyn FnMut(u64) + Send),
) -> StoreResult<Sum> {
    let (mut sum, mut chunk) = (Sum::default(), Vec::with_capacity(CHUNK_ROWS));
    let insert = table.insert();
    let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(source);
    while let Some(row) = rows.try_next().await? {
        let row = cells(&row, table)?;
        sum.add(&row);
        chunk.push(row);
        if chunk.len() == CHUNK_ROWS {
            hand_over(target, &insert, &mut chunk).await?;
            step(sum.rows);
        }
    }
    hand_over(target, &insert, &mut chunk).await?;
    step(sum.rows);
    Ok(sum)
}

async fn hand_over(
    target: &mut PgConnection,
    insert: &str,
    chunk: &mut Vec<Value>,
) -> StoreResult<()> {
    if chunk.is_empty() {
        return Ok(());
    }
    let rows = Value::Array(std::mem::take(chunk)).to_string();
    let insert = sqlx::query(AssertSqlSafe(insert.to_owned())).bind(rows);
    in_time(insert.execute(target)).await?;
    Ok(())
}

async fn sum(target: &mut PgConnection, table: &Table) -> StoreResult<Sum> {
    let mut sum = Sum::default();
    let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(target);
    while let Some(row) = in_time(rows.try_next()).await? {
        sum.add(&cells(&row, table)?);
    }
    Ok(sum)
}

/// The numbers that the database gives out go on behind the highest one copied.
async fn go_on_counting(target: &mut PgConnection, table: &Table) -> StoreResult<()> {
    let sql = "SELECT pg_get_serial_sequence($1, 'id') FROM pg_attribute
               WHERE attrelid = $1::regclass AND attname = 'id' AND attidentity <> ''";
    let sequence = sqlx::query_scalar(sql).bind(&table.name);
    let sequence: Option<Option<String>> = sequence.fetch_optional(&mut *target).await?;
    let Some(Some(sequence)) = sequence else {
        return Ok(());
    };
    let sql = format!(
        "SELECT setval($1::regclass, (SELECT coalesce(max(id), 0) + 1 FROM {}), false)",
        table.name
    );
    let set = sqlx::query(AssertSqlSafe(sql)).bind(sequence);
    in_time(set.execute(target)).await?;
    Ok(())
}

fn cells<'r, R>(row: &'r R, table: &Table) -> StoreResult<Value>
where
    R: Row,
    usize: ColumnIndex<R>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
{
    let cell = |(place, (_, kind)): (usize, &(String, Kind))| {
        Ok::<_, sqlx::Error>(match kind {
            Kind::Int => json!(row.try_get::<Option<i64>, _>(place)?),
            Kind::Text => json!(row.try_get::<Option<String>, _>(place)?),
            Kind::Bytes => {
                let bytes = row.try_get::<Option<Vec<u8>>, _>(place)?;
                json!(bytes.map(|bytes| hex(&bytes)))
            }
        })
    };
    let cells = table.columns.iter().enumerate().map(cell);
    Ok(Value::Array(cells.collect::<Result<_, _>>()?))
}

async fn run_sqlite(conn: &mut SqliteConnection, sql: &'static str) -> StoreResult<()> {
    sqlx::raw_sql(sql).execute(conn).await?;
    Ok(())
}

async fn run(conn: &mut PgConnection, sql: String) -> StoreResult<()> {
    in_time(sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn)).await?;
    Ok(())
}

/// Within the limit; beyond it the connection is dropped with the whole copy.
async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> StoreResult<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    let late = |_| {
        let seconds = PATIENCE.as_secs();
        StoreError::Unavailable(format!("no answer within {seconds} s"))
    };
    Ok(done.map_err(late)??)
}
