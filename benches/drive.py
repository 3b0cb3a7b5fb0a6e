"""Drives one measurement: fills each contender's queue, lets it work against one sink, and counts.

It measures and prints; what the figures mean stands in docs/PERFORMANCE.md. A contender is anything with a
queue that was filled before; the clock runs from just before its process is started until the sink has every
message once and the contender's own store says that nothing is left.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parent
WORK = HOUSE / "target" / "benches"
VARSEL = Path(os.environ["VARSEL_BINARY"]) if "VARSEL_BINARY" in os.environ else HOUSE / "target" / "release" / "varsel"
WIRE = WORK / "wire" / "release" / "wire"

# How often a figure that changes is looked at; the error this makes is below every digit printed.
LOOK_EVERY = 0.005
PATIENCE = 300
CONNECTIONS = 64
SMTP = 18425
TICKS = os.sysconf("SC_CLK_TCK")


class Problem(Exception):
    """What went wrong, in words."""


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def tree(pid):
    """A process and all that it has started."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


def cpu_seconds(pids):
    """User and system time so far, also that of children that have ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def peak_mib(pids):
    """The most memory that these processes ever had, each on its own, in MiB."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return total / 1024


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if done.returncode:
        raise Problem(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def until(what, ready, patience=PATIENCE, every=LOOK_EVERY):
    end = time.monotonic() + patience
    while not ready():
        if time.monotonic() > end:
            raise Problem(f"waited {patience} s in vain: {what}")
        time.sleep(every)


# ── the sink ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Sink:
    """Takes every message after a latency, and counts the different ones."""

    def __init__(self):
        self.process = subprocess.Popen([WIRE, "sink", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.url = f"http://{self.address}/messages"

    def ask(self, path, method="GET"):
        request = urllib.request.Request(f"http://{self.address}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def reset(self, latency_ms):
        self.ask(f"/reset?latency_ms={latency_ms}", "POST")

    def stats(self):
        return self.ask("/stats")

    def wait(self, unique):
        """What came, as soon as so many different ones did, or a quarter of a second later."""
        return self.ask(f"/wait?unique={unique}")

    def end(self):
        self.process.kill()


# ── PostgreSQL, in the tests' own root ──────────────────────────────────────────────────────────────────────────────

CLUSTER = r"""
dir=$1
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
chown postgres "$dir"
as() { setpriv --reuid postgres --regid postgres --init-groups "$@" </dev/null >>"$dir/log" 2>&1; }
as "$bin/initdb" --no-sync -D "$dir/data" -U varsel -A trust -E UTF8 --locale=C.UTF-8
printf '%s\n' "unix_socket_directories = '$dir'" "listen_addresses = '127.0.0.1'" "port = $2" \
  'shared_buffers = 1GB' 'max_connections = 200' 'jit = off' >>"$dir/data/postgresql.conf"
exec setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" -D "$dir/data" >>"$dir/log" 2>&1
"""


class Postgres:
    """One server for all, fsync and synchronous_commit on; each contender has a database of its own."""

    def __init__(self):
        self.port, self.watcher = free_port(), None
        # Sockets need a short path.
        self.folder = Path(f"/tmp/varsel-bench-{os.getpid()}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        words = [HOUSE / "tests/servers/in-root", "sh", "-c", CLUSTER, "cluster", self.folder, str(self.port)]
        self.process = subprocess.Popen([str(word) for word in words])
        until("PostgreSQL answers", self.answers, every=0.2)

    def answers(self):
        try:
            self.sql("SELECT 1")
            return True
        except Problem:
            return False

    def url(self, database):
        return f"postgres://varsel@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database="postgres"):
        psql = HOUSE / "tests/servers/in-root"
        words = [psql, "psql", "-qAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "varsel", "-d", database, "-c", text]
        return run(*words).strip()

    def watch(self, database):
        """A client that stays connected, so that a look costs one statement and no process."""
        words = [HOUSE / "tests/servers/in-root", "psql", "-qAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "varsel", "-d", database]
        self.unwatch()
        self.watcher = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self, text):
        self.watcher.stdin.write(text + ";\n")
        self.watcher.stdin.flush()
        return self.watcher.stdout.readline().strip()

    def unwatch(self):
        if self.watcher:
            self.watcher.stdin.close()
            self.watcher.wait(timeout=60)
            self.watcher = None

    def restore(self, database, template):
        self.unwatch()
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {database} TEMPLATE {template}")
        self.sql("CHECKPOINT")
        self.watch(database)
        self.look("SELECT 1")

    def pids(self):
        return tree(self.process.pid)

    def end(self):
        self.unwatch()
        for pid in self.pids():
            if Path(f"/proc/{pid}/comm").exists() and "postgres" in Path(f"/proc/{pid}/comm").read_text():
                os.kill(pid, signal.SIGINT)
                break
        self.process.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)


# ── the contenders ──────────────────────────────────────────────────────────────────────────────────────────────────


class Bare:
    """No queue: what the wire and the client can do."""

    fraction, messages = 1, 0

    name = "bare loop"
    durable = "nothing"

    def __init__(self, sink):
        self.sink = sink

    def fill(self, messages):
        self.messages = messages

    def restore(self):
        pass

    def start(self):
        words = [WIRE, "bare", self.sink.url, str(self.messages), str(CONNECTIONS)]
        return subprocess.Popen(words)

    def is_done(self):
        return True

    def store_pids(self):
        return []


CONFIG = """
[http]
listen = "127.0.0.1:{port}"
[agency]
directory = "{house}/config/offices.toml"
[store]
{store}
[windows]
sms = "always"
email = "always"
phone = "always"
[brake]
max_changes = 10000000
max_share = 1.0
min_changes = 10000000
max_changes_per_hour = 10000000
max_share_per_hour = 1.0
max_shrink = 1.0
[gateway.sms]
channel = "sms"
profile = "{house}/benches/gateway.toml"
url = "{sink}"
mode = "live"
reports = false
secret_files = {{ key = "key" }}
connections = {connections}
claim_ahead = {claim_ahead}
{rate}
[gateway.mail]
channel = "email"
mode = "live"
host = "127.0.0.1"
port = {smtp}
tls = "plain"
connections = 4
claim_ahead = 8
envelope_from = "varsel@agency.example"
bounce_domain = "bounce.agency.example"
bounce_localpart = "bounce"
hello_name = "varsel.agency.example"
mails_per_connection = 1000000
{rate}
[[source]]
name = "register"
path = "register.db"
every = "{every}"
zone = "Europe/Oslo"
region = "NO"
start = "naive"
settle = "0s"
query = "SELECT id, status, start, office, service, phone, email, language FROM bookings"
[source.status]
active = ["booked"]
cancelled = ["cancelled"]
"""


class Varsel:
    """The real daemon: booking system, plan, texts and intents are recorded; then the clock starts."""

    fraction, messages = 1, 0
    every, claim_ahead = "200ms", 512

    def __init__(self, sink, postgres=None):
        self.sink, self.postgres = sink, postgres
        kind = "PostgreSQL" if postgres else "SQLite FULL"
        self.name = f"Varsel, {kind}, claim_ahead {self.claim_ahead}"
        self.durable = "intent before, outcome after"
        self.word = "pg" if postgres else "sqlite"
        self.template = WORK / f"varsel-{self.word}-filled"
        self.folder = WORK / f"varsel-{self.word}"
        self.port = 18471 if postgres else 18470

    def store(self, database):
        return f'url = "{self.postgres.url(database)}"' if self.postgres else 'path = "varsel.db"'

    def configure(self, folder, database, rate=""):
        text = CONFIG.format(
            rate=rate, smtp=SMTP, every=self.every,
            port=self.port, house=HOUSE, sink=self.sink.url, connections=CONNECTIONS,
            claim_ahead=self.claim_ahead, store=self.store(database),
        )
        (folder / "varsel.toml").write_text(text)
        (folder / "key").write_text("open sesame")
        (folder / "key").chmod(0o600)

    def booking(self, n):
        return (f"b{n}", "booked", "2031-03-24 09:20", "gronland", "passport", str(40700000 + n), None, "nb")

    def spawn(self, folder):
        log = open(folder / "log", "w")
        return subprocess.Popen([VARSEL, "-c", folder / "varsel.toml", "run"], cwd=folder, stdout=log, stderr=log)

    def register(self, folder, bookings):
        register = sqlite3.connect(folder / "register.db")
        register.execute(
            "CREATE TABLE bookings (id TEXT PRIMARY KEY, status TEXT, start TEXT, office TEXT, service TEXT,"
            " phone TEXT, email TEXT, language TEXT)"
        )
        rows = map(self.booking, range(bookings))
        register.executemany("INSERT INTO bookings VALUES (?,?,?,?,?,?,?,?)", rows)
        register.commit()
        return register

    def fill_nothing(self, bookings):
        """A register with bookings of which nobody has to be told, and no store yet."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.configure(self.folder, "varsel")
        self.register(self.folder, bookings).close()

    def fill(self, messages):
        folder = self.template
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if self.postgres:
            self.postgres.sql("DROP DATABASE IF EXISTS varsel_filled WITH (FORCE)")
            self.postgres.sql("CREATE DATABASE varsel_filled")
        # So slow a gateway leaves the queue as it was filled, but for a message or two.
        self.configure(folder, "varsel_filled", "rate_per_second = 1")
        register = self.register(folder, messages)
        daemon = self.spawn(folder)
        try:
            until("the baseline is taken", lambda: self.count(folder, "SELECT count(*) FROM appointment") == messages)
            began = time.monotonic()
            register.execute("UPDATE bookings SET status = 'cancelled'")
            register.commit()
            until("everything is recorded", lambda: self.count(folder, "SELECT count(*) FROM message") == messages)
            self.recorded_seconds = time.monotonic() - began
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)
        register.close()
        if self.postgres:
            self.postgres.sql("ANALYZE", "varsel_filled")
        self.messages = self.count(folder, "SELECT count(*) FROM message WHERE state = 'ready'")

    def count(self, folder, sql):
        try:
            if self.postgres:
                return int(self.postgres.sql(sql, "varsel_filled" if folder == self.template else "varsel"))
            with sqlite3.connect(f"file:{folder}/varsel.db?mode=ro", uri=True, timeout=10) as store:
                return store.execute(sql).fetchone()[0]
        except (sqlite3.OperationalError, Problem):
            return -1

    def restore(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)
        self.configure(self.folder, "varsel")
        if self.postgres:
            self.postgres.restore("varsel", "varsel_filled")
        else:
            with sqlite3.connect(self.folder / "varsel.db") as store:
                store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.sync()

    def start(self):
        return self.spawn(self.folder)

    def is_done(self):
        left = "SELECT count(*) FROM message WHERE state IN ('ready', 'held', 'sending')"
        if self.postgres:
            return self.postgres.look(left) == "0"
        return self.count(self.folder, left) == 0

    def store_pids(self):
        return self.postgres.pids() if self.postgres else []


class Peer:
    """A queue of somebody else's, with the best settings we know for it."""

    durable = "done after"
    fraction, messages = 1, 0

    def __init__(self, sink):
        self.sink = sink

    def spawn(self, *words, **variables):
        log = open(WORK / f"{self.word}.log", "a")
        words = [str(word) for word in words]
        return subprocess.Popen(words, cwd=self.home, stdout=log, stderr=log, env={**os.environ, **variables})

    def finish(self, *words, **variables):
        if self.spawn(*words, **variables).wait(timeout=PATIENCE):
            raise Problem(f"{self.name} could not be filled: see {WORK / self.word}.log")


class OnPostgres(Peer):
    """A peer whose jobs stand in a database of its own."""

    def __init__(self, sink, postgres, word, name, worker, left, home):
        super().__init__(sink)
        self.postgres, self.word, self.name, self.worker, self.left, self.home = postgres, word, name, worker, left, home

    def fill(self, messages):
        self.postgres.sql(f"DROP DATABASE IF EXISTS {self.word}_filled WITH (FORCE)")
        self.postgres.sql(f"CREATE DATABASE {self.word}_filled")
        self.finish(*self.worker, "fill", self.postgres.url(f"{self.word}_filled"), messages)
        self.postgres.sql("ANALYZE", f"{self.word}_filled")

    def restore(self):
        self.postgres.restore(self.word, f"{self.word}_filled")

    def start(self):
        return self.spawn(*self.worker, "work", self.postgres.url(self.word), self.sink.url, CONNECTIONS)

    def is_done(self):
        return self.postgres.look(self.left) == "0"

    def store_pids(self):
        return self.postgres.pids()


class Redis:
    """One server; each run begins with a copy of the filled file. It may lose a second at a crash."""

    def __init__(self):
        self.port = free_port()
        self.folder = Path(f"/tmp/varsel-redis-{os.getpid()}")
        self.process = None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        words = [HOUSE / "tests/servers/in-root", "redis-server", "--port", self.port, "--dir", self.folder,
                 "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--bind", "127.0.0.1"]
        root = {**os.environ, "VARSEL_SERVERS_ROOT": str(WORK / "debian")}
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, env=root)
        until("Redis answers", lambda: self.ask("PING") == "PONG", every=0.05)

    def stop(self):
        if self.process:
            self.ask("SHUTDOWN")
            self.process.wait(timeout=60)
            self.process = None

    def ask(self, *words):
        """One command, in Redis's own protocol; enough of it for answers of one line."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                text = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
                connection.sendall(text.encode())
                return connection.recv(4096).decode().split("\r\n")[0].lstrip("+:")
        except OSError:
            return ""

    def keep(self, name):
        self.stop()
        shutil.rmtree(WORK / f"redis-{name}", ignore_errors=True)
        shutil.copytree(self.folder, WORK / f"redis-{name}")

    def restore(self, name):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if name:
            shutil.copytree(WORK / f"redis-{name}", self.folder)
        self.start()

    def end(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class OnRedis(Peer):
    """A peer whose jobs stand in Redis."""

    durable = "done after (Redis, synced each second)"

    def __init__(self, sink, redis):
        super().__init__(sink)
        self.redis = redis

    def fill(self, messages):
        self.redis.restore(None)
        self.fill_redis(messages)
        self.redis.keep(self.word)

    def restore(self):
        self.redis.restore(self.word)

    def store_pids(self):
        return tree(self.redis.process.pid)


class BullMq(OnRedis):
    name, word, home = "BullMQ, 100 at once", "bullmq", WORK / "node"

    def fill_redis(self, messages):
        self.finish("node", "bullmq.mjs", "fill", self.redis.port, messages)

    def start(self):
        return self.spawn("node", "bullmq.mjs", "work", self.redis.port, self.sink.url, CONNECTIONS)

    def is_done(self):
        return all(self.redis.ask("LLEN", f"bull:notice:{list}") == "0" for list in ("wait", "active"))


class Celery(OnRedis):
    name, word, home = "Celery, 2 processes", "celery", HERE / "peers" / "celery"
    # So slow that fewer messages say as much.
    fraction = 4

    def url(self):
        return {"BENCH_REDIS": f"redis://127.0.0.1:{self.redis.port}/1", "BENCH_SINK": self.sink.url}

    def fill_redis(self, messages):
        self.finish(WORK / "celery/bin/python", "tasks.py", messages, **self.url())

    def start(self):
        words = ["-A", "tasks", "worker", "--concurrency", "2", "--without-gossip", "--without-mingle", "-l", "WARNING"]
        return self.spawn(WORK / "celery/bin/celery", *words, **self.url())

    def is_done(self):
        # Its database is number 1.
        with socket.create_connection(("127.0.0.1", self.redis.port), timeout=10) as connection:
            connection.sendall(b"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*2\r\n$4\r\nLLEN\r\n$6\r\ncelery\r\n")
            connection.sendall(b"*2\r\n$4\r\nHLEN\r\n$7\r\nunacked\r\n")
            said = b""
            while said.count(b"\r\n") < 3:
                said += connection.recv(4096)
        return said.split(b"\r\n")[1:3] == [b":0", b":0"]


def peers(sink, postgres, redis):
    """The queues that a team would otherwise build on."""
    left = "SELECT count(*) FROM graphile_worker._private_jobs"
    boss = "SELECT count(*) FROM pgboss.job WHERE state < 'completed' AND name = 'notice'"
    rust = WORK / "graphile-rs" / "release" / "graphile-rs"
    node = WORK / "node"
    return [
        OnPostgres(sink, postgres, "graphile_rs", "graphile_worker (Rust), local queue 500, batched", [rust], left, WORK),
        OnPostgres(sink, postgres, "graphile", "graphile-worker (npm), local queue 500, batched",
                   ["node", "graphile.mjs"], left, node),
        OnPostgres(sink, postgres, "pgboss", "pg-boss, 2 × 200, burst", ["node", "pgboss.mjs"], boss, node),
        BullMq(sink, redis),
        Celery(sink, redis),
    ]


# ── one run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(contender, sink, messages, latency_ms):
    messages = contender.messages or messages // contender.fraction
    contender.restore()
    sink.reset(latency_ms)
    store_before = cpu_seconds(contender.store_pids())
    began = time.monotonic()
    process = contender.start()
    cpu = peak = 0
    try:
        while True:
            pids = tree(process.pid)
            cpu, peak = max(cpu, cpu_seconds(pids)), max(peak, peak_mib(pids))
            stats = sink.wait(messages)
            if stats["unique"] >= messages:
                break
            if time.monotonic() - began > PATIENCE:
                raise Problem(f"{contender.name}: {stats} after {PATIENCE} s")
        until(f"{contender.name} has nothing left", contender.is_done)
        wall = time.monotonic() - began
        cpu = max(cpu, cpu_seconds(tree(process.pid)))
    finally:
        process.terminate()
        process.wait(timeout=60)
    stats = sink.stats()
    return {
        "wall": wall,
        "rate": messages / wall,
        "steady": messages / stats["steady_seconds"],
        "cpu": cpu,
        "store_cpu": cpu_seconds(contender.store_pids()) - store_before,
        "peak": peak,
        "twice": stats["taken"] - stats["unique"],
    }


def table(results, bare):
    print("| who | written down | messages/s | of the bare loop | steady/s | CPU s | store CPU s | peak MiB | twice |")
    print("|---|---|---|---|---|---|---|---|---|")
    middle = lambda runs, key: statistics.median(one[key] for one in runs)
    whole = middle(results[bare], "rate")
    for contender, runs in sorted(results.items(), key=lambda item: -middle(item[1], "rate")):
        rate = middle(runs, "rate")
        print(
            f"| {contender.name} | {contender.durable} | {rate:,.0f} | {rate / whole:.2f} | {middle(runs, 'steady'):,.0f}"
            f" | {middle(runs, 'cpu'):.2f} | {middle(runs, 'store_cpu'):.2f} | {middle(runs, 'peak'):.0f}"
            f" | {sum(one['twice'] for one in runs)} |"
        )


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--messages", type=int, default=20000)
    parse.add_argument("--latency", default="0,20")
    parse.add_argument("--only", default="")
    options = parse.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    sink = Sink()
    postgres, redis = Postgres(), Redis()
    try:
        bare = Bare(sink)
        contenders = [bare, Varsel(sink), Varsel(sink, postgres), *peers(sink, postgres, redis)]
        only = [word for word in options.only.split(",") if word]
        contenders = [one for one in contenders if one is bare or not only or any(word in one.name for word in only)]
        for contender in contenders:
            contender.fill(options.messages // contender.fraction)
        for latency in map(int, options.latency.split(",")):
            results = {contender: [] for contender in contenders}
            for number in range(options.rounds):
                for contender in random.sample(contenders, len(contenders)):
                    one = measure(contender, sink, options.messages, latency)
                    results[contender].append(one)
                    print(f"{latency} ms, round {number + 1}: {contender.name}: {one['rate']:,.0f}/s", file=sys.stderr)
            print(f"\n{options.messages:,} messages, a sink that answers after {latency} ms, medians of {options.rounds}\n")
            table(results, bare)
    finally:
        sink.end()
        redis.end()
        postgres.end()


if __name__ == "__main__":
    # Whoever ends it early shall not leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
    except Problem as problem:
        sys.exit(f"benches: {problem}")
