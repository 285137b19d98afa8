# Where Python programs run. Build with `make images`, from the root of the repository.
# Two stages: what installs packages (pip, a CA bundle) stays out of what runs programs.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS packages
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip
# A network with a CA of its own needs that CA here; the build script leaves it in images/build.
COPY images/build/host-ca.crt /tmp/host-ca.crt
COPY images/python-requirements.txt /tmp/requirements.txt
RUN if [ -s /tmp/host-ca.crt ]; then export PIP_CERT=/tmp/host-ca.crt; fi \
 && python3 -m pip install --no-cache-dir --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes --target /opt/site -r /tmp/requirements.txt \
# numpy keeps its tests: numpy.testing imports from them.
 && find /opt/site/pandas /opt/site/scipy /opt/site/sympy /opt/site/networkx \
        -type d -name tests -prune -exec rm -rf {} +

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man \
# No program gains anything by a set-user-id file; no-new-privileges says so a second time.
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=packages /opt/site /opt/site
COPY sandbox/proctor_sandbox/agent /opt/proctor/agent
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/proctor/agent
# The worker refuses an image whose agent is not its own: see proctor_sandbox/images.py.
ARG AGENT_HASH
LABEL proctor.agent=${AGENT_HASH}
