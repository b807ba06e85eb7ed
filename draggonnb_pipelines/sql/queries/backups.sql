-- Which databases are backed up, and their backups. Those whose data key was erased are not: nothing may outlive it.

-- name: organizations_to_back_up
-- Everyone with a database, whatever its standing; one that is erased has no key any more.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations
where data_key_wrapped is not null and (database_name is not null or dsn_sealed is not null)
  and status not in ('provisioning', 'closed') and (cast(:slugs as text[]) is null or slug = any(:slugs))
order by slug;

-- name: try_lock$
-- One backup or restore of a database at a time, for as long as this connection stands.
select pg_try_advisory_lock(hashtextextended(:name, 23));

-- name: unlock$
select pg_advisory_unlock(hashtextextended(:name, 23));

-- name: cut_off!
-- Who has the lock knows that nobody else is at work: what is still called running was killed.
update backups set state = 'failed', ended_at = now(), error = 'it was cut off'
where state = 'running' and organization_id is not distinct from cast(:organization_id as uuid);

-- name: begin_backup!
insert into backups (id, kind, organization_id, database_name, started_at, master_key_id, dump_key_ids)
values (:id, :kind, :organization_id, :database_name, :started_at, :master_key_id, :dump_key_ids);

-- name: finish_backup!
update backups
set state = 'done', ended_at = now(), file_name = :file_name, bytes = :bytes, sha256 = :sha256,
    tables = cast(:tables as jsonb)
where id = :id and state = 'running';

-- name: fail_backup!
update backups set state = 'failed', ended_at = now(), error = :error where id = :id and state = 'running';

-- name: adopt_backup!
-- A file that this master does not know, or saw only while it was written: after a loss the files know more.
insert into backups (id, kind, organization_id, database_name, state, started_at, ended_at, file_name, bytes, sha256,
                     master_key_id, dump_key_ids, tables)
values (:id, :kind, :organization_id, :database_name, 'done', :started_at, now(), :file_name, :bytes, :sha256,
        :master_key_id, :dump_key_ids, cast(:tables as jsonb))
on conflict (id) do update
set state = 'done', ended_at = now(), file_name = excluded.file_name, bytes = excluded.bytes, sha256 = excluded.sha256,
    master_key_id = excluded.master_key_id, dump_key_ids = excluded.dump_key_ids, tables = excluded.tables, error = null
where backups.state in ('running', 'failed');

-- name: lost_running!
-- A restored master still calls running what was under way when it was dumped.
update backups set state = 'failed', ended_at = now(), error = 'the server was lost' where state = 'running';

-- name: newest_done
-- The newest good backup of each database, or with :at the newest one not after it.
select distinct on (b.organization_id) b.id, b.kind, b.organization_id, o.slug, b.database_name, b.started_at,
       b.ended_at, b.file_name, b.bytes, b.sha256, b.master_key_id, b.tables
from backups b left join organizations o on o.id = b.organization_id
where b.state = 'done' and (cast(:at as timestamptz) is null or b.started_at <= :at)
  and (b.organization_id is null or o.data_key_wrapped is not null)
order by b.organization_id, b.started_at desc;

-- name: list_backups
select b.id, b.kind, coalesce(o.slug, 'master') as slug, b.database_name, b.state, b.started_at, b.ended_at, b.file_name,
       b.bytes, b.sha256, b.error,
       (select sum(cast(t.value ->> 'rows' as bigint)) from jsonb_each(b.tables) t)::bigint as rows
from backups b left join organizations o on o.id = b.organization_id
where cast(:slug as text) is null or o.slug = :slug or (:slug = 'master' and o.id is null)
order by b.started_at desc, slug
limit :row_limit;

-- name: files_of_all
-- Every file that should be there, with its owner; those of erased organizations too.
select b.id, b.organization_id, b.started_at, b.file_name,
       b.organization_id is not null and o.data_key_wrapped is null as is_erased
from backups b left join organizations o on o.id = b.organization_id
where b.state = 'done'
order by b.started_at;

-- name: expire_backups!
update backups set state = 'expired', tables = '{}' where id = any(:ids) and state = 'done';

-- name: lost_files
-- Of these backups, those whose file nobody will ask for: they were cut off, or expired. What this master does not know
-- at all is not among them: it may be another server's, and wait to be restored.
select id from backups where id = any(:ids) and state in ('failed', 'expired');

-- name: forget_old!
-- History of files that are gone: a year of it, and some days to look back.
delete from backups where state in ('failed', 'expired') and started_at < :before;

-- name: newest_of_each
-- Every database that is backed up, since when it is there (the master: since its first organization), and the moment of
-- its newest good backup.
select coalesce(o.slug, 'master') as slug, o.since, max(b.started_at) filter (where b.state = 'done') as newest
from (select id, slug, created_at as since from organizations
      where data_key_wrapped is not null and (database_name is not null or dsn_sealed is not null)
        and status not in ('provisioning', 'closed')
      union all select null, null, min(created_at) from organizations) as o
left join backups b on b.organization_id is not distinct from o.id
group by o.id, o.slug, o.since
order by 1;
