-- Keys: who works with which. What counts and reseals names its columns from `workflows/operations/sealed_columns.py`.

-- name: key_holders
-- Other sessions in this database that say with which keys they work (`Vault.session_name`).
select application_name as name, count(*) as sessions
from pg_stat_activity
where datname = current_database() and starts_with(application_name, :prefix) and pid <> pg_backend_pid()
group by 1 order by 1;

-- name: backups_by_key
-- Of the master database alone: a client's file opens with its data key, which the newest master backup holds too.
-- A dump that was taken before the end of a rotation needs several keys, and counts for each.
select k.id as key_id, count(distinct b.id) as rows
from backups b, unnest(b.dump_key_ids || b.master_key_id) as k (id)
where b.kind = 'master' and b.state = 'done' and k.id is not null group by 1;

-- name: last_key_number$
-- The highest number that a key of the key file ever had, by the log of additions.
select max(cast(substring(resource from '^key:k([0-9]{1,9})$') as integer)) from audit_log where action = 'keys.added';
