# undegrade serve in a container that may write nothing but its temporary folder:
#
#   docker build -t undegrade .
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL -e UNDEGRADE_TOKEN=... -p 127.0.0.1:8000:8000 undegrade
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD:/data" --user "$(id -u)" undegrade restore photos -o restored
#
# The base is any Debian or Ubuntu with Python 3.11 or newer, or that can install it.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
RUN command -v python3 >/dev/null && python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' \
    || (apt-get update && apt-get install -y --no-install-recommends python3 python3-venv)
RUN python3 -m venv /opt/undegrade
COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY src /src/src
RUN /opt/undegrade/bin/pip install --no-cache-dir '/src[serve]'

FROM ${BASE}
RUN command -v python3 >/dev/null || (apt-get update && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*)
COPY --from=build /opt/undegrade /opt/undegrade
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent undegrade
USER 10001
WORKDIR /data
ENV PATH=/opt/undegrade/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
EXPOSE 8000
# 401 is an answer too: who asks has no token, but the service lives.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python3", "-c", "import os, urllib.error, urllib.request as u\nr = u.Request('http://127.0.0.1:8000/health', headers={'Authorization': 'Bearer ' + os.environ.get('UNDEGRADE_TOKEN', '')})\ntry: u.urlopen(r, timeout=4)\nexcept urllib.error.HTTPError as e: raise SystemExit(e.code != 401)"]
ENTRYPOINT ["undegrade"]
CMD ["serve", "--host", "0.0.0.0"]
