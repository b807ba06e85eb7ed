-- Reservations: one conditional UPDATE decides whether there is room; the work then commits or releases.

-- name: open_period!
-- Of a new limit nothing was told yet.
insert into usage_counters (metric, period_start, period_end, limit_value)
values (:metric, :period_start, :period_end, :limit_value)
on conflict (metric, period_start) do update set limit_value = excluded.limit_value, alerted_percent = 0
where usage_counters.limit_value is distinct from excluded.limit_value;

-- name: release_expired!
-- What a killed holder left.
with expired as (
    update usage_reservations set state = 'released'
    where state = 'held' and metric = :metric and expires_at < :now
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

-- name: period_spend
-- What was used, and the most that one piece of work has held; no row where nothing was asked for.
select c.used, coalesce(max(r.amount), 0) as largest
from usage_counters c left join usage_reservations r using (metric, period_start)
where c.metric = :metric and c.period_start = :period_start
group by c.used;

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

-- name: lock_metric!
-- All who reserve, commit or release by key take turns, so that each sees what the one before left.
select pg_advisory_xact_lock(hashtextextended(:metric, 14));

-- name: plan_limit$
-- Of the master database: what the organization's plan allows on a day; null is unlimited.
select l.limit_value
from organizations o join plan_limits l on l.plan_key = o.plan_key
where o.id = :organization_id and l.metric = :metric and l.effective_from <= :day
order by l.effective_from desc limit 1;

-- name: reserve_keys
-- The keys that have a place: those that had one, and new ones in the order of asking, as many as there is room for.
with asked as (
    select a.key, a.position, r.state
    from unnest(cast(:keys as text[])) with ordinality as a (key, position)
    left join usage_reservations r on r.key = a.key
), fresh as (
    select key, row_number() over (order by position) as place from asked where state is null or state = 'released'
), room as (
    update usage_counters c set reserved = c.reserved + free.places
    from (
        select least((select count(*) from fresh), limit_value - used - reserved) as places
        from usage_counters where metric = :metric and period_start = :period_start
    ) free
    where c.metric = :metric and c.period_start = :period_start and free.places > 0
      and (c.limit_value is null or c.used + c.reserved + free.places <= c.limit_value)
    returning free.places
), kept as (
    update usage_reservations set expires_at = greatest(expires_at, :expires_at)
    where state = 'held' and key in (select key from asked where state = 'held')
), made as (
    insert into usage_reservations (metric, period_start, amount, key, state, expires_at)
    select :metric, :period_start, 1, key, 'held', :expires_at from fresh join room on fresh.place <= room.places
    on conflict (key) do update
    set state = 'held', period_start = excluded.period_start, expires_at = excluded.expires_at
    returning key
)
select key from asked where state in ('held', 'committed') union all select key from made;

-- name: period_taken$
select used + reserved from usage_counters where metric = :metric and period_start = :period_start;

-- name: commit_keys!
-- Held becomes used. Work that outlived its reservation is still counted; what is committed stays so.
with settled as (
    update usage_reservations r set state = 'committed'
    from usage_reservations old
    where r.key = any(:keys) and old.id = r.id and old.state in ('held', 'released')
    returning r.metric, r.period_start, r.amount, old.state as state_before
)
update usage_counters c set reserved = c.reserved - s.held, used = c.used + s.used
from (
    select metric, period_start, sum(amount) as used,
           coalesce(sum(amount) filter (where state_before = 'held'), 0) as held
    from settled group by 1, 2
) s
where c.metric = s.metric and c.period_start = s.period_start;

-- name: release_keys!
with settled as (
    update usage_reservations r set state = 'released'
    from usage_reservations old
    where r.key = any(:keys) and old.id = r.id and old.state = any(:states)
    returning r.metric, r.period_start, r.amount, old.state as state_before
)
update usage_counters c set reserved = c.reserved - s.held, used = c.used - s.used
from (
    select metric, period_start, coalesce(sum(amount) filter (where state_before = 'held'), 0) as held,
           coalesce(sum(amount) filter (where state_before = 'committed'), 0) as used
    from settled group by 1, 2
) s
where c.metric = s.metric and c.period_start = s.period_start;
