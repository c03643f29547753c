"""What sqlfluff takes for the options of dbt's command line: none is given."""


def get(name: str) -> None:  # noqa: ARG001  # as dbt calls it
    return None
