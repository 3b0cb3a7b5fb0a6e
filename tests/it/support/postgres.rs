//! A real PostgreSQL, made by the tests for themselves: a server that many tests share, with a database of its own for
//! each, or a server of one's own for those that stop it.
//!
//! Its cluster lies in a temporary folder and is reached by a socket there, so no port is taken; fsync is on. It ends with
//! the test process, however that ends: it reads its orders from a pipe, and where the pipe ends, so does the server.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::OnceCell;
use varsel::store::{Access, Database, Place, postgres::Address};

use super::link::{Link, Target};
use super::servers::{Server, in_root};

/// Makes a cluster as the user that PostgreSQL wants, starts it, and follows orders until there are no more.
const SCRIPT: &str = r#"
dir=$1
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
log=$dir/log
chown postgres "$dir"
as() { setpriv --reuid postgres --regid postgres --init-groups "$@" </dev/null >>"$log" 2>&1; }
control() { as "$bin/pg_ctl" -D "$dir/data" -w -t 60 "$@" || { echo "failed: $*"; tail -n 20 "$log" "$dir/server.log"; }; }
as "$bin/initdb" -D "$dir/data" -U varsel -A trust -E UTF8 --locale=C.UTF-8 --no-sync || tail -n 20 "$log"
printf '%s\n' "unix_socket_directories = '$dir'" "listen_addresses = ''" 'max_connections = 300' 'shared_buffers = 32MB' \
  'jit = off' >>"$dir/data/postgresql.conf"
control -l "$dir/server.log" start
echo ready
while read -r order about; do
  case $order in
    start) control -l "$dir/server.log" start ;;
    stop) control -m "$about" stop ;;
    standby)
      mkdir -m 700 "$dir/standby"
      chown postgres "$dir/standby"
      as "$bin/pg_basebackup" -h "$dir" -U varsel -D "$dir/standby/data" -R -X stream --checkpoint=fast --no-sync ||
        echo "failed: pg_basebackup $(tail -n 20 "$log")"
      printf '%s\n' "unix_socket_directories = '$dir/standby'" \
        "primary_conninfo = 'host=$dir user=varsel application_name=standby'" >>"$dir/standby/data/postgresql.auto.conf"
      as "$bin/pg_ctl" -D "$dir/standby/data" -w -t 60 -l "$dir/standby/log" start || echo "failed: $(tail -n 20 "$dir/standby/log")"
      chmod 755 "$dir/standby" ;;
    promote)
      as "$bin/pg_ctl" -D "$dir/standby/data" -w -t 60 promote || echo "failed: $(tail -n 20 "$dir/standby/log")" ;;
    set) echo "$about" >>"$dir/data/postgresql.conf" ;;
  esac
  echo done
done
[ ! -d "$dir/standby" ] || as "$bin/pg_ctl" -D "$dir/standby/data" -m immediate stop
control -m immediate stop
rm -rf "$dir"
"#;

/// A running server.
pub(crate) struct Postgres {
    _server: Server,
    /// Goes after the server.
    folder: tempfile::TempDir,
    orders: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    template: OnceCell<()>,
    databases: AtomicU32,
}

/// One database, empty but for the schema.
pub(crate) struct Db {
    pub(crate) name: String,
    folder: PathBuf,
    /// The shared server, which ends with the last one that needs it.
    _server: Option<Arc<Postgres>>,
}

/// After so many databases the tests share a new server, and the old one goes with all of its files: hundreds of databases
/// side by side fill a small disk, and dropping them one by one waits for a checkpoint each.
const SHARED_DATABASES: u32 = 32;

static SHARED: Mutex<Option<(Arc<Postgres>, u32)>> = Mutex::new(None);

/// A new database on the server that the tests share.
pub(crate) async fn database() -> Db {
    let server = shared();
    let mut db = server.database().await;
    db._server = Some(server);
    db
}

fn shared() -> Arc<Postgres> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let (server, given) = match shared.take() {
        Some((server, given)) if given < SHARED_DATABASES => (server, given),
        _ => (Arc::new(Postgres::start()), 0),
    };
    *shared = Some((Arc::clone(&server), given + 1));
    server
}

