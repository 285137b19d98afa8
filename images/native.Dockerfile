# Where C and C++ programs are compiled and run. Build with `make images`.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ gcc libc6-dev python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man \
# No program gains anything by a set-user-id file; no-new-privileges says so a second time.
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
# g++ takes the precompiled header only for the very flags it was made with: those of
# proctor_sandbox/languages.py. It saves about 2 s for each program that includes it.
RUN header="$(echo '#include <bits/stdc++.h>' | g++ -x c++ -M - | tr -d '\\' | tr ' ' '\n' \
        | grep 'bits/stdc++.h$')" \
 && g++ -O2 -std=gnu++17 -x c++-header "$header" -o "$header.gch"
COPY sandbox/proctor_sandbox/agent /opt/proctor/agent
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/proctor/agent
# The worker refuses an image whose agent is not its own: see proctor_sandbox/images.py.
ARG AGENT_HASH
LABEL proctor.agent=${AGENT_HASH}
