# The API that only predicts: no pandas, no Dagster, a process that starts in a second. The whole API is a command of the
# platform's image.
#
#   docker build -f platform/deploy/images/api.Dockerfile -t lastmile-api .
#
# Base, secrets and lock file are as in platform.Dockerfile.
ARG BASE_IMAGE=docker.io/library/python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS build
WORKDIR /build
ENV UV_PROJECT_ENVIRONMENT=/opt/lastmile/.venv UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
COPY pyproject.toml uv.lock README.md ./
COPY platform/deploy/fetch_uv.py platform/deploy/fetch_uv.py
COPY platform/deploy/images/install.sh platform/deploy/images/install.sh
RUN --mount=type=secret,id=ca --mount=type=secret,id=uv --mount=type=cache,target=/root/.cache/uv \
    sh platform/deploy/images/install.sh --no-install-project --only-group serving
COPY platform/lastmile /opt/lastmile/lastmile
RUN /opt/lastmile/.venv/bin/python -m compileall -q /opt/lastmile/lastmile

# hadolint ignore=DL3006
FROM ${BASE_IMAGE}
RUN groupadd --gid 10001 lastmile \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/lastmile --no-create-home lastmile \
    && install -d -o 10001 -g 10001 /var/lib/lastmile
COPY --from=build /opt/lastmile /opt/lastmile
ENV PATH=/opt/lastmile/.venv/bin:$PATH \
    PYTHONPATH=/opt/lastmile \
    LASTMILE_HOME=/var/lib/lastmile \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/lastmile
USER 10001:10001
EXPOSE 3100
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3100/api/v1/health/live', timeout=4)"]
ENTRYPOINT ["python", "-m", "lastmile.serving"]
CMD ["3100", "--host", "0.0.0.0", "--only-predictions"]
