# The platform: code server, daemon, web UI, API, watcher, and the pod of a run; which one, the command says.
#
#   docker build -f platform/deploy/images/platform.Dockerfile -t lastmile-platform .
#
# The base is pinned by its digest, and a build argument, for a machine that has no such registry.
# What is installed is what uv.lock names, by hash. The secrets `ca` (certificates) and `uv` (a uv.toml) are optional:
# how the machine that builds reaches package registries stays out of the image.
ARG BASE_IMAGE=docker.io/library/python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS build
WORKDIR /build
ENV UV_PROJECT_ENVIRONMENT=/opt/lastmile/.venv UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
COPY pyproject.toml uv.lock README.md ./
COPY platform/deploy/fetch_uv.py platform/deploy/fetch_uv.py
COPY platform/deploy/images/install.sh platform/deploy/images/install.sh
RUN --mount=type=secret,id=ca --mount=type=secret,id=uv --mount=type=cache,target=/root/.cache/uv \
    sh platform/deploy/images/install.sh --no-install-project --no-default-groups --extra kubernetes --extra redis
COPY platform/lastmile platform/lastmile
RUN --mount=type=secret,id=ca --mount=type=secret,id=uv --mount=type=cache,target=/root/.cache/uv \
    sh platform/deploy/images/install.sh --no-editable --no-default-groups --extra kubernetes --extra redis

# hadolint ignore=DL3006
FROM ${BASE_IMAGE}
RUN groupadd --gid 10001 lastmile \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/lastmile --no-create-home lastmile \
    && install -d -o 10001 -g 10001 /var/lib/lastmile
COPY --from=build /opt/lastmile/.venv /opt/lastmile/.venv
WORKDIR /opt/lastmile
COPY pyproject.toml ./
COPY dbt_project dbt_project
COPY assets assets
RUN ln -sfn "$(/opt/lastmile/.venv/bin/python -c 'from lastmile.warehouse.dbt.engine_macros import MACROS; print(MACROS)')" \
      dbt_project/lastmile && /opt/lastmile/.venv/bin/python -m compileall -q assets
ENV PATH=/opt/lastmile/.venv/bin:$PATH \
    LASTMILE_PROJECT=/opt/lastmile \
    LASTMILE_HOME=/var/lib/lastmile \
    DBT_PROFILES_DIR=/var/lib/lastmile \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /var/lib/lastmile
# Each process has its own check, in compose.yaml and in the chart: HTTP, gRPC or `lastmile health`.
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "lastmile.embedded.container"]
CMD ["lastmile", "up"]
