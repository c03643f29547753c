"""Secrets kept in AWS Secrets Manager: `aws-secretsmanager://<name or ARN>#<key>`, without a key the whole secret.

Each secret is fetched once in the life of a process; one that is rotated is seen by the next. Credentials, region and
endpoint are those of AWS's own variables; an ARN says its region itself. boto3 is imported only where there is a
reference.
"""

import json
from functools import cache
from typing import Any

from lastmile.errors import UserError

SCHEME = "aws-secretsmanager://"
_HINTS = {
    "ResourceNotFoundException": "there is no such secret in this region and account; create it, or correct the name",
    "AccessDeniedException": "no right to read it; allow secretsmanager:GetSecretValue on it to this role",
    "DecryptionFailure": "no right to decrypt it; allow kms:Decrypt with its key to this role",
    "UnrecognizedClientException": "the credentials are not valid; correct AWS_ACCESS_KEY_ID or the role",
    "InvalidRequestException": "it is marked for deletion; restore it, or name another",
}


def secret(name: str, reference: str) -> str:
    """The text that the variable `name` refers to. Raises UserError, which never shows any of it."""
    identity, _, key = reference.removeprefix(SCHEME).partition("#")
    if not identity:
        raise UserError(f"{name} is {reference}: expected {SCHEME}<name or ARN>#<key>")
    try:
        body = _fetched(identity)
        return _part(body, key) if key else body
    except UserError as error:
        raise UserError(f"{name} is {reference}: {error}") from None


def _part(body: str, key: str) -> str:
    try:
        parts = json.loads(body)
    except ValueError:
        parts = None
    if not isinstance(parts, dict):
        raise UserError(f"the secret is no JSON object: expected one with the key {key!r}, or leave out #{key}")
    if key not in parts:
        raise UserError(f"the secret has no key {key!r}; it has {', '.join(map(repr, sorted(parts))) or 'none'}")
    if not isinstance(parts[key], str | int | float) or parts[key] == "":
        raise UserError(f"the value at the key {key!r} is empty or no text: expected text")
    return str(parts[key]).strip()


@cache
def _fetched(identity: str) -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    limits = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 3})
    try:
        client = boto3.client("secretsmanager", region_name=_region(identity), config=limits)
        answer: dict[str, Any] = client.get_secret_value(SecretId=identity)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise UserError(_HINTS.get(code, f"AWS Secrets Manager answers {code}; see its documentation")) from None
    except (BotoCoreError, ValueError) as error:
        raise UserError(
            f"{str(error).rstrip('.')}; set AWS_REGION and credentials, or give the process a role"
        ) from None
    text = answer.get("SecretString")
    if not text:
        raise UserError("the secret is binary or empty: expected text")
    return str(text).strip()


def _region(identity: str) -> str | None:
    parts = identity.split(":")
    return parts[3] if identity.startswith("arn:") and len(parts) > 3 and parts[3] else None
