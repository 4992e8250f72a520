# The best by hand: uv, its cache in a mount, requirements before the source.
FROM s2i-bench/python:3.13
WORKDIR /app
RUN --mount=type=bind,from=s2i.local/python-build:3.13,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=requirements.txt,target=requirements.txt \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    UV_LINK_MODE=copy SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    uv pip install --system --break-system-packages --compile-bytecode -r requirements.txt
COPY . .
CMD ["python3", "train.py"]
