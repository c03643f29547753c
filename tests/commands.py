"""A group of commands called in this process: what it prints, and the mistakes it names."""

from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.errors import UserError


@dataclass(frozen=True)
class Commands:
    """Those of `lastmile <group>`, on a terminal so many columns wide."""

    group: str
    columns: int = 160

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, [self.group, *arguments], env={"COLUMNS": str(self.columns)})

    def said(self, *arguments: str) -> str:
        """What a command prints that succeeds."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output or result.exception
        return str(result.stdout)

    def mistake(self, *arguments: str) -> str:
        """What a command says of the user's mistake."""
        result = self.run(*arguments)
        assert isinstance(result.exception, UserError), result.output
        return str(result.exception)
