# One image for every process of s1web; a GPU worker adds the gpu extra: --build-arg EXTRAS=postgres,redis,gpu
FROM node:24-slim AS front-end
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM python:3.11-slim

ARG EXTRAS=postgres,redis,endpoints,evaluation
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /app

COPY pyproject.toml constraints.txt README.md manage.py ./
COPY curation curation
COPY inference inference
COPY training training
COPY s1web s1web
COPY workers workers
COPY --from=front-end /app/node_modules node_modules
RUN pip install --constraint constraints.txt --editable ".[$EXTRAS]" \
    && useradd --create-home s1web \
    && mkdir /artifacts /imports \
    && chown s1web /artifacts /imports

USER s1web
ENV ARTIFACT_DIR=/artifacts IMPORT_DIR=/imports
# docker-compose.yml says what each process runs; alone, the image says what there is to run
CMD ["python", "manage.py", "help"]
