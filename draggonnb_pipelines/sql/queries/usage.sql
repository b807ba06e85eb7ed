-- Reservations: one conditional UPDATE decides whether there is room; the work then commits or releases.

-- name: open_period!
insert into usage_counters (metric, period_start, period_end, limit_value)
values (:metric, :period_start, :period_end, :limit_value)
on conflict (metric, period_start) do update set limit_value = excluded.limit_value
where usage_counters.limit_value is distinct from excluded.limit_value;

-- name: release_expired!
with expired as (
    update usage_reservations set state = 'released'
    where state = 'held' and expires_at < now()
    returning metric, period_start, amount
)
update usage_counters c set reserved = c.reserved - e.amount
from (select metric, period_start, sum(amount) as amount from expired group by 1, 2) e
where c.metric = e.metric and c.period_start = e.period_start;

-- name: lock_reservation!
select pg_advisory_xact_lock(hashtextextended(:key, 13));

-- name: reserve$
-- The reservation's id, or nothing where the limit leaves no room. A key that holds a reservation keeps that one.
with held as (
    select id from usage_reservations where key = :key and state = 'held'
), room as (
    update usage_counters set reserved = reserved + :amount
    where metric = :metric and period_start = :period_start and not exists (select from held)
      and (limit_value is null or used + reserved + :amount <= limit_value)
    returning metric, period_start
), made as (
    insert into usage_reservations (metric, period_start, amount, key, state, expires_at)
    select metric, period_start, :amount, :key, 'held', now() + make_interval(secs => :lease_seconds) from room
    on conflict (key) do update
    set state = 'held', amount = excluded.amount, period_start = excluded.period_start,
        expires_at = excluded.expires_at
    returning id
)
select id from held union all select id from made;

-- name: period_use$
select used from usage_counters where metric = :metric and period_start = :period_start;

-- name: commit_reservation!
-- What was held becomes what was used (0 releases it). Work that outlived its lease is still counted.
with old as (
    select id, metric, period_start, case when state = 'held' then amount else 0 end as held
    from usage_reservations
    where id = :id and state in ('held', 'released')
    for update
), settled as (
    update usage_reservations r set state = case when :used > 0 then 'committed' else 'released' end
    from old where r.id = old.id
)
update usage_counters c set reserved = c.reserved - old.held, used = c.used + :used
from old
where c.metric = old.metric and c.period_start = old.period_start;
