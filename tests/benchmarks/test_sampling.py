"""Where the time of a program goes."""

import json
import threading
import time

from benchmarks.sampling import sampled

DOCUMENT = json.dumps(list(range(2_000)))


def test_a_busy_thread_is_seen_where_it_is_and_with_its_cpu() -> None:
    def read() -> None:
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            for _ in range(20):  # a busy machine takes the processor away where the clock is read
                json.loads(DOCUMENT)

    with sampled("json") as seen:
        thread = threading.Thread(target=read, name="reader-1")
        thread.start()
        thread.join()
    assert sum(share for place, share in seen.places.items() if place.startswith("reader: decoder.")) > 0.3
    assert not [place for place in seen.places if "MainThread" in place]
    assert 0.1 < seen.threads["reader"] < 1
