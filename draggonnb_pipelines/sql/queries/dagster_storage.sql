-- Of Dagster's own database, read without Dagster. Its timestamps have no zone and depend on the zone of the session
-- that wrote them, so the seconds in its bodies count.

-- name: heartbeats
select daemon_type, extract(epoch from now())::float8 - (body::jsonb ->> 'timestamp')::float8 as age_seconds
from daemon_heartbeats order by daemon_type;

-- name: instigators
-- What is switched on, with its newest good tick; through the index of ticks by selector and time.
select i.instigator_body as body,
       (select (t.tick_body::jsonb ->> 'timestamp')::float8 from job_ticks t
        where t.selector_id = i.selector_id and t.status in ('SUCCESS', 'SKIPPED')
        order by t.timestamp desc limit 1) as last_good
from instigators i
where i.status <> 'STOPPED' and i.instigator_type in ('SCHEDULE', 'SENSOR');
