-- How fast a step's chunks were done of late, by the server's clock.
SELECT sum(c.rows_read)::float8 / greatest(extract(epoch FROM pg_catalog.clock_timestamp() - min(c.began)), 0.001)::float8
           AS rows_per_second,
       sum(c.blocks)::float8 / greatest(extract(epoch FROM pg_catalog.clock_timestamp() - min(c.began)), 0.001)::float8
           AS blocks_per_second
FROM (SELECT rows_read, hi - lo AS blocks, done_at - pg_catalog.make_interval(secs => coalesce(seconds, 0)) AS began
      FROM lockgate.chunks
      WHERE step_id = %(step_id)s AND state = 'done'
        AND done_at > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => 30)) c
HAVING count(*) > 0
