# Where programs of one family of languages are compiled and run: all but Python's. Build with
# `make images`. images/families/ has what goes in: packages.txt, and prepare.sh where there is one.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ARG FAMILY
COPY images/families/${FAMILY}/packages.txt /tmp/packages.txt
# Packages of Java and others link their manuals, and fail without the folder that is cleared here.
RUN apt-get update && mkdir -p /usr/share/man/man1 \
 && apt-get install -y --no-install-recommends python3 $(grep -v '^#' /tmp/packages.txt) \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/* \
        /usr/share/doc /usr/share/man \
# No program gains anything by a set-user-id file; no-new-privileges says so a second time.
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY images/families/${FAMILY} /tmp/family
RUN if [ -f /tmp/family/prepare.sh ]; then sh -eu /tmp/family/prepare.sh; fi && rm -rf /tmp/family /tmp/packages.txt
COPY sandbox/proctor_sandbox/agent /opt/proctor/agent
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/proctor/agent
# The worker refuses an image whose agent is not its own: see proctor_sandbox/images.py.
ARG AGENT_HASH
LABEL proctor.agent=${AGENT_HASH}
