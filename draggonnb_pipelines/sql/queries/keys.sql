-- Keys: who works with which. What counts and reseals names its columns from `workflows/operations/sealed_columns.py`.

-- name: key_holders
-- Other sessions in this database that say with which keys they work (`Vault.session_name`).
select application_name as name, count(*) as sessions
from pg_stat_activity
where datname = current_database() and starts_with(application_name, :prefix) and pid <> pg_backend_pid()
group by 1 order by 1;

-- name: backups_by_key
-- Of the master database alone: a client's file opens with its data key, which the newest master backup holds too.
select master_key_id as key_id, count(*) as rows from backups
where kind = 'master' and state = 'done' and master_key_id is not null group by 1;
