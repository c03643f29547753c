"""A client for devices that are offline for hours or days: what is submitted is kept on disk until the API has it.

    from lastmile.client import Client

    with Client("https://lastmile.example.org", key="lm_...", queue=Path("queue.db")) as client:
        receipt = client.submit("visits", {"visit": "v1", "persons": 3}, partition="2024")
        client.edit("visits", receipt.record_id, {"visit": "v1", "persons": 4}, partition="2024")
        client.upload("visits", Path("visits.csv"), partition="2024")
        client.send(max_seconds=60)

It needs httpx and nothing else of Lastmile. What it promises: a submission is durable when `submit` returns, whatever
happens to the process; it arrives exactly once, however often the network fails; the revisions of a record arrive in
order; memory does not grow with the queue.
"""

from lastmile.client.answers import Problem, SignInRefused, Unreachable
from lastmile.client.client import Client, Sent, Status
from lastmile.client.outbox import Receipt, Refused

__all__ = ["Client", "Problem", "Receipt", "Refused", "Sent", "SignInRefused", "Status", "Unreachable"]
