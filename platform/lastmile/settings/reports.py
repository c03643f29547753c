"""Who gets reports."""

from dataclasses import dataclass

from lastmile.settings.group import variable


@dataclass(frozen=True)
class ReportSettings:
    mail: str | None = variable(
        "LASTMILE_REPORT_MAIL",
        "Where weekly reports are sent: addresses of Apprise, separated by blanks; nowhere where not set.",
        None,
        secret=True,
        example="mailtos://user:password@smtp.example.org?from=lastmile@example.org&to=team@example.org",
    )
