# The API and the workers. Build with `make images` or docker-compose.
# Two stages: what installs packages stays out of what serves.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS packages
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv
# A network with a CA of its own needs that CA here; the build script leaves it in images/build.
COPY images/build/ /tmp/build/
COPY requirements /tmp/requirements
RUN if [ -s /tmp/build/host-ca.crt ]; then export PIP_CERT=/tmp/build/host-ca.crt; fi \
 && python3 -m venv /opt/venv && python3 -m venv /tmp/builder \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r /tmp/requirements/server.txt \
 && /tmp/builder/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r /tmp/requirements/build.txt
COPY pyproject.toml README.md LICENSE /tmp/proctor/
COPY client /tmp/proctor/client
COPY server /tmp/proctor/server
COPY sandbox /tmp/proctor/sandbox
RUN cd /tmp/proctor \
 && /tmp/builder/bin/python -m hatchling build -t wheel -d /tmp/wheel \
 && /opt/venv/bin/pip install --no-deps --no-index /tmp/wheel/*.whl \
 && /opt/venv/bin/pip uninstall -y pip

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man \
 && useradd --system --uid 990 --no-create-home --shell /usr/sbin/nologin proctor
COPY --from=packages /opt/venv /opt/venv
# Log lines appear when they are written; the root is read-only, so no bytecode is written.
ENV PATH=/opt/venv/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER proctor
WORKDIR /
EXPOSE 8077
ENTRYPOINT ["proctor"]
