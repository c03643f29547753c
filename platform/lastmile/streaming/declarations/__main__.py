"""The names of the streams that are declared, a line each: `python -m lastmile.streaming.declarations`.

For processes that must not import what a declaration needs.
"""

from lastmile.contracts.loading import load_contracts
from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.streaming.declarations.loading import load_streams

if __name__ == "__main__":
    if project := Project.find():
        project.make_importable()
    assets = Settings.from_environment().assets
    print("\n".join(sorted(load_streams(assets, load_contracts(assets)))))
