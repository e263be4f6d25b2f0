# Three images from one file; the first is the default:
#   docker build -t sluice:cpu .                    CPU, with nothing of CUDA in it
#   docker build -t sluice:cuda --target cuda .     for NVIDIA GPUs (the driver comes from the host)
#   docker build -t sluice:slim --target slim .     CPU, without PyTorch and POST /explain; needs a processor that the
#                                                   engine knows, and a network that it computes
# make container-test performs the steps of both CPU images without Docker; keep to the plain forms of the instructions.
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# --- requirements: they change rarely, so they are built apart from the code ---

FROM base AS venv-cpu
ENV PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
# Torch by itself, from PyTorch's index of CPU wheels; all else as locked, from the package index.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG TORCH_VERSION=2.13.0
RUN pip install --no-cache-dir --no-deps --index-url "${TORCH_INDEX_URL}" "torch==${TORCH_VERSION}"
COPY requirements/core.txt /tmp/core.txt
RUN pip install --no-cache-dir -r /tmp/core.txt \
    && python -c "import sys, torch; sys.exit(torch.version.cuda and 'this torch is built for CUDA: see TORCH_INDEX_URL')" \
    && pip check \
    && pip uninstall --yes pip

FROM base AS venv-cuda
ENV PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
COPY requirements/core.txt /tmp/core.txt
RUN pip install --no-cache-dir -r /tmp/core.txt \
    && python -c "import sys, torch; sys.exit(not torch.version.cuda and 'this torch is built without CUDA')" \
    && pip check \
    && pip uninstall --yes pip

FROM base AS venv-slim
ENV PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
COPY requirements/slim.txt /tmp/slim.txt
# --no-deps: the lock leaves out what tokenizers would download with. NumPy brings its tests.
RUN pip install --no-cache-dir --no-deps -r /tmp/slim.txt \
    && pip uninstall --yes pip setuptools \
    && find /opt/venv -name tests -type d -prune -exec rm -r {} +

# --- code and shipped checkpoints ---

FROM base AS code
WORKDIR /srv/sluice
# For the engine. The compiler stays in this stage, and any version will do.
# hadolint ignore=DL3008
RUN command -v g++ \
    || (apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*)
COPY checkpoints/sentiment checkpoints/sentiment
COPY model model
COPY tables tables
COPY app app
# The image is meant to run read-only, so the byte code is made here; it is checked against nothing at start.
RUN python -m model.engine.build \
    && python -m compileall -q --invalidation-mode unchecked-hash app model

# --- what all images are at run time ---

FROM base AS runtime
ENV PATH=/opt/venv/bin:$PATH \
    SLUICE_HOST=0.0.0.0 \
    SLUICE_PORT=8000
RUN groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid sluice --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sluice
WORKDIR /srv/sluice
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, socket, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['SLUICE_PORT']), timeout=4); p = os.environ.get('SLUICE_UNIX_SOCKET'); c.sock = socket.socket(socket.AF_UNIX) if p else None; p and (c.sock.settimeout(4), c.sock.connect(p)); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
CMD ["python", "-m", "app", "serve"]

FROM runtime AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=venv-cuda /opt/venv /opt/venv
COPY --from=code /srv/sluice /srv/sluice

FROM runtime AS slim
COPY --from=venv-slim /opt/venv /opt/venv
COPY --from=code /srv/sluice /srv/sluice

FROM runtime AS cpu
COPY --from=venv-cpu /opt/venv /opt/venv
COPY --from=code /srv/sluice /srv/sluice
