FROM python:3.11-slim
WORKDIR /ibid
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir -r requirements.lock
COPY rag rag
COPY ingest ingest
COPY eval eval
COPY api api
RUN pip install --no-cache-dir --no-deps --editable . && ibid models build
RUN useradd --create-home --uid 10001 ibid && install --directory --owner ibid /data
USER ibid
ENV IBID_HOME=/data
VOLUME /data
EXPOSE 8000
CMD ["ibid", "serve", "--host", "0.0.0.0"]
