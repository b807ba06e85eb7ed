-- Figures for /api/health, from master alone and each through an index.

-- name: health_figures^
select (select count(*) from organizations where status = 'active') as active_clients,
       (select coalesce(sum(rows), 0) from asset_ledger
        where asset = 'published_posts' and day >= date_trunc('month', now() at time zone 'UTC')) as monthly_posts,
       (select count(*) from inbox where state in ('received', 'claimed')) as waiting,
       (select extract(epoch from now() - min(received_at)) from inbox
        where state in ('received', 'claimed')) as oldest_seconds,
       (select count(*) from inbox where state = 'dead') as dead;
