# Redis with what a queue of promises needs: every answered write is on disk, and a full memory
# refuses new work instead of forgetting old.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends redis-server redis-tools \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man \
 && mkdir -p /data && chown redis:redis /data
USER redis
WORKDIR /data
VOLUME /data
EXPOSE 6379
HEALTHCHECK --interval=5s --timeout=3s \
    CMD ["redis-cli", "-e", "--user", "health", "--pass", "", "--no-auth-warning", "ping"]
# Published nowhere, and nobody comes in without a password: without the file of users, which
# scripts/secrets makes, it does not start.
ENTRYPOINT ["redis-server", "--bind", "0.0.0.0", "--dir", "/data", \
     "--appendonly", "yes", "--appendfsync", "always", "--save", "", \
     "--maxmemory-policy", "noeviction", "--aclfile", "/run/secrets/redis-users"]
CMD ["--maxmemory", "4gb"]
