# As most people write it. The secret is there for networks with certificates of their own.
FROM s2i-bench/python:3.13
WORKDIR /app
COPY . .
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    pip install --break-system-packages -r requirements.txt
RUN python3 manage.py collectstatic --noinput
CMD ["gunicorn", "--bind", "0.0.0.0:8080", "shop.wsgi"]
