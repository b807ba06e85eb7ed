-- Figures for /api/health and /metrics, each through an index.

-- name: health_figures^
-- Of master alone.
select (select count(*) from organizations where status = 'active') as active_clients,
       (select coalesce(sum(rows), 0) from asset_ledger
        where asset = 'published_posts' and day >= date_trunc('month', now() at time zone 'UTC')) as monthly_posts,
       (select count(*) from inbox where state in ('received', 'claimed')) as waiting,
       (select extract(epoch from now() - min(received_at)) from inbox
        where state in ('received', 'claimed')) as oldest_seconds,
       (select count(*) from inbox where state = 'dead') as dead,
       due.clients_due, due.oldest_due_seconds, clock_timestamp() as clock
from (
    select count(*) as clients_due, extract(epoch from now() - min(a.next_due_at)) as oldest_due_seconds
    from publishing_agenda a join organizations o on o.id = a.organization_id
    where a.next_due_at <= now() and o.status = 'active' and o.held_since is null
) due;

-- name: sample_tenants
-- A few active clients, others each time.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations
where status = 'active' and data_key_wrapped is not null and (database_name is not null or dsn_sealed is not null)
order by random() limit :row_limit;

-- name: outbox_figures^
-- Of one client: messages that could go out now and have not.
select count(*) as waiting, extract(epoch from now() - min(greatest(created_at, not_before)))::float8 as oldest_seconds
from notification_deliveries
where status = 'pending' and not_before <= now();
