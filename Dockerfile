FROM python:3.11-slim
WORKDIR /ibid
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir -r requirements.lock
COPY rag rag
COPY ingest ingest
COPY eval eval
COPY api api
RUN pip install --no-cache-dir --no-deps --editable . && ibid models build
EXPOSE 8000
CMD ["ibid", "serve", "--host", "0.0.0.0"]
