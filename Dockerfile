# Builds the program as a single file, from the packages in the versions of the lockfile.
FROM oven/bun:1.4.4 AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml tsconfig.json ./
RUN bun install --production --frozen-lockfile --omit peer
COPY src src
COPY workers workers
# There is no repository here: --build-arg COMMIT=$(git rev-parse --short=10 HEAD)
ARG COMMIT=unknown
RUN mkdir -p dist /data && echo "$COMMIT" > dist/commit && bun run build:executable

# Of a system the program needs the C library alone. There is no shell: a program for --on-event needs another base.
FROM gcr.io/distroless/base-debian12
COPY --from=build /app/dist/wavecache /usr/local/bin/wavecache
COPY LICENSE NOTICE.md /usr/share/doc/wavecache/
COPY licenses /usr/share/doc/wavecache/licenses

# One volume holds all state. Root owns the program, so the server cannot change it.
COPY --from=build --chown=1000:1000 /data /data
USER 1000:1000
VOLUME /data
WORKDIR /data
ENV NODE_ENV=production \
    WAVECACHE_CACHE_DIR=/data/cache \
    WAVECACHE_RECORDINGS_DIR=/data/received \
    WAVECACHE_LIBRARY_DIR=/data/library

# HTTP and WebSocket, live ingest, songs over UDP and over TLS, devices over gRPC.
EXPOSE 8080 5096 9998/udp 9999 50051

HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["wavecache", "client", "health", "--port", "8080"]

ENTRYPOINT ["wavecache", "server", "--host", "0.0.0.0"]
