# The programs of mailwarden, as one image: `docker run mailwarden --help`.
FROM python:3.11-slim AS build
RUN python -m venv /opt/mailwarden
ENV PATH=/opt/mailwarden/bin:$PATH
WORKDIR /src
COPY constraints.txt ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r constraints.txt
COPY pyproject.toml README.md LICENSE mailwarden.py ./
COPY schemas schemas
COPY streams streams
COPY agents agents
RUN pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
# The number is fixed, so that whoever owns a mounted directory can be told.
RUN useradd --system --uid 990 --no-create-home mailwarden \
    && install -d -o mailwarden -m 0700 /var/lib/mailwarden
COPY --from=build /opt/mailwarden /opt/mailwarden
ENV PATH=/opt/mailwarden/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STATE_DIRECTORY=/var/lib/mailwarden
USER mailwarden
WORKDIR /var/lib/mailwarden
VOLUME /var/lib/mailwarden
ENTRYPOINT ["mailwarden"]
CMD ["--help"]
