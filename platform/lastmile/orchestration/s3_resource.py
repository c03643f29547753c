"""The platform on S3: the client's settings come through dagster-aws's S3Resource, as in any other Dagster project."""

import os
from collections.abc import Mapping

import dagster as dg
from dagster_aws.s3 import S3Resource

from lastmile.orchestration.resources import Platform

#: Our store's option names (obstore's) for the fields of an S3Resource.
_OPTIONS = {
    "endpoint_url": "aws_endpoint",
    "region_name": "aws_region",
    "aws_access_key_id": "aws_access_key_id",
    "aws_secret_access_key": "aws_secret_access_key",
    "aws_session_token": "aws_session_token",
}


class S3Platform(Platform):
    """A platform whose objects lie in S3. Fields of `s3` left empty fall back to the environment."""

    s3: dg.ResourceDependency[S3Resource]

    @classmethod
    def from_environment(cls) -> "S3Platform":
        return cls(
            s3=S3Resource(
                endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
                region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            )
        )

    def s3_options(self) -> Mapping[str, str] | None:
        values = {option: getattr(self.s3, field) for field, option in _OPTIONS.items()}
        return {option: value for option, value in values.items() if value}
