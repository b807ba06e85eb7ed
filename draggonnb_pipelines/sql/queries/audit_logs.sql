-- Entries of the audit logs as they were hashed: sha256(prev_hash || entry) is the entry's hash.

-- name: one_moment!
-- An export shows the log and its head as they stood together.
set transaction isolation level repeatable read, read only;

-- name: master_entries
select a.id, encode(a.prev_hash, 'hex') as prev_hash, encode(a.hash, 'hex') as hash,
       jsonb_build_array(
           a.id, to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), a.actor,
           a.action, a.resource, a.metadata
       )::text as entry
from audit_log a where a.id > :after order by a.id limit :row_limit;

-- name: tenant_entries
select a.id, encode(a.prev_hash, 'hex') as prev_hash, encode(a.hash, 'hex') as hash,
       jsonb_build_array(
           a.id, to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), a.actor, a.user_id,
           a.action, a.resource, a.metadata
       )::text as entry
from audit_log a where a.id > :after order by a.id limit :row_limit;

-- name: head^
select last_id as id, encode(last_hash, 'hex') as hash from audit_head;
