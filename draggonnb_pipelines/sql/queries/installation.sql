-- What an operator sees of the whole installation at the command line.

-- name: tenant_overview
-- Every organization, and how many of its deliveries wait; through the inbox's index of open rows.
with waiting as (
    select organization_id, count(*) as rows from inbox
    where state in ('received', 'claimed') group by organization_id
)
select o.slug, o.name, o.status, o.plan_key, coalesce(w.rows, 0) as waiting, o.database_name,
       o.dsn_sealed is not null and o.database_name is null as has_own_server,
       o.server, o.held_since, o.created_at
from organizations o left join waiting w on w.organization_id = o.id
order by o.slug;

-- name: tenant_details^
select o.name, o.status, o.plan_key, o.timezone, o.locale, o.currency, o.database_name,
       o.dsn_sealed is not null and o.database_name is null as has_own_server,
       o.server, o.held_since, o.created_at,
       (select count(*) from inbox where organization_id = o.id and state in ('received', 'claimed')) as waiting,
       (select count(*) from inbox where organization_id = o.id and state = 'dead') as dead,
       (select max(received_at) from inbox where organization_id = o.id) as last_delivery_at,
       (select concat_ws(': ', p.state || coalesce(' at ' || p.last_step, ''), p.last_error)
        from provisionings p where p.organization_id = o.id) as set_up
from organizations o where o.slug = :slug;

-- name: tenant_databases
-- Tenants with a database on one of our servers.
select o.id, o.slug, o.name, o.status, o.timezone, o.locale, o.database_name, o.dsn_sealed, o.data_key_wrapped
from organizations o
where o.database_name is not null and o.status <> 'closed'
order by o.slug;

-- name: count_own_servers$
select count(*) from organizations where dsn_sealed is not null and database_name is null and status <> 'closed';

-- name: organizations_with_keys
-- Everyone whose database can be opened.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations
where data_key_wrapped is not null and (database_name is not null or dsn_sealed is not null)
  and status not in ('provisioning', 'closed')
order by slug;

-- name: sample_keys
-- Some wrapped data keys, the oldest and the newest among them: older ones may need a retired master key.
(select id, slug, data_key_wrapped from organizations where data_key_wrapped is not null
 order by created_at limit :row_limit)
union
(select id, slug, data_key_wrapped from organizations where data_key_wrapped is not null
 order by created_at desc limit :row_limit);

-- name: verify_audit
select id, reason from verify_audit();

-- name: audit_length$
select count(*) from audit_log;

-- name: server_facts^
select current_setting('server_version_num')::int / 10000 as major, current_setting('server_version') as version,
       current_setting('max_connections')::int as max_connections,
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       clock_timestamp() as clock;

-- name: tenant_templates
select datname from pg_database where starts_with(datname, :prefix) order by datname;

-- name: applied_versions
select version from supabase_migrations.schema_migrations;
