# Made by s2i from the plan of this source (`s2i plan`). It is complete: `docker build .` works with it as well.

# Build stage: tools and caches stay here.
FROM s2i.local/python-build:3.13 AS build
WORKDIR /app

# The certificate authorities that this machine trusts
COPY ["ca.pem", "/etc/ssl/certs/ca-certificates.crt"]

# A virtual environment, which is all that the image takes from this stage
RUN uv venv --python /usr/bin/python3 /opt/venv

# What is to be installed, before the source: a changed line keeps what follows
COPY ["source/requirements.txt", "/app/"]

# Install the dependencies
RUN UV_LINK_MODE=copy \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    uv pip install --python /opt/venv/bin/python --compile-bytecode -r requirements.txt 'gunicorn>=21,<28'

# Runtime stage: what is shipped.
FROM s2i.local/python:3.13
WORKDIR /app
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PORT=8080

# The environment, without the tools that made it
COPY --from=build ["/opt/venv", "/opt/venv"]

# The source, last: it changes most often
COPY ["source/.", "/app/"]

# Compile the source once here instead of at each start: the container cannot write
RUN python -c 'import compileall; compileall.compile_dir("/app", quiet=2)'

# A numeric user that owns nothing; group 0, so that any other user id works as well.
USER 1001:0

# The platform says in $PORT where to listen; 8080 unless it does.
EXPOSE 8080

# An array, not a shell line: the program is process 1 and gets SIGTERM itself.
CMD ["gunicorn", "--worker-class", "gthread", "--threads", "8", "--access-logfile", "-", "app:app"]
