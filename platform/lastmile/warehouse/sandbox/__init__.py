"""SQL of people, run where it can do no harm: a role that may only read, behind a fence that reads what is sent.

Either keeps out what the other would miss. A session is new for each statement, is ended from outside at its limit, and
never commits.
"""

from lastmile.warehouse.sandbox.fence import Refused, check
from lastmile.warehouse.sandbox.query import Answer, Limits, run
from lastmile.warehouse.sandbox.roles import SCHEMAS, Role, prepare, visible_columns

__all__ = ["SCHEMAS", "Answer", "Limits", "Refused", "Role", "check", "prepare", "run", "visible_columns"]
