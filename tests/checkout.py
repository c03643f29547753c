"""Where this checkout is: what tests read of it. The engine itself knows no such place."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
DBT_PROJECT = PROJECT / "dbt_project"
