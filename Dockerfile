FROM python:3.13-slim
WORKDIR /ibid
# pip reads this: an index of PyTorch's CPU builds spares the image the CUDA packages of the usual one.
ARG PIP_EXTRA_INDEX_URL
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
