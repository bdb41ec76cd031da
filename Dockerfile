# An image that is the command, for hosts that start their servers by `docker run`:
#
#   docker build -t mcp-remote-py .
#   docker run -i --rm --init -v mcp-remote-py:/config mcp-remote-py https://mcp.example.com/mcp
#
# and in a host's configuration "command": "docker", "args": ["run", "-i", "--rm", ...]. To sign in
# first, where no browser can come back to a container:
#
#   docker run -it --rm --init -v mcp-remote-py:/config mcp-remote-py login https://mcp.example.com/mcp --paste
#
# (or --device-code, where the server offers it). What is kept lies in the volume: sealed sign-ins and,
# as a container has no keyring, the key beside them.

FROM python:3.14-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE requirements-runtime.lock ./
COPY mcp_remote_py mcp_remote_py
COPY man man
# What the lock says, to the byte; and then ourselves.
RUN python -m venv /opt/mcp-remote-py \
    && /opt/mcp-remote-py/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements-runtime.lock \
    && /opt/mcp-remote-py/bin/python -m pip install --no-cache-dir --no-deps . \
    && /opt/mcp-remote-py/bin/python -m pip uninstall --yes pip

FROM python:3.14-slim
LABEL org.opencontainers.image.title="mcp-remote-py" \
    org.opencontainers.image.description="Lets a stdio-only MCP host use any remote MCP server" \
    org.opencontainers.image.licenses="MIT"
# A volume that is empty gets the owner of the folder it covers.
RUN useradd --uid 1000 --create-home --shell /usr/sbin/nologin person \
    && install --directory --owner=person --group=person --mode=0700 /config
COPY --from=build /opt/mcp-remote-py /opt/mcp-remote-py
ENV MCP_REMOTE_CONFIG_DIR=/config \
    PYTHONDONTWRITEBYTECODE=1
USER 1000:1000
WORKDIR /home/person
ENTRYPOINT ["/opt/mcp-remote-py/bin/mcp-remote-py"]
