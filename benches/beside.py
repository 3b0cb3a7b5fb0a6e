"""Measures what a table of queues does not show: many cancellations at once, e-mail, and rest.

Uses the parts of drive.py; each measurement is one function that prints one line of a table.
"""

import argparse
import statistics
import subprocess
import sys
import time

import drive
from drive import HOUSE, SMTP, WORK, Postgres, Problem, Sink, Varsel, cpu_seconds, run, until

IN_ROOT = HOUSE / "tests/servers/in-root"
# How long the daemon is left alone before its rest is measured, and how long that takes.
SETTLE_SECONDS, REST_SECONDS = 5, 20


def say(what, figure):
    print(f"| {what} | {figure} |", flush=True)


def cancellations(sink, postgres):
    """50,000 cancellations in one poll, until all are planned, rendered and recorded."""
    for store in (Varsel(sink), Varsel(sink, postgres)):
        store.fill(50_000)
        say(f"50,000 cancellations in one poll → recorded, {store.word}", f"{store.recorded_seconds:.1f} s")


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
    parse.add_argument("--only", default="mail,cancel,rest")
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
    finally:
        sink.end()
        if postgres:
            postgres.end()


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"benches: {problem}")
