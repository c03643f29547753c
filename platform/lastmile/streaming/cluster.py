"""Whether a Kafka cluster answers, and what it says of itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lastmile.errors import Unreachable

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

_SECONDS = 5.0


def described(configuration: Mapping[str, str]) -> str:
    """Its brokers and topics, in words. Raises Unreachable with librdkafka's own reason, and what to do."""
    found = _metadata(configuration)
    return f"{configuration['bootstrap.servers']}: {len(found.brokers)} brokers, {len(found.topics)} topics"


def topics(configuration: Mapping[str, str]) -> dict[str, list[int]]:
    """The partitions of each topic. Raises Unreachable as `described` does."""
    return {name: sorted(one.partitions) for name, one in _metadata(configuration).topics.items()}


def _metadata(configuration: Mapping[str, str]) -> "ClusterMetadata":
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    reasons: list[str] = []

    def note(error: KafkaError) -> None:
        reasons.append(str(error.str()))

    servers = configuration["bootstrap.servers"]
    given: dict[str, Any] = {**configuration, "error_cb": note, "log_level": 0}
    admin = None
    try:
        admin = AdminClient(given)
        return admin.list_topics(timeout=_SECONDS)
    except (KafkaException, ValueError) as error:
        if admin is not None:
            admin.poll(0)
        reason = reasons[0] if reasons else str(error)
        raise Unreachable(
            f"Kafka at {servers}: {reason}; is the cluster up, and are LASTMILE_KAFKA_URL, _SECURITY_PROTOCOL, _SASL_*"
            " and _SSL_* right?"
        ) from None
