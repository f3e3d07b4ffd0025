# Stand-in for redis: user redis, folder /data, redis-server and redis-cli.
FROM imagebuilder-standin/debian
RUN mkdir -p /data && chown redis:redis /data
VOLUME /data
WORKDIR /data
EXPOSE 6379
CMD ["redis-server"]
