-- A server that is ours no more keeps its name, of which moves and organizations speak, and nothing by which to reach it.

alter table database_servers
    add column removed_at timestamptz,
    drop constraint database_servers_check,
    add constraint database_servers_dsn check ((name = 'master' or removed_at is not null) = (dsn_sealed is null)),
    add constraint database_servers_removed
        check (removed_at is null or (name <> 'master' and system_id is null and not is_open));
comment on column database_servers.removed_at is 'Since when it is ours no more.';
comment on column database_servers.dsn_sealed is 'How to reach it, sealed under a master key; null for the master''s own, which DRAGGONNB_MASTER_DSN names, and for one that is removed.';
