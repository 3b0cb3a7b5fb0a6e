"""Measures what a table of queues does not show: many cancellations at once, a long backlog, e-mail, and rest.

Uses the parts of drive.py; each measurement is one function that prints one line of a table.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

import drive
from drive import HOUSE, LOOK_EVERY, SMTP, WORK, Postgres, Problem, Sink, Varsel, cpu_seconds, peak_mib, run, tree, until

IN_ROOT = HOUSE / "tests/servers/in-root"
# How long the daemon is left alone before its rest is measured, and how long that takes.
SETTLE_SECONDS, REST_SECONDS = 5, 20
# Tables of a store in the order in which they refer to each other, with the columns that hold numbers of rows.
COPIED = {
    "appointment": ["id"],
    "appointment_person": ["appointment"],
    "notice": ["id", "appointment"],
    "message": ["id", "notice"],
    "message_person": ["message"],
}


def say(what, figure):
    print(f"| {what} | {figure} |", flush=True)


def cancellations(sink, postgres):
    """50,000 cancellations in one poll, until all are planned, rendered and recorded."""
    for store in (Varsel(sink), Varsel(sink, postgres)):
        store.fill(50_000)
        say(f"50,000 cancellations in one poll → recorded, {store.word}", f"{store.recorded_seconds:.1f} s")


# ── a long backlog ──────────────────────────────────────────────────────────────────────────────────────────────────


def multiply(folder, times):
    """Copies everything in the store so many times, as bookings of a source that nobody reads."""
    with sqlite3.connect(folder / "varsel.db") as store:
        store.execute("PRAGMA synchronous = off")
        store.execute("INSERT INTO source (name, baseline) VALUES ('elsewhere', 1)")
        most = max(store.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in ("appointment", "notice", "message"))
        for table, numbers in COPIED.items():
            columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
            where = f"WHERE {'id' if 'id' in numbers else numbers[0]} <= {most}"
            for one in range(1, times):
                shift = one * most
                cells = {name: f"{name} + {shift}" for name in numbers}
                cells.update({"source": "'elsewhere'", "reference": "NULL"})
                if table == "appointment":
                    cells["key"] = f"key || '-{one}'"
                cells["gateway_key"] = f"gateway_key || '-{one}'"
                picked = ", ".join(cells.get(name, name) for name in columns)
                store.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {picked} FROM {table} {where}")
            store.commit()


def backlog(sink, rounds):
    """How fast 20,000 leave while more and more wait, and how much memory that takes."""
    one = Varsel(sink)
    one.fill(20_000)
    rates = {}
    for waiting in (20_000, 1_000_000):
        if waiting > 20_000:
            multiply(one.template, waiting // 20_000)
        runs = [leave(one, sink, 15_000) for _ in range(rounds)]
        rates[waiting] = statistics.median(rate for rate, _ in runs)
        peak = max(peak for _, peak in runs)
        say(f"{waiting:,} waiting: the first 15,000 leave, sqlite", f"{rates[waiting]:,.0f}/s, peak {peak:.0f} MiB")
    say("1,000,000 waiting against 20,000", f"{rates[1_000_000] / rates[20_000]:.2f}")


def leave(one, sink, messages):
    one.restore()
    sink.reset(0)
    process = one.start()
    peak = 0
    try:
        end = time.monotonic() + drive.PATIENCE
        while True:
            stats = sink.wait(messages)
            peak = max(peak, peak_mib(tree(process.pid)))
            if stats["unique"] >= messages:
                return stats["unique"] / stats["steady_seconds"], peak
            if time.monotonic() > end:
                raise Problem(f"backlog: {stats}")
    finally:
        process.kill()
        process.wait()


# ── e-mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def emails(sink, messages, rounds):
    """E-mail to Postfix's own sink, beside Postfix's own source, four connections each."""
    words = [IN_ROOT, "smtp-sink", "-u", "nobody", f"127.0.0.1:{SMTP}", "1000"]
    smtp = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("smtp-sink answers", smtp_answers, patience=20, every=0.1)
        one = Mail(sink)
        one.fill(messages)
        size = one.size()
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(messages_per_second(one))
            began = time.monotonic()
            run(IN_ROOT, "smtp-source", "-s", 4, "-m", messages, "-l", size, "-d", "-f", "varsel@agency.example",
                "-t", "someone@example.com", f"127.0.0.1:{SMTP}")
            theirs.append(messages / (time.monotonic() - began))
        mine, other = statistics.median(ours), statistics.median(theirs)
        say(f"e-mail to smtp-sink, 4 connections, {messages:,} mails of {size:,} bytes", f"{mine:,.0f}/s")
        say("smtp-source to the same", f"{other:,.0f}/s; Varsel {mine / other:.2f} of it")
    finally:
        smtp.terminate()
        smtp.wait()


def smtp_answers():
    import socket

    try:
        with socket.create_connection(("127.0.0.1", SMTP), timeout=1) as connection:
            return connection.recv(100).startswith(b"220")
    except OSError:
        return False


class Mail(Varsel):
    """Immigration bookings, which are told by e-mail."""

    def __init__(self, sink):
        super().__init__(sink)
        self.name, self.word = "Varsel, e-mail", "mail"
        self.template, self.folder, self.port = WORK / "varsel-mail-filled", WORK / "varsel-mail", 18473

    def booking(self, n):
        return (f"b{n}", "booked", "2031-03-24 09:20", "sentrum", "residence_permit", None, f"p{n}@example.com", "nb")

    def size(self):
        return self.count(self.template, "SELECT avg(length(body)) FROM message_person").__int__()


def messages_per_second(one):
    one.restore()
    began = time.monotonic()
    process = one.start()
    try:
        until("every mail is accepted", one.is_done)
        return one.messages / (time.monotonic() - began)
    finally:
        process.kill()
        process.wait()


# ── rest ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rest(sink, postgres):
    """What a daemon takes that has nothing to do."""
    for one in (Varsel(sink), Varsel(sink, postgres)):
        one.every = "10s"
        one.fill(1_000)
        one.restore()
        sink.reset(0)
        process = one.start()
        try:
            until("all have left", one.is_done)
            time.sleep(SETTLE_SECONDS)
            lines = len(statements(postgres)) if one.postgres else 0
            if one.postgres:
                postgres.sql("ALTER SYSTEM SET log_statement = 'all'")
                postgres.sql("SELECT pg_reload_conf()")
                time.sleep(1)
                lines = len(statements(postgres))
            began, before = time.monotonic(), cpu_seconds([process.pid])
            time.sleep(REST_SECONDS)
            seconds, cpu = time.monotonic() - began, cpu_seconds([process.pid]) - before
            figure = f"{100 * cpu / seconds:.2f} % of a core, {rss_mib(process.pid):.0f} MiB"
            if one.postgres:
                figure += f", {(len(statements(postgres)) - lines) / seconds:.1f} statements/s"
                postgres.sql("ALTER SYSTEM RESET log_statement")
                postgres.sql("SELECT pg_reload_conf()")
            say(f"at rest, one source every 10 s, {one.word}", figure)
        finally:
            process.kill()
            process.wait()


def statements(postgres):
    text = (postgres.folder / "log").read_text(errors="replace")
    said = [line for line in text.splitlines() if "LOG:  statement:" in line or "LOG:  execute" in line]
    # Whoever only waits between two transactions asks nothing.
    return [line for line in said if not any(word in line for word in ("BEGIN", "COMMIT", "ROLLBACK"))]


def rss_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--mails", type=int, default=20_000)
    parse.add_argument("--only", default="mail,cancel,backlog,rest")
    options = parse.parse_args()
    only = options.only.split(",")
    sink = Sink()
    postgres = Postgres() if "rest" in only or "cancel" in only else None
    print("| what | measured |\n|---|---|")
    try:
        if "mail" in only:
            emails(sink, options.mails, options.rounds)
        if "cancel" in only:
            cancellations(sink, postgres)
        if "rest" in only:
            rest(sink, postgres)
        if "backlog" in only:
            backlog(sink, options.rounds)
    finally:
        sink.end()
        if postgres:
            postgres.end()


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"benches: {problem}")
