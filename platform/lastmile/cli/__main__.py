"""`python -m lastmile.cli`: the command line of this very Python."""

from lastmile.cli.app import main

main()
