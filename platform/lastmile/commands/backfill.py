"""`lastmile backfill`: take a range of partitions in one run, with or without redoing what was taken before."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.contract import Contract, Partition, load_contracts
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance


def backfill(
    first: Annotated[str, typer.Option("--from", help="First partition, such as 2015.")],
    last: Annotated[str, typer.Option("--to", help="Last partition.")],
    dataset: Annotated[list[str] | None, typer.Option(help="Dataset; give it again for more [default: all that fit]")] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Take drops again that were taken before.")] = False,
) -> None:
    """Take every waiting drop of a range of partitions in one run; what follows from them is made by `lastmile up`.

    Example: lastmile backfill --dataset hhinfo --from 2015 --to 2019 --redo
    """
