//! One statement on either engine.
//!
//! Both engines run the same statements. Where they spell a thing differently the text holds a mark
//! in braces, and [`spell`] writes it out:
//!
//! | mark | is |
//! |---|---|
//! | `{ints 1}`, `{texts 1}` | parameter 1, a list, as rows `j` with `value` and `key` |
//! | `{rows 1}` | parameter 1, a JSON array of arrays, as rows `j` |
//! | `{none 1}` | whether there is no such list |
//! | `{int 0}`, `{text 0}`, `{bytes 0}` | a cell of such a row |
//! | `{join}` | a join whose order SQLite keeps: the list first, then the index |
//! | `{index NAME}` | the index SQLite must use |
//! | `{lock x}`, `{lock x or skip}` | rows of `x` are locked; or passed over where another holds them |
//! | `{now}` | the database's own clock in milliseconds |
//!
//! Left to itself SQLite may scan a whole source once per number of a list (measured: 45 times
//! slower at 10,000 bookings); PostgreSQL knows the lists' length and needs no such help. SQLite has
//! one writer at a time, so only PostgreSQL has locks.

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Database};

use crate::store::rows::DbTime;
use crate::store::{StoreError, StoreResult};

/// The connection of one transaction.
pub(crate) enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    /// One that writes.
    Postgres(&'c mut PgConnection),
    /// One that only reads, and takes no locks.
    PostgresReading(&'c mut PgConnection),
}

/// Which engine reads a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

/// One row of either engine.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A value for a parameter.
#[derive(Debug)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Text(String),
    Bytes(Vec<u8>),
    Ints(Option<Vec<i64>>),
    Texts(Vec<String>),
    /// A JSON array of arrays.
    Rows(String),
}

macro_rules! from {
    ($($type:ty: $value:ident => $arg:expr),+ $(,)?) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                $arg
            }
        })+
    };
}

from! {
    i64: n => Self::Int(Some(n)),
    Option<i64>: n => Self::Int(n),
    u32: n => Self::Int(Some(n.into())),
    &str: text => Self::Text(text.to_owned()),
    &String: text => Self::Text(text.clone()),
    String: text => Self::Text(text),
    &[u8]: bytes => Self::Bytes(bytes.to_vec()),
    &[i64]: list => Self::Ints(Some(list.to_vec())),
    &Vec<i64>: list => Self::Ints(Some(list.clone())),
    Vec<i64>: list => Self::Ints(Some(list)),
    Option<Vec<i64>>: list => Self::Ints(list),
    Vec<String>: list => Self::Texts(list),
}

/// A statement with its parameters.
pub(crate) struct Query<'q, 'c> {
    conn: &'q mut Conn<'c>,
    sql: String,
    args: Vec<Arg>,
}

impl<'c> Conn<'c> {
    /// A statement to be run on this connection.
    pub(crate) fn query<'q>(&'q mut self, sql: &str) -> Query<'q, 'c> {
        let sql = spell(sql, self.engine());
        Query {
            conn: self,
            sql,
            args: Vec::new(),
        }
    }

    fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) | Self::PostgresReading(_) => Engine::Postgres,
        }
    }

    /// Whether the engine is SQLite.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.engine() == Engine::Sqlite
    }

    /// SQLite has one writer, which needs no locks.
    fn locks(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The database's own clock.
    pub(crate) async fn now(&mut self) -> StoreResult<DbTime> {
        Ok(DbTime(self.query("SELECT {now}").number().await?))
    }

    /// Makes this transaction the only one that creates rows until it ends, so that numbers, keys
    /// and references are drawn as on one machine. It is the first lock that a transaction takes.
    pub(crate) async fn lock_creation(&mut self) -> StoreResult<()> {
        if self.locks() {
            let sql = "SELECT pg_advisory_xact_lock($1)";
            self.query(sql).bind(CREATION).run().await?;
        }
        Ok(())
    }

    /// Keeps holds from being added until this transaction ends: those it reads are all there are.
    pub(crate) async fn keep_holds_off(&mut self) -> StoreResult<()> {
        if self.locks() {
            let sql = "SELECT pg_advisory_xact_lock_shared($1)";
            self.query(sql).bind(HOLDS).run().await?;
        }
        Ok(())
    }

    /// Waits for the claims under way, so that a hold which stands is seen by every later one. A
    /// node that stopped in the middle of a claim is cut off by the server before this gives up.
    pub(crate) async fn await_claims(&mut self) -> StoreResult<()> {
        if self.locks() {
            self.query("SET LOCAL lock_timeout = '18s'").run().await?;
            let sql = "SELECT pg_advisory_xact_lock($1)";
            self.query(sql).bind(HOLDS).run().await?;
        }
        Ok(())
    }

    /// Makes this transaction the only one that changes these appointments, and everything that
    /// hangs on them, until it ends. They are locked once per transaction and by number, so that no
    /// two transactions wait for each other.
    pub(crate) async fn lock_appointments(&mut self, ids: &[i64]) -> StoreResult<()> {
        let sql = "SELECT a.id FROM appointment a
                   WHERE a.id IN (SELECT j.value FROM {ints 1}) ORDER BY a.id {lock a}";
        self.lock(sql, ids).await
    }

    /// The same for batches that still change; appointments come first.
    pub(crate) async fn lock_batches(&mut self, ids: &[i64]) -> StoreResult<()> {
        let sql = "SELECT b.id FROM batch b WHERE b.state IN ('held', 'releasing')
                     AND b.id IN (SELECT j.value FROM {ints 1}) ORDER BY b.id {lock b}";
        self.lock(sql, ids).await
    }

    async fn lock(&mut self, sql: &str, ids: &[i64]) -> StoreResult<()> {
        if self.locks() && !ids.is_empty() {
            self.query(sql).bind(ids).run().await?;
        }
        Ok(())
    }
}

