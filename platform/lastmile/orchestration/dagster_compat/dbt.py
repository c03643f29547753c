"""dagster-dbt's resource with dbt in the process of the run, and two of its own steps left out."""

from functools import cached_property
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource
from dagster_dbt.asset_utils import extract_runtime_selection_from_args, get_updated_cli_invocation_params_for_context
from packaging.version import Version

from lastmile.warehouse.dbt.in_process import InProcess


class DbtCommand(DbtCliResource):
    """dbt's commands as dagster-dbt selects models for them and reads their events, without a process for each.

    Before each command it would also run `dbt --version`, which asks the internet for newer ones (1.4 CPU-s), and load
    an adapter that only its own row counts and column lineage need (0.8 CPU-s).
    """

    @cached_property
    def _cli_version(self) -> Version:
        from dbt.version import __version__

        return Version(__version__)

    def cli(  # type: ignore[override]  # what we call it with
        self,
        args: list[str],
        *,
        context: AssetExecutionContext | None = None,
        target_path: Path,
    ) -> DbtCliInvocation:
        """Begin the command; its target folder gets what dbt leaves behind, and what is parsed is not parsed again."""
        own, selected, excluded = extract_runtime_selection_from_args(args)
        found: Any = get_updated_cli_invocation_params_for_context(
            context=context,
            manifest={},
            dagster_dbt_translator=DagsterDbtTranslator(),
            runtime_selects=selected,
            runtime_excludes=excluded,
        )
        command = [*own, *found.selection_args]
        if found.indirect_selection:
            command += ["--indirect-selection", found.indirect_selection]
        project = Path(self.project_dir)
        return DbtCliInvocation(
            process=InProcess(command, project, target_path),  # type: ignore[arg-type]  # all of Popen that is read
            manifest=found.manifest,
            dagster_dbt_translator=found.dagster_dbt_translator,
            project_dir=project,
            target_path=target_path,
            raise_on_error=True,
            cli_version=self._cli_version,
            project=found.dbt_project,
            context=context,
        )
