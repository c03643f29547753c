"""`lastmile drop`: put files into the landing area, under the keys from which the sensor finds them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from lastmile.errors import UserError
from lastmile.settings import Settings


def drop(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders whose inner paths are kept.")],
    dataset: Annotated[str, typer.Option(help="The dataset they belong to.")],
    partition: Annotated[str, typer.Option(help="Their partition, such as the survey year.")],
    name: Annotated[str | None, typer.Option("--as", help="Name in the landing area, for a single file.")] = None,
) -> None:
    """Put files into the landing area. The same name with other bytes is a new version, which replaces the old rows.

    Example: lastmile drop survey/hhinfo.csv --dataset hhinfo --partition 2019 --as ke_abc_2019/hhinfo.csv
    """
    from lastmile.contracts.loading import load_contracts
    from lastmile.contracts.lookup import contract_of
    from lastmile.ingestion.upload import check_readable, checked_name, named_files, prefix, upload
    from lastmile.store import open_store

    settings = Settings.from_environment()
    contract = contract_of(dataset, load_contracts(settings.assets))
    under = prefix(contract, partition)
    if name is not None and (len(paths) != 1 or paths[0].is_dir()):
        raise UserError("--as names one file; leave it out for several files or a folder")
    files = named_files(paths) if name is None else {checked_name(name): paths[0]}
    for path in files.values():
        check_readable(path)
    store = open_store(settings)
    for file, path in track(files.items(), "uploading", console=Console(stderr=True), disable=len(files) < 5):
        upload(store, contract, partition, file, path)
    print(f"{len(files)} files put under {under}" if len(files) > 1 else f"put {under}{next(iter(files))}")
