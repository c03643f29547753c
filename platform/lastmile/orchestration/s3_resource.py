"""The store's S3 client by dagster-aws's S3Resource, as in any other Dagster project.

Fields left empty fall back to the environment. Imported only where the store is on S3: boto3 takes 0.7 CPU-s.
"""

import os
from collections.abc import Mapping

from dagster import EnvVar
from dagster_aws.s3 import S3Resource

#: Our store's option names (obstore's) for the fields of an S3Resource.
_OPTIONS = {
    "endpoint_url": "aws_endpoint",
    "region_name": "aws_region",
    "aws_access_key_id": "aws_access_key_id",
    "aws_secret_access_key": "aws_secret_access_key",
    "aws_session_token": "aws_session_token",
}


def s3_from_environment() -> S3Resource:
    """With the endpoint and region that AWS's variables name; keys are left to the client, as everywhere on AWS."""
    return S3Resource(
        endpoint_url=_first_set("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        region_name=_first_set("AWS_REGION", "AWS_DEFAULT_REGION"),
    )


def _first_set(*names: str) -> EnvVar | None:
    return next((EnvVar(name) for name in names if os.environ.get(name)), None)


def client_options(s3: S3Resource) -> Mapping[str, str]:
    """The fields that are set, as options of our store."""
    values = {option: getattr(s3, field) for field, option in _OPTIONS.items()}
    return {option: value for option, value in values.items() if value}
