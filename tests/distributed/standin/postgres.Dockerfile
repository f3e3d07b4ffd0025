# Stand-in for postgres: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, PGDATA, docker-entrypoint.sh.
FROM imagebuilder-standin/debian
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
RUN mkdir -p /var/lib/postgresql/data /run/postgresql \
    && chown -R postgres:postgres /var/lib/postgresql /run/postgresql \
    && chmod 1777 /var/lib/postgresql/data && chmod 2777 /run/postgresql
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 5432
CMD ["postgres"]
