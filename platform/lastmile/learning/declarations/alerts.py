"""What is warned about of a model, declared with it."""

from dataclasses import dataclass, field

from lastmile.contracts.alerts import Alert


@dataclass(frozen=True, kw_only=True)
class ModelAlerts:
    """What is watched of a model; None is not."""

    #: Inputs of a partition that drifted, what is predicted counted with them, of the newest partition.
    drift: Alert | None = field(default_factory=lambda: Alert(1))
    #: Partitions whose labels the champion predicts worse than its evaluation said.
    performance: Alert | None = field(default_factory=lambda: Alert(1))
    #: The score of the version in use, below the model's `floor`.
    floor: Alert | None = field(default_factory=Alert)
    #: The newest candidate is suspect, so that a person has to decide.
    promotion: Alert | None = field(default_factory=lambda: Alert(1))
    #: Trainings in a row that failed.
    training: Alert | None = field(default_factory=lambda: Alert(1))
