# The gateway alone.  Media ports are many, so give it the host's network:
#
#   docker build -t e2aegw .
#   docker run --network host -v /etc/e2aegw:/etc/e2aegw:ro e2aegw

FROM python:3.11-slim-bookworm AS build
COPY . /source
RUN python -m venv /opt/e2aegw \
 && /opt/e2aegw/bin/pip install --no-cache-dir --only-binary :all: --upgrade pip "setuptools>=77" wheel \
 && /opt/e2aegw/bin/pip install --no-cache-dir --prefer-binary --no-build-isolation /source

FROM python:3.11-slim-bookworm
COPY --from=build /opt/e2aegw /opt/e2aegw
COPY tap-configs/gateway.toml /etc/e2aegw/gateway.toml
RUN useradd --system --home-dir /var/lib/e2aegw --create-home e2aegw
USER e2aegw
WORKDIR /var/lib/e2aegw
ENTRYPOINT ["/opt/e2aegw/bin/twistd", "--nodaemon", "--pidfile=", "e2aegw"]
CMD ["--config", "/etc/e2aegw/gateway.toml"]
