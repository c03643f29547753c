"""What needs Dagster, pandas or the declarations themselves, in processes of its own: the API's stays small."""

from lastmile.serving.engine.engine import Engine

__all__ = ["Engine"]
