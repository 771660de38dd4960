# Installs the packages of the server in the versions of the lockfile.
FROM oven/bun:1.4.4 AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --production --frozen-lockfile --omit peer

FROM oven/bun:1.4.4-slim
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json bunfig.toml LICENSE NOTICE.md ./
COPY licenses licenses
COPY src src
COPY workers workers
# The page is bundled once, here, instead of at each start.
RUN bun run build:page && rm -r src/ui

# One volume holds all state. Root owns the code, so the server cannot change it.
RUN mkdir /data && chown bun:bun /data
USER bun
VOLUME /data
ENV NODE_ENV=production \
    WAVECACHE_CACHE_DIR=/data/cache \
    WAVECACHE_RECORDINGS_DIR=/data/received \
    WAVECACHE_LIBRARY_DIR=/data/library

# HTTP and WebSocket, live ingest, songs over UDP and over TLS, devices over gRPC.
EXPOSE 8080 5096 9998/udp 9999 50051

# The main port speaks http, or https with --tls.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["bun", "-e", "\
  const check = (scheme) => fetch(scheme + '://127.0.0.1:8080/healthz', { tls: { rejectUnauthorized: false } });\
  const answer = await check('http').catch(() => check('https'));\
  process.exit(answer.ok ? 0 : 1);"]

ENTRYPOINT ["bun", "src/main.ts", "--host", "0.0.0.0"]