/// The advisory lock of those who create rows ("vars" in ASCII, then 1).
const CREATION: i64 = 0x7661_7273_0000_0001;

/// The advisory lock between claims, which share it, and holds ("vars" in ASCII, then 3).
const HOLDS: i64 = 0x7661_7273_0000_0003;

impl Query<'_, '_> {
    /// Gives the next parameter its value.
    pub(crate) fn bind(mut self, value: impl Into<Arg>) -> Self {
        self.args.push(value.into());
        self
    }

    /// A JSON array of arrays as the next parameter.
    pub(crate) fn bind_rows(mut self, rows: &[serde_json::Value]) -> Self {
        let texts: Vec<String> = rows.iter().map(ToString::to_string).collect();
        self.args.push(Arg::Rows(format!("[{}]", texts.join(","))));
        self
    }

    /// Every row.
    pub(crate) async fn rows(self) -> StoreResult<Vec<Row>> {
        let Self { conn, sql, args } = self;
        // The text is one of this program, with nothing of anybody else's in it.
        let sql = AssertSqlSafe(sql);
        Ok(match conn {
            Conn::Sqlite(conn) => {
                let query = args.into_iter().fold(sqlx::query(sql), bind_sqlite);
                let rows = query.fetch_all(&mut **conn).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Conn::Postgres(conn) | Conn::PostgresReading(conn) => {
                let query = args.into_iter().fold(sqlx::query(sql), bind_postgres);
                let rows = query.fetch_all(&mut **conn).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Hands every row to `each` as it arrives: for answers too long to stand in memory.
    pub(crate) async fn each(
        self,
        mut each: impl FnMut(&Row) -> StoreResult<()> + Send,
    ) -> StoreResult<()> {
        let Self { conn, sql, args } = self;
        let sql = AssertSqlSafe(sql);
        match conn {
            Conn::Sqlite(conn) => {
                let query = args.into_iter().fold(sqlx::query(sql), bind_sqlite);
                let mut rows = query.fetch(&mut **conn);
                while let Some(row) = rows.try_next().await? {
                    each(&Row::Sqlite(row))?;
                }
            }
            Conn::Postgres(conn) | Conn::PostgresReading(conn) => {
                let query = args.into_iter().fold(sqlx::query(sql), bind_postgres);
                let mut rows = query.fetch(&mut **conn);
                while let Some(row) = rows.try_next().await? {
                    each(&Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }

    /// The first row, if there is one.
    pub(crate) async fn maybe(self) -> StoreResult<Option<Row>> {
        Ok(self.rows().await?.into_iter().next())
    }

    /// The first row of a statement that always has one.
    pub(crate) async fn one(self) -> StoreResult<Row> {
        let none = || StoreError::Corrupt("a statement that always answers did not".to_owned());
        self.maybe().await?.ok_or_else(none)
    }

    /// The first column of every row.
    pub(crate) async fn numbers(self) -> StoreResult<Vec<i64>> {
        self.rows().await?.iter().map(Row::number).collect()
    }

    /// The first column of the first row of a statement that always has one.
    pub(crate) async fn number(self) -> StoreResult<i64> {
        self.one().await?.number()
    }

    /// Runs it; the answer is how many rows it wrote.
    pub(crate) async fn run(self) -> StoreResult<u64> {
        let Self { conn, sql, args } = self;
        let sql = AssertSqlSafe(sql);
        Ok(match conn {
            Conn::Sqlite(conn) => {
                let query = args.into_iter().fold(sqlx::query(sql), bind_sqlite);
                query.execute(&mut **conn).await?.rows_affected()
            }
            Conn::Postgres(conn) | Conn::PostgresReading(conn) => {
                let query = args.into_iter().fold(sqlx::query(sql), bind_postgres);
                query.execute(&mut **conn).await?.rows_affected()
            }
        })
    }
}

impl Row {
    fn number(&self) -> StoreResult<i64> {
        use sqlx::Row as _;
        Ok(match self {
            Self::Sqlite(row) => row.try_get(0)?,
            Self::Postgres(row) => row.try_get(0)?,
        })
    }
}

type Bound<DB> = sqlx::query::Query<'static, DB, <DB as Database>::Arguments>;

fn bind_sqlite(query: Bound<sqlx::Sqlite>, arg: Arg) -> Bound<sqlx::Sqlite> {
    let list = |ids: Vec<i64>| serde_json::json!(ids).to_string();
    match arg {
        Arg::Int(n) => query.bind(n),
        Arg::Text(text) | Arg::Rows(text) => query.bind(text),
        Arg::Bytes(bytes) => query.bind(bytes),
        Arg::Ints(ids) => query.bind(ids.map(list)),
        Arg::Texts(texts) => query.bind(serde_json::json!(texts).to_string()),
    }
}

fn bind_postgres(query: Bound<sqlx::Postgres>, arg: Arg) -> Bound<sqlx::Postgres> {
    match arg {
        Arg::Int(n) => query.bind(n),
        Arg::Text(text) | Arg::Rows(text) => query.bind(text),
        Arg::Bytes(bytes) => query.bind(bytes),
        Arg::Ints(ids) => query.bind(ids),
        Arg::Texts(texts) => query.bind(texts),
    }
}

/// A statement as the engine spells it.
fn spell(sql: &str, engine: Engine) -> String {
    let mut spelt = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        spelt.push_str(before);
        let (mark, after) = after.split_once('}').unwrap_or((after, ""));
        spelt.push_str(&written_out(mark, engine));
        rest = after;
    }
    spelt.push_str(rest);
    spelt
}

fn written_out(mark: &str, engine: Engine) -> String {
    let (word, about) = mark.split_once(' ').unwrap_or((mark, ""));
    match engine {
        Engine::Sqlite => match word {
            "ints" | "texts" | "rows" => format!("json_each(${about}) j"),
            "int" | "text" => format!("j.value->>{about}"),
            "bytes" => format!("unhex(j.value->>{about})"),
            "none" => format!("${about} IS NULL"),
            "join" => "CROSS JOIN".to_owned(),
            "index" => format!("INDEXED BY {about}"),
            "now" => "CAST(unixepoch('subsec') * 1000 AS INTEGER)".to_owned(),
            _ => String::new(),
        },
        Engine::Postgres => match word {
            "ints" => format!("unnest(${about}::bigint[]) WITH ORDINALITY AS j (value, key)"),
            "texts" => format!("unnest(${about}::text[]) WITH ORDINALITY AS j (value, key)"),
            "rows" => format!("jsonb_array_elements(${about}::jsonb) AS j (value)"),
            "int" => format!("(j.value->>{about})::bigint"),
            "text" => format!("j.value->>{about}"),
            "bytes" => format!("decode(j.value->>{about}, 'hex')"),
            "none" => format!("${about}::bigint[] IS NULL"),
            "join" => "JOIN".to_owned(),
            "now" => "(extract(epoch FROM clock_timestamp()) * 1000)::bigint".to_owned(),
            "lock" => match about.split_once(' ') {
                None => format!("FOR NO KEY UPDATE OF {about}"),
                Some((rows, _)) => format!("FOR NO KEY UPDATE OF {rows} SKIP LOCKED"),
            },
            _ => String::new(),
        },
    }
}
