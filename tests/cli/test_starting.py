"""What starts quickly because it imports little: found out in a fresh process."""

import json
import subprocess
import sys

TAKING_A_DROP = """
import json, sys
import lastmile.cli.app, lastmile.cli.drop
import lastmile.ingestion.discovery.listing, lastmile.ingestion.worker, lastmile.store
from lastmile.contracts import load_contracts
load_contracts("assets")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_uploading_and_ingesting_a_drop_imports_neither_dagster_nor_dbt_nor_scikit_learn():
    done = subprocess.run([sys.executable, "-c", TAKING_A_DROP], capture_output=True, text=True, check=True)
    # pandera imports hypothesis where it is installed; a user's installation does not have it
    heavy = {"dagster", "dbt", "dagster_dbt", "sklearn", "matplotlib", "boto3", "fastapi"}
    assert heavy.isdisjoint(json.loads(done.stdout))
