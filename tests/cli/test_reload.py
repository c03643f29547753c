"""`lastmile reload`; that the web UI then shows what was saved is tried with the whole platform."""

import pytest

from lastmile.cli.reload import reload
from lastmile.errors import UserError


def test_where_nothing_is_up_there_is_nothing_to_reload(home):
    with pytest.raises(UserError, match=f"nothing is up in {home}; `lastmile up` reads the code as it is"):
        reload()
