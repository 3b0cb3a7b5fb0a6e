"""The job as Celery does it, with Redis: two processes, acknowledged late.

usage: python tasks.py PORT MESSAGES     fills the queue
       celery -A tasks worker ...         works; BENCH_REDIS and BENCH_SINK say where
"""

import os
import sys

import requests
from celery import Celery

app = Celery("tasks", broker=os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6390/1"))
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    broker_transport_options={"max_connections": 400},
    broker_connection_retry_on_startup=True,
)
SINK = os.environ.get("BENCH_SINK", "")
session = requests.Session()


@app.task(name="notice")
def notice(key, name, office, date, reference):
    text = (
        f"Hei {name}. Timen din {date} ved {office} er avlyst. Ref. {reference}.\n\n"
        f"Hello {name}. Your appointment on {date} at {office} is cancelled. Ref. {reference}."
    )
    answer = session.post(SINK, json={"key": key, "to": "+4740700000", "text": text}, timeout=10)
    answer.raise_for_status()
    answer.json()


if __name__ == "__main__":
    with app.connection_for_write() as connection, app.amqp.producer_pool.acquire():
        for number in range(int(sys.argv[1])):
            notice.apply_async((f"c-{number:08}", "Kari", "Grønland", "24. mars kl. 10.20", f"{number:06}"))
