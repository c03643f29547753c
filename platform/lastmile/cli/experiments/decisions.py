"""`lastmile experiments stop` and `decide`: end an experiment, without a decision or for one of its versions."""

from typing import Annotated

import typer

from lastmile.cli.cause import Who, Why, cause
from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.experiments.options import Name
from lastmile.cli.options import Yes, agreed
from lastmile.settings import Settings


def stop(name: Name, why: Why, who: Who = None) -> None:
    """Stop an experiment without a decision: the version in use stays, what was logged is kept.

    Example: lastmile experiments stop richer-inputs --why "the survey was called off"
    """
    from lastmile.learning.experiments.experiment import stop as end

    with opened(Settings.from_environment()) as (connection, _):
        end(connection, name, cause(why, who))
    print(f"stopped {name}; what was logged is kept, and can still be decided on")


def decide(
    name: Name,
    version: Annotated[str, typer.Option("--for", help="The version decided for.", metavar="VERSION")],
    why: Why,
    who: Who = None,
    yes: Yes = False,
) -> None:
    """Decide an experiment: a treatment is promoted, or the control stays; the report's verdict is kept with it.

    Example: lastmile experiments decide richer-inputs --for 4 --why "fewer errors in every country"
    """
    from lastmile.learning.experiments.experiment import decide as end
    from lastmile.learning.experiments.experiment import named
    from lastmile.learning.experiments.report import current_report
    from lastmile.learning.experiments.running import versions_of

    settings = Settings.from_environment()
    with opened(settings) as (connection, _):
        experiment = named(connection, name)
        chosen = versions_of(connection, experiment.model, [version])[version]
        verdict = current_report(connection, declared_model(settings, experiment.model).value, experiment).verdict
        print(verdict)
        agreed(f"Decide {name} for version {version}?", yes)
        end(connection, name, chosen, verdict, cause(why, who))
    print(
        f"decided {name} for version {version}, which {'stays' if version == experiment.control else 'is in use now'}"
    )
