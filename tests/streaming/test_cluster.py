"""A cluster says what it is, or why it cannot be reached."""

import pytest
from kafka_broker import RunningBroker

from lastmile.errors import Unreachable
from lastmile.streaming.cluster import described


def test_a_cluster_that_answers_is_described(kafka: RunningBroker) -> None:
    kafka.new_topic()
    assert f"{kafka.servers}: 1 brokers, " in described({"bootstrap.servers": kafka.servers})


def test_one_that_does_not_is_named_with_the_reason() -> None:
    with pytest.raises(Unreachable, match=r"Kafka at 127\.0\.0\.1:9: .*Connection refused.*LASTMILE_KAFKA_URL"):
        described({"bootstrap.servers": "127.0.0.1:9"})
    with pytest.raises(Unreachable, match="no-such-setting"):
        described({"bootstrap.servers": "127.0.0.1:9", "no-such-setting": "1"})
