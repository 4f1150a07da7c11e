# openssh-mcp over HTTP, as an unprivileged user. The root file system may be read-only: what is written goes to /tmp and /run/ssh-mcp.
#
#   docker build -t openssh-mcp .
#   docker run --read-only --tmpfs /tmp --tmpfs /run/ssh-mcp:uid=10001,mode=0700 -v ./config:/etc/ssh-mcp:ro -p 127.0.0.1:8000:8000 openssh-mcp
#
# BASE needs Python 3.11 or newer with venv and pip; openssh-client is installed where it is missing. Wheels in wheels/ are used
# instead of the package index where there are any, so that it builds without a network.
ARG BASE=docker.io/library/python:3.13-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/openssh-mcp \
 && if ls wheels/*.whl >/dev/null 2>&1; then from="--no-index --find-links=wheels"; sources="openssh-mcp[tasks,telemetry]"; \
    else from=""; sources=".[tasks,telemetry]"; fi \
 && /opt/openssh-mcp/bin/pip install --no-cache-dir --disable-pip-version-check $from "$sources"

FROM ${BASE}
RUN if ! command -v ssh >/dev/null; then \
      apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*; \
    fi \
 && groupadd --system --gid 10001 ssh-mcp \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/ssh-mcp --create-home --shell /usr/sbin/nologin ssh-mcp \
 && install -d -o ssh-mcp -g ssh-mcp -m 0700 /run/ssh-mcp
COPY --from=build /opt/openssh-mcp /opt/openssh-mcp
ENV PATH=/opt/openssh-mcp/bin:$PATH \
    HOME=/var/lib/ssh-mcp \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_RUNTIME_DIR=/run/ssh-mcp \
    SSH_HOSTS_FILE=/etc/ssh-mcp/hosts.toml \
    SSH_KNOWN_HOSTS=/etc/ssh-mcp/known_hosts \
    MCP_TRANSPORT=http \
    MCP_HTTP_HOST=0.0.0.0 \
    MCP_HTTP_PORT=8000
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['MCP_HTTP_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["openssh-mcp"]
