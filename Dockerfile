# syntax=docker/dockerfile:1
# The engine on a machine with an NVIDIA GPU. The torch package includes CUDA, so the host needs only the NVIDIA driver and the NVIDIA
# container toolkit.
#
#   docker build -t story-engine .
#   docker run --rm --gpus all -v story-engine:/data story-engine models pull PROFILE --yes
#   docker run --rm --gpus all -v story-engine:/data -e ENGINE_API_KEYS=… -p 8000:8000 story-engine
#
# The volume holds stories, films and weights. Weights are downloaded only by `models pull`.

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/engine
ENV PATH=/opt/engine/bin:$PATH
COPY pyproject.toml README.md LICENSE NOTICE models.yaml ./
COPY engine engine
COPY pipelines pipelines
# pyproject.toml sets the versions.
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip pip install ".[gpu,serve,draft]"

FROM python:3.12-slim-bookworm
# torch.compile needs a C compiler. Debian has one version of each package, so versions are not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home engine \
    && install --directory --owner=10001 /data
COPY --from=build /opt/engine /opt/engine
ENV PATH=/opt/engine/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ENGINE_HOME=/data \
    HF_HOME=/data/hub \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
WORKDIR /home/engine
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "engine"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
