# One image for every process of s1web; a GPU worker adds the gpu extra: --build-arg EXTRAS=postgres,gpu
FROM python:3.11-slim

ARG EXTRAS=postgres
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /app

COPY pyproject.toml constraints.txt README.md manage.py ./
COPY curation curation
COPY inference inference
COPY training training
COPY s1web s1web
COPY workers workers
RUN pip install --constraint constraints.txt --editable ".[$EXTRAS]" \
    && useradd --create-home s1web \
    && mkdir /artifacts \
    && chown s1web /artifacts

USER s1web
ENV ARTIFACT_DIR=/artifacts
ENTRYPOINT ["python", "manage.py"]
CMD ["help"]
