"""A rule: from which value on there is an alert about something, how severe, and whose it is."""

from dataclasses import dataclass

from lastmile.contracts.alerts import Severity
from lastmile.operations.alerts.kinds import KINDS, Kind

#: The subject of rules about the installation as a whole.
PLATFORM = "platform"


@dataclass(frozen=True)
class Rule:
    """`subject` is a dataset, a model, a stream, a source or `platform`; `lasting` is in seconds, as of `Alert`."""

    name: str
    subject: str
    owner: str
    threshold: float
    severity: Severity = "warning"
    lasting: float = 60.0

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]


@dataclass(frozen=True)
class Reading:
    """What was found of a rule's subject, or of a `part` of it such as a partition; `text` says more than the value."""

    value: float
    part: str = ""
    text: str = ""


#: What was found by rule and subject. A rule that is not in it could not be looked at: nothing is known.
Readings = dict[tuple[str, str], list[Reading]]
