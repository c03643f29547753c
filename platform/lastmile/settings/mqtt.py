"""The MQTT broker that sensors publish to, and how we sign in there."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lastmile.errors import UserError
from lastmile.settings.group import begins_with, variable

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class MqttSettings:
    """The broker, by `mqtt://` or, with TLS, `mqtts://`."""

    url: str | None = variable(
        "LASTMILE_MQTT_URL",
        "The MQTT broker that sensors publish to.",
        None,
        example="mqtts://mqtt.example.org:8883",
        check=begins_with("mqtt://", "mqtts://"),
    )
    username: str | None = variable("LASTMILE_MQTT_USERNAME", "As whom we sign in there.", None)
    password: str | None = variable("LASTMILE_MQTT_PASSWORD", "The password of that.", None, secret=True)
    ca: Path | None = variable("LASTMILE_MQTT_CA", "File of the authority that its certificate is from.", None)
    certificate: Path | None = variable("LASTMILE_MQTT_CERTIFICATE", "File of the certificate that we show.", None)
    key: Path | None = variable("LASTMILE_MQTT_KEY", "File of that certificate's key.", None)

    @property
    def address(self) -> tuple[str, int, bool]:
        """Host, port, and whether by TLS. Raises UserError where there is none."""
        found = urlsplit(self.url or "")
        if not found.hostname:
            raise UserError("no MQTT broker: set LASTMILE_MQTT_URL, such as mqtts://mqtt.example.org:8883")
        return found.hostname, found.port or _PORTS[found.scheme], found.scheme == "mqtts"
