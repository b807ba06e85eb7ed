-- Who did what in this client's database.

create table audit_log (
    id bigint primary key check (id > 0),
    at timestamptz not null,
    actor text not null check (length(actor) between 1 and 300),
    user_id uuid,
    action text not null check (length(action) between 1 and 200),
    resource text not null check (length(resource) between 1 and 500),
    metadata jsonb not null,
    prev_hash bytea not null check (octet_length(prev_hash) = 32),
    hash bytea not null unique check (octet_length(hash) = 32)
);
comment on table audit_log is 'Append-only and hash-chained. Written by append_audit() only, proved by verify_audit().';
comment on column audit_log.user_id is 'The signed-in person, if there was one. No foreign key: the entry outlives the person''s row.';
comment on column audit_log.id is 'Place in the chain: 1, 2, 3 without gaps.';
create index audit_log_at on audit_log (at);
create index audit_log_resource on audit_log (resource, id);
create index audit_log_action on audit_log (action, id);
create index audit_log_user on audit_log (user_id, id);

create table audit_head (
    only_row boolean primary key default true check (only_row),
    last_id bigint not null,
    last_hash bytea not null
);
comment on table audit_head is 'Where the chain ends: without it, removing the newest rows would leave no trace.';
insert into audit_head (last_id, last_hash) values (0, decode(repeat('00', 32), 'hex'));

create function app.audit_hash(entry audit_log) returns bytea
language sql stable set search_path = '' as $$
    -- jsonb prints its keys in one order on every version; the time is printed in UTC whatever the session's zone.
    select sha256(entry.prev_hash || convert_to(jsonb_build_array(
        entry.id, to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), entry.actor, entry.user_id,
        entry.action, entry.resource, entry.metadata
    )::text, 'UTF8'))
$$;
comment on function app.audit_hash(audit_log) is 'sha256 of the previous hash and the canonical text of the row.';

create function append_audit(actor text, action text, resource text, metadata jsonb default '{}') returns bigint
language plpgsql security definer set search_path = '' as $$
declare
    head public.audit_head;
    entry public.audit_log;
begin
    -- One writer at a time, until its transaction ends: call it last, so that others wait briefly.
    perform pg_advisory_xact_lock(hashtextextended('draggonnb.audit_log', 0));
    select * into strict head from public.audit_head;
    entry.id := head.last_id + 1;
    entry.at := clock_timestamp();
    entry.actor := append_audit.actor;
    entry.user_id := app.user_id();
    entry.action := append_audit.action;
    entry.resource := append_audit.resource;
    entry.metadata := coalesce(append_audit.metadata, '{}');
    entry.prev_hash := head.last_hash;
    entry.hash := app.audit_hash(entry);
    insert into public.audit_log select entry.*;
    update public.audit_head set last_id = entry.id, last_hash = entry.hash;
    return entry.id;
end
$$;
comment on function append_audit(text, text, text, jsonb) is 'Adds one entry and returns its place in the chain.';

create function verify_audit() returns table (id bigint, reason text)
language sql stable security definer set search_path = '' as $$
    with chain as (
        select a.id, a.prev_hash, a.hash,
               coalesce(lag(a.id) over w, 0) as before_id,
               coalesce(lag(a.hash) over w, decode(repeat('00', 32), 'hex')) as before_hash,
               app.audit_hash(a) = a.hash as is_sound
        from public.audit_log a
        window w as (order by a.id)
    ), seen as (
        select c.*, c.id <> c.before_id + 1 as is_gap, c.prev_hash <> c.before_hash as is_cut,
               c.prev_hash <> c.before_hash
                   and exists (select 1 from public.audit_log o where o.hash = c.prev_hash) as is_moved
        from chain c
    ), tail as (
        select h.last_id, h.last_hash, coalesce(newest.id, 0) as id, newest.hash
        from public.audit_head h
        left join (select a.id, a.hash from public.audit_log a order by a.id desc limit 1) newest on true
    ), broken as (
        select s.before_id + 1 as id,
               format('removed: entries %s to %s are missing', s.before_id + 1, s.id - 1) as reason
        from seen s where s.is_gap
        union all
        select s.id, 'reordered: it follows another entry than the one before it'
        from seen s where s.is_moved and not s.is_gap
        union all
        select s.id, 'altered: its contents do not match its hash'
        from seen s where not s.is_sound and (s.is_gap or not s.is_moved)
        union all
        select greatest(s.before_id, 1), 'altered: rewritten with a new hash, which the next entry does not know'
        from seen s where s.is_sound and s.is_cut and not s.is_gap and not s.is_moved
        union all
        select t.id + 1, format('removed: entries %s to %s are missing at the end', t.id + 1, t.last_id)
        from tail t where t.last_id > t.id
        union all
        select t.id, 'altered: the chain does not end where it was last written'
        from tail t where t.last_id < t.id or (t.last_id = t.id and t.hash <> t.last_hash)
    )
    select b.id, string_agg(b.reason, '; ' order by b.reason desc) from broken b group by b.id order by b.id
$$;
comment on function verify_audit() is 'The broken entries, first one first, and why. No rows: the log is as it was written.';

create function app.refuse_audit_change() returns trigger
language plpgsql set search_path = '' as $$
begin
    raise exception 'audit_log is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end
$$;
create trigger append_only before update or delete on audit_log
    for each row execute function app.refuse_audit_change();
create trigger append_only_truncate before truncate on audit_log
    for each statement execute function app.refuse_audit_change();
-- Always: a session that plays replica (restores, logical replication tools) must not get past it either.
alter table audit_log enable always trigger append_only;
alter table audit_log enable always trigger append_only_truncate;
