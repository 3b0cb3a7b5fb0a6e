"""Measures how Varsel's cost grows: with what waits, with what is finished, with nodes; and how soon a change is told.

Uses the parts of drive.py. Prints a table, and draws the curves into docs/growth-*.svg.
"""

import argparse
import hmac
import shutil
import sqlite3
import statistics
import sys
import time
import urllib.request

import drive
from drive import HOUSE, WORK, Postgres, Problem, Sink, Varsel, cpu_seconds, peak_mib, tree, until

# What a store holds of each notice, with the columns that hold numbers of rows.
COPIED = {
    "appointment": ["id"],
    "appointment_person": ["appointment"],
    "notice": ["id", "appointment"],
    "message": ["id", "notice"],
    "message_person": ["message"],
    "attempt": ["id", "message"],
    "history": ["id", "appointment", "notice", "message"],
}
# So many of those that wait are sent, and so many rows are copied in one transaction of SQLite.
SENT, FILLED = 15_000, 20_000


def say(what, figure):
    print(f"| {what} | {figure} |", flush=True)


# ── a store that is as large as one likes ───────────────────────────────────────────────────────────────────────────


def grow(store, origin, times, number):
    """Copies all of another store into this one so many times, as bookings of a source that nobody reads."""
    store.execute("PRAGMA synchronous = off")
    store.execute("PRAGMA foreign_keys = off")
    store.execute("DROP TRIGGER IF EXISTS history_is_kept")
    store.execute("ATTACH DATABASE ? AS origin", (str(origin),))
    store.execute("INSERT OR IGNORE INTO source (name, baseline) VALUES ('elsewhere', 1)")
    tables = [(table, numbers) for table, numbers in COPIED.items()]
    last = {table: store.execute(f"SELECT coalesce(max(rowid), 0) FROM main.{table}").fetchone()[0] for table, _ in tables}
    most = max(store.execute(f"SELECT coalesce(max(rowid), 0) FROM origin.{table}").fetchone()[0] for table, _ in tables)
    begin = max(last.values())
    for one in range(times):
        shift = begin + one * most
        for table, numbers in tables:
            columns = [row[1] for row in store.execute(f"PRAGMA origin.table_info({table})")]
            cells = {name: f"{name} + {shift}" for name in numbers}
            cells.update({"source": "'elsewhere'", "reference": "NULL", "gateway_key": f"gateway_key || '-{number}-{one}'"})
            if table == "appointment":
                cells["key"] = f"key || '-{number}-{one}'"
            picked = ", ".join(cells.get(name, name) for name in columns)
            store.execute(f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {picked} FROM origin.{table}")
        store.commit()
    store.execute("DETACH DATABASE origin")


def leave(one, sink, messages, latency=0):
    """Lets a filled store send; how many left per second between the first and the last, and the most memory it took."""
    one.restore()
    sink.reset(latency)
    process, peak = one.start(), 0
    try:
        end = time.monotonic() + drive.PATIENCE
        while True:
            stats = sink.wait(messages)
            peak = max(peak, peak_mib(tree(process.pid)))
            if stats["unique"] >= messages:
                return stats["unique"] / stats["steady_seconds"], peak
            if time.monotonic() > end:
                raise Problem(f"{one.name}: {stats}")
    finally:
        process.terminate()
        process.wait(timeout=60)


def middle(runs):
    return statistics.median(rate for rate, _ in runs), max(peak for _, peak in runs)


def anew(one, whole):
    """The template as it was filled."""
    shutil.rmtree(one.template)
    shutil.copytree(whole, one.template)


def waiting_and_finished(sink, rounds, waiting, finished):
    one = Varsel(sink)
    one.fill(FILLED)
    whole = WORK / "varsel-whole"
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(one.template, whole)
    points = []
    for many in waiting:
        anew(one, whole)
        with sqlite3.connect(one.template / "varsel.db") as store:
            if many < FILLED:
                store.execute("DELETE FROM message_person WHERE message > ?", (many,))
                store.execute("DELETE FROM message WHERE id > ?", (many,))
            else:
                grow(store, whole / "varsel.db", many // FILLED - 1, "w")
        rate, peak = middle([leave(one, sink, min(many, SENT)) for _ in range(rounds)])
        points.append((many, rate))
        say(f"{many:,} waiting, nothing finished, SQLite", f"{rate:,.0f}/s, peak {peak:.0f} MiB")
    picture("growth-waiting", "Messages per second by how many wait (SQLite)", points)
    # What is finished is a copy of what really was sent, attempts and history included.
    anew(one, whole)
    leave(one, sink, FILLED)
    with sqlite3.connect(one.folder / "varsel.db") as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sent = WORK / "varsel-sent"
    shutil.rmtree(sent, ignore_errors=True)
    shutil.move(one.folder, sent)
    baseline, points = None, []
    for many in finished:
        anew(one, whole)
        with sqlite3.connect(one.template / "varsel.db") as store:
            grow(store, sent / "varsel.db", many // FILLED, "f")
        size = (one.template / "varsel.db").stat().st_size
        rate, peak = middle([leave(one, sink, SENT) for _ in range(rounds)])
        baseline = baseline or rate
        points.append((max(many, 1), rate))
        say(f"20,000 waiting, {many:,} finished, SQLite",
            f"{rate:,.0f}/s, {rate / baseline:.2f} of none finished, peak {peak:.0f} MiB, file {size / 1e6:,.0f} MB")
    picture("growth-finished", "Messages per second by how many are finished (SQLite)", points)
    shutil.rmtree(sent)
    shutil.rmtree(whole)


# ── nodes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Node(Varsel):
    """One of several nodes on one database, with few connections of its own to a slow gateway."""

    def __init__(self, sink, postgres, number):
        super().__init__(sink, postgres)
        self.number, self.port = number, 18480 + number
        self.folder = WORK / f"varsel-node-{number}"

    def join(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder, ignore=shutil.ignore_patterns("*.attempts"))
        self.configure(self.folder, "varsel")
        path = self.folder / "varsel.toml"
        text = path.read_text()
        text = text.replace(f"connections = {drive.CONNECTIONS}", f"connections = {NODE_CONNECTIONS}")
        path.write_text(f'[node]\nname = "node-{self.number}"\n{text}')
        return self.spawn(self.folder)


NODE_CONNECTIONS, NODE_LATENCY_MS, NODE_MESSAGES = 8, 20, 10_000


def nodes(sink, postgres, rounds):
    first = Node(sink, postgres, 0)
    first.fill(NODE_MESSAGES)
    rates = {}
    for many in (1, 2, 4):
        runs = []
        for _ in range(rounds):
            first.restore()
            sink.reset(NODE_LATENCY_MS)
            before = cpu_seconds(postgres.pids())
            processes = [Node(sink, postgres, number).join() for number in range(many)]
            try:
                until(f"{many} nodes have sent all", lambda: sink.stats()["unique"] >= NODE_MESSAGES, every=0.05)
                stats = sink.stats()
                cpu = cpu_seconds([process.pid for process in processes])
                runs.append((NODE_MESSAGES / stats["steady_seconds"], cpu, cpu_seconds(postgres.pids()) - before))
                if stats["taken"] != stats["unique"]:
                    raise Problem(f"some left twice: {stats}")
            finally:
                for process in processes:
                    process.terminate()
                for process in processes:
                    process.wait(timeout=60)
        rates[many] = statistics.median(rate for rate, _, _ in runs)
        cpu, store = (statistics.median(run[place] for run in runs) for place in (1, 2))
        say(f"{many} nodes, {NODE_CONNECTIONS} connections each, a gateway of {NODE_LATENCY_MS} ms, PostgreSQL",
            f"{rates[many]:,.0f}/s, {rates[many] / rates[1]:.2f} of one, {cpu:.1f} s and {store:.1f} s of the database's CPU")
    picture("growth-nodes", "Messages per second by nodes (PostgreSQL, 20 ms, 8 connections each)", list(rates.items()))


# ── from a change to the request ────────────────────────────────────────────────────────────────────────────────────


def told_after(sink, changes):
    """From the commit at the source until the request is at the gateway, one change at a time."""
    cancel = "UPDATE bookings SET status = 'cancelled' WHERE id = ?"
    erase = "DELETE FROM bookings WHERE id = ?"
    every = Varsel.every
    for what, sql, look_every, wakes in (
        (f"a status word changes, a look every {every}", cancel, every, False),
        (f"a row is deleted, a look every {every}", erase, every, False),
        ("a status word changes and a signed request says so, a look every 30s", cancel, "30s", True),
    ):
        took = sorted(each_change(sink, changes, sql, look_every, wakes))
        last = took[int(0.99 * (len(took) - 1))]
        say(f"{what} → request at the gateway, {changes} times",
            f"median {1000 * statistics.median(took):.0f} ms, p99 {1000 * last:.0f} ms")


def each_change(sink, changes, sql, look_every, wakes):
    one = Varsel(sink)
    one.every = look_every
    # The last row that goes would be held: a source that shows nothing at all is not believed.
    one.fill_nothing(changes + 1)
    if wakes:
        (one.folder / "wake").write_text(WAKE_SECRET)
        (one.folder / "wake").chmod(0o600)
        path = one.folder / "varsel.toml"
        path.write_text(path.read_text().replace('settle = "0s"', 'settle = "0s"\nwake_secret_file = "wake"'))
    sink.reset(0)
    process = one.start()
    try:
        until("the baseline is taken", lambda: one.count(one.folder, "SELECT count(*) FROM appointment") == changes + 1)
        register = sqlite3.connect(one.folder / "register.db")
        for n in range(changes):
            # At any moment between two looks; no more than sixty wake-ups are heard in a minute.
            time.sleep(1.1 if wakes else 0.2 * ((n * 37) % 100) / 100)
            register.execute(sql, (f"b{n}",))
            register.commit()
            began = time.monotonic()
            if wakes:
                wake(one.port, n)
            until("it is told", lambda: sink.wait(n + 1)["unique"] > n, patience=60, every=0)
            yield time.monotonic() - began
    finally:
        process.terminate()
        process.wait(timeout=60)


WAKE_SECRET = "a secret of the measurement, long enough to be one"


def wake(port, n):
    seconds, body = str(int(time.time())), f'{{"change": {n}}}'
    sign = hmac.new(WAKE_SECRET.encode(), f"{seconds}.{body}".encode(), "sha256").hexdigest()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/sources/register/wake", body.encode(), method="POST")
    request.add_header("X-Varsel-Signature", f"t={seconds},v1={sign}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────


def picture(name, title, points):
    """A line through the measured points; along the bottom each place is ten times the one before, or one node more."""
    width, height, left, bottom, top = 640, 300, 70, 46, 40
    highest = max(rate for _, rate in points) * 1.15
    across = [left + (width - left - 30) * (n + 0.5) / len(points) for n in range(len(points))]
    up = [height - bottom - (height - bottom - top) * rate / highest for _, rate in points]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in zip(across, up))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}" '
        'font-family="sans-serif" font-size="13" fill="#1d2733">',
        f'<title>{title}</title><rect width="{width}" height="{height}" fill="#fbfaf7"/>',
        f'<text x="{left}" y="24" font-size="15" font-weight="600">{title}</text>',
        f'<path d="M{left} {top} V{height - bottom} H{width - 30}" fill="none" stroke="#8a949e"/>',
        f'<polyline points="{line}" fill="none" stroke="#0b5a6e" stroke-width="2.5"/>',
    ]
    for (what, rate), x, y in zip(points, across, up):
        parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#0b5a6e"/>')
        parts.append(f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{rate:,.0f}</text>')
        parts.append(f'<text x="{x:.0f}" y="{height - bottom + 20}" text-anchor="middle">{what:,}</text>')
    parts.append(f'<text x="{left - 8}" y="{height - bottom}" text-anchor="end">0</text></svg>')
    (HOUSE / "docs" / f"{name}.svg").write_text("\n".join(parts) + "\n")


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--waiting", default="1000,100000,1000000")
    parse.add_argument("--finished", default="0,100000,1000000", help="each million takes 1.7 GB of disk, twice")
    parse.add_argument("--changes", type=int, default=100)
    parse.add_argument("--only", default="told,nodes,store")
    options = parse.parse_args()
    only = options.only.split(",")
    numbers = lambda text: [int(word) for word in text.split(",")]
    WORK.mkdir(parents=True, exist_ok=True)
    sink = Sink()
    postgres = Postgres() if "nodes" in only else None
    print("| what | measured |\n|---|---|")
    try:
        if "told" in only:
            told_after(sink, options.changes)
        if "nodes" in only:
            nodes(sink, postgres, options.rounds)
        if "store" in only:
            waiting_and_finished(sink, options.rounds, numbers(options.waiting), numbers(options.finished))
    finally:
        sink.end()
        if postgres:
            postgres.end()


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"benches: {problem}")
