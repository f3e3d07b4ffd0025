# Airflow with this package in it. Two targets:
#   airflow         what every Airflow component runs (default): the package, nothing for development
#   image-builder   the local Image Builder: the package with its extra `local`
# For another version of Airflow, from 3.0.6 on: --build-arg AIRFLOW_IMAGE=apache/airflow:3.0.6-python3.12, or the
# variable of that name in .env.
# No BuildKit syntax, so that the classic builder of older engines builds it too.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12

# What pyproject.toml asks for, apart from the sources: a changed line of code leaves the layers of the
# dependencies in the cache.
FROM ${AIRFLOW_IMAGE} AS requirements
USER airflow
COPY pyproject.toml docker/requirements.py /tmp/
RUN python /tmp/requirements.py /tmp/pyproject.toml > /tmp/airflow.txt \
    && python /tmp/requirements.py /tmp/pyproject.toml local > /tmp/local.txt

FROM ${AIRFLOW_IMAGE} AS wheel
USER airflow
COPY pyproject.toml hatch_build.py README.md LICENSE /tmp/source/
COPY airflow_imagebuilder /tmp/source/airflow_imagebuilder
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /tmp/wheel /tmp/source

FROM ${AIRFLOW_IMAGE} AS dependencies
USER airflow
COPY --from=requirements /tmp/airflow.txt /tmp/airflow.txt
# Airflow's version is named so that no requirement moves it; its constraints are part of the official image.
RUN pip install --no-cache-dir --constraint "${HOME}/constraints.txt" \
    "apache-airflow==${AIRFLOW_VERSION}" -r /tmp/airflow.txt

FROM dependencies AS local-dependencies
COPY --from=requirements /tmp/local.txt /tmp/local.txt
# Airflow tests itself with moto, so its constraints name the moto of its release, which may be too old.
RUN grep -vE '^(moto|py-partiql-parser)==' "${HOME}/constraints.txt" > /tmp/constraints.txt \
    && pip install --no-cache-dir --constraint /tmp/constraints.txt \
    "apache-airflow==${AIRFLOW_VERSION}" -r /tmp/local.txt

FROM local-dependencies AS image-builder
COPY --from=wheel /tmp/wheel /tmp/wheel
# The folder is made here so that a named volume mounted on it belongs to the user.
RUN pip install --no-cache-dir --no-deps /tmp/wheel/*.whl && mkdir -p /opt/airflow/state
EXPOSE 5005
ENTRYPOINT ["/usr/bin/dumb-init", "--", "python", "-m", "airflow_imagebuilder.local"]
CMD ["--host", "0.0.0.0", "--port", "5005"]

FROM dependencies AS airflow
COPY --from=wheel /tmp/wheel /tmp/wheel
RUN pip install --no-cache-dir --no-deps /tmp/wheel/*.whl && mkdir -p /opt/airflow/logs /opt/airflow/auth
