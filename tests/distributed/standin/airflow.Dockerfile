# Stand-in for apache/airflow: user airflow (50000, group 0), packages in /home/airflow/.local, constraints in
# the home folder, dumb-init and /entrypoint. pip finds wheels in /wheels and nothing else.
FROM imagebuilder-standin/debian
ARG AIRFLOW_VERSION
ENV AIRFLOW_VERSION=${AIRFLOW_VERSION} AIRFLOW_HOME=/opt/airflow HOME=/home/airflow \
    PATH=/home/airflow/.local/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin LANG=C.UTF-8 \
    PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 50000 --gid 0 --create-home airflow \
    && mkdir -p /opt/airflow/dags /opt/airflow/logs \
    && chown -R airflow:0 /opt/airflow && chmod -R g=u /opt/airflow
COPY wheels /wheels
COPY airflow-entrypoint.sh /entrypoint
COPY providers.txt /tmp/providers.txt
RUN chmod 755 /entrypoint
USER airflow
WORKDIR /opt/airflow
RUN python3 -m venv /home/airflow/.local \
    && pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" -r /tmp/providers.txt \
    && pip freeze > /home/airflow/constraints.txt
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]
CMD []
