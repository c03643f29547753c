"""Which Kafka streams are read from and written to, and how clients sign in there; and its registry of schemas."""

from dataclasses import dataclass
from pathlib import Path

from lastmile.errors import UserError
from lastmile.settings.group import begins_with, one_of, variable

_SCHEME = "kafka://"
PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")


def _servers(text: str) -> str | None:
    for one in text.removeprefix(_SCHEME).split(","):
        host, _, port = one.strip().rpartition(":")
        if not (host and port.isdecimal()):
            return "expected host:port, separated by commas"
    return None


def _options(found: tuple[str, ...]) -> str | None:
    if all(name and is_pair for name, is_pair, _ in (one.partition("=") for one in found)):
        return None
    return "expected name=value, separated by commas"


@dataclass(frozen=True)
class KafkaSettings:
    """The Kafka cluster. What begins with SASL or SSL is librdkafka's setting of that name."""

    url: str | None = variable(
        "LASTMILE_KAFKA_URL",
        "The Kafka cluster's bootstrap servers, separated by commas; the embedded broker where not set.",
        None,
        example="kafka-1:9092,kafka-2:9092",
        check=_servers,
    )
    security_protocol: str = variable(
        "LASTMILE_KAFKA_SECURITY_PROTOCOL",
        f"How the cluster is reached: {', '.join(PROTOCOLS)}.",
        "plaintext",
        check=one_of(*PROTOCOLS),
    )
    sasl_mechanism: str | None = variable(
        "LASTMILE_KAFKA_SASL_MECHANISM", "How clients sign in.", None, example="SCRAM-SHA-512"
    )
    sasl_username: str | None = variable("LASTMILE_KAFKA_SASL_USERNAME", "As whom clients sign in.", None)
    sasl_password: str | None = variable("LASTMILE_KAFKA_SASL_PASSWORD", "Their password.", None, secret=True)
    ssl_ca: Path | None = variable(
        "LASTMILE_KAFKA_SSL_CA", "File of the authority that the cluster's certificates are from.", None
    )
    ssl_certificate: Path | None = variable(
        "LASTMILE_KAFKA_SSL_CERTIFICATE", "File of the certificate that clients show.", None
    )
    ssl_key: Path | None = variable("LASTMILE_KAFKA_SSL_KEY", "File of that certificate's key.", None)
    ssl_key_password: str | None = variable(
        "LASTMILE_KAFKA_SSL_KEY_PASSWORD", "Passphrase of that key, where it has one.", None, secret=True
    )
    options: tuple[str, ...] = variable(
        "LASTMILE_KAFKA_OPTIONS",
        "Further settings of librdkafka for every client: name=value, separated by commas.",
        (),
        secret=True,
        example="socket.keepalive.enable=true,client.rack=a",
        check=_options,
    )

    def client(self) -> dict[str, str]:
        """What a client of confluent-kafka connects with. Raises UserError where there is no cluster."""
        if self.url is None:
            raise UserError(
                "no Kafka: LASTMILE_KAFKA_URL is not set. `lastmile up --with kafka` starts a broker and sets it for"
                ' what it starts; for another program run `eval "$(lastmile env)"` first.'
            )
        given = {
            "bootstrap.servers": self.url.removeprefix(_SCHEME),
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password,
            "ssl.ca.location": self.ssl_ca,
            "ssl.certificate.location": self.ssl_certificate,
            "ssl.key.location": self.ssl_key,
            "ssl.key.password": self.ssl_key_password,
        }
        found = {name: str(value) for name, value in given.items() if value is not None}
        return found | dict(one.split("=", 1) for one in self.options)


@dataclass(frozen=True)
class SchemaRegistrySettings:
    """The registry of schemas; the files of our own where not set."""

    url: str | None = variable(
        "LASTMILE_SCHEMA_REGISTRY_URL",
        "A schema registry that speaks Confluent's protocol; one of our own, in files of the store, where not set.",
        None,
        example="https://registry.example.org",
        check=begins_with("https://", "http://"),
    )
    key: str | None = variable("LASTMILE_SCHEMA_REGISTRY_KEY", "The user, or key, that it knows us by.", None)
    secret: str | None = variable(
        "LASTMILE_SCHEMA_REGISTRY_SECRET", "The password, or secret, of that.", None, secret=True
    )
    ssl_ca: Path | None = variable(
        "LASTMILE_SCHEMA_REGISTRY_SSL_CA", "File of the authority that its certificate is from.", None
    )

    def __post_init__(self) -> None:
        if (self.key is None) != (self.secret is None):
            raise UserError("set both LASTMILE_SCHEMA_REGISTRY_KEY and LASTMILE_SCHEMA_REGISTRY_SECRET, or neither")

    def client(self) -> dict[str, str] | None:
        """What confluent-kafka's SchemaRegistryClient connects with; None for our own."""
        if self.url is None:
            return None
        found = {"url": self.url}
        if self.key is not None:
            found["basic.auth.user.info"] = f"{self.key}:{self.secret}"
        if self.ssl_ca is not None:
            found["ssl.ca.location"] = str(self.ssl_ca)
        return found