impl Postgres {
    /// A server of one's own.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("varsel-pg-")
            .tempdir()
            .unwrap();
        let mut command = in_root("sh");
        command.args(["-c", SCRIPT, "postgres"]).arg(folder.path());
        let (server, orders, said) = Server::start_talking(&mut command);
        let postgres = Self {
            _server: server,
            folder,
            orders: Mutex::new((orders, BufReader::new(said))),
            template: OnceCell::new(),
            databases: AtomicU32::new(0),
        };
        postgres.hear("ready");
        postgres
    }

    /// As if the machine lost its power, but for the disk's own cache.
    pub(crate) fn stop_at_once(&self) {
        self.order("stop immediate");
    }

    /// Starts what was stopped.
    pub(crate) fn start_again(&self) {
        self.order("start");
    }

    /// Starts a standby named `standby` that follows this server.
    pub(crate) fn start_standby(&self) {
        self.order("standby");
    }

    /// Makes the standby a server of its own.
    pub(crate) fn promote_standby(&self) {
        self.order("promote");
    }

    /// From now on each COMMIT waits for the standbys of this name; for nobody where it is empty.
    pub(crate) async fn wait_for_standby(&self, name: &str) {
        let folder = self.folder.path();
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        run(folder, &set).await;
        run(folder, "SELECT pg_reload_conf()").await;
        let mut conn = connect(folder, "postgres").await;
        let shown = "SHOW synchronous_standby_names";
        loop {
            let now: String = sqlx::query_scalar(shown)
                .fetch_one(&mut conn)
                .await
                .unwrap();
            if now == name {
                return;
            }
        }
    }

    /// Sets a line of the server's configuration, for its next start.
    pub(crate) fn set(&self, line: &str) {
        self.order(&format!("set {line}"));
    }

    /// Another database that is as this one is now. Who works on it is cut off.
    pub(crate) async fn copy(&self, db: &Db) -> Db {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.cut_off(db).await;
        let sql = format!("CREATE DATABASE {name} TEMPLATE {}", db.name);
        run(self.folder.path(), &sql).await;
        Db {
            name,
            folder: db.folder.clone(),
            _server: None,
        }
    }

    /// A database takes the place of another one, under its name.
    pub(crate) async fn put_in_place(&self, new: &Db, old: &Db) {
        let folder = self.folder.path();
        let sql = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", old.name);
        run(folder, &sql).await;
        self.cut_off(old).await;
        run(folder, &format!("DROP DATABASE {}", old.name)).await;
        run(
            folder,
            &format!("ALTER DATABASE {} RENAME TO {}", new.name, old.name),
        )
        .await;
    }

    async fn cut_off(&self, db: &Db) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = '{}'",
            db.name
        );
        run(self.folder.path(), &sql).await;
    }

    fn order(&self, order: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(orders.0, "{order}").unwrap();
        drop(orders);
        self.hear("done");
    }

    fn hear(&self, expected: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut said = String::new();
        while !said.ends_with(&format!("{expected}\n")) {
            let more = orders.1.read_line(&mut said).unwrap();
            assert!(
                more > 0,
                "PostgreSQL ended (does tests/servers/fetch find everything?): {said}"
            );
        }
        assert!(!said.contains("failed"), "{said}");
    }

    /// A new database with the schema.
    pub(crate) async fn database(&self) -> Db {
        let folder = self.folder.path();
        let made = self.template.get_or_init(async || {
            run(folder, "CREATE DATABASE template_varsel").await;
            let db = Db {
                name: "template_varsel".to_owned(),
                folder: folder.to_owned(),
                _server: None,
            };
            db.open(Access::Daemon).await.close().await;
        });
        made.await;
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        run(
            folder,
            &format!("CREATE DATABASE {name} TEMPLATE template_varsel"),
        )
        .await;
        Db {
            name,
            folder: folder.to_owned(),
            _server: None,
        }
    }
}

impl Db {
    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://varsel@localhost/{}?host={}",
            self.name,
            self.folder.display()
        )
    }

    /// A link to it that can misbehave.
    pub(crate) async fn link(&self) -> Link {
        Link::to(Target::Unix(self.folder.join(".s.PGSQL.5432"))).await
    }

    /// Where its standby is reached.
    pub(crate) fn standby(&self) -> Target {
        Target::Unix(self.folder.join("standby/.s.PGSQL.5432"))
    }

    /// Its address over a link.
    pub(crate) fn url_over(&self, link: &Link) -> String {
        format!("postgres://varsel@{}/{}", link.address(), self.name)
    }

    pub(crate) async fn open(&self, access: Access) -> Database {
        let address = Address::parse(&self.url()).unwrap();
        Database::open(&Place::Postgres(Box::new(address)), access)
            .await
            .unwrap()
    }

    /// A connection beside the store's.
    pub(crate) async fn raw(&self) -> PgConnection {
        connect(&self.folder, &self.name).await
    }
}

async fn connect(folder: &Path, database: &str) -> PgConnection {
    let options = PgConnectOptions::new()
        .socket(folder)
        .username("varsel")
        .database(database);
    match options.connect().await {
        Ok(conn) => conn,
        Err(error) => {
            let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(20)..].join("\n");
            panic!("PostgreSQL is not reached: {error}; its log ends\n{last}")
        }
    }
}

async fn run(folder: &Path, sql: &str) {
    let mut conn = connect(folder, "postgres").await;
    sqlx::query(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}
