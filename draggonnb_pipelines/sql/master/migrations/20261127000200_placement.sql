-- Which server each client's database is on, and moves from one to another. The master itself stays one.

create table database_servers (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (name ~ '^[a-z0-9](-?[a-z0-9])*$' and length(name) between 2 and 40),
    dsn_sealed bytea,
    system_id text unique,
    note text not null default '' check (length(note) <= 200),
    is_open boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((name = 'master') = (dsn_sealed is null))
);
comment on table database_servers is 'Postgres servers with databases of clients. `master` is the one that the master database is on.';
comment on column database_servers.dsn_sealed is 'How to reach it, sealed under a master key; null for the master''s own, which DRAGGONNB_MASTER_DSN names.';
comment on column database_servers.system_id is 'What Postgres calls the cluster, so that no server is here twice; null where it does not say.';
comment on column database_servers.is_open is 'Whether new clients are placed on it.';
select app.keep_updated_at('database_servers');
insert into database_servers (name, note) values ('master', 'the server of the master database');

alter table organizations
    add column server text not null default 'master' references database_servers (name) on delete restrict,
    add column held_since timestamptz;
comment on column organizations.server is 'Where database_name is; without one it says nothing.';
comment on column organizations.held_since is 'Since when its database is being moved: runs leave it out, what comes for it waits.';
comment on column organizations.database_name is 'Database on one of our servers; null where a vendor hosts it, or before it is made.';
comment on column organizations.dsn_sealed is 'With database_name: how to reach its server, where that is not the master''s. Without: where its vendor has the database.';
create index organizations_server on organizations (server);

-- Until now no row could have both.
alter table organizations drop constraint organizations_check;
alter table organizations add constraint organizations_place
    check (database_name is null or (server = 'master') = (dsn_sealed is null));

create table tenant_moves (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete restrict,
    from_server text not null references database_servers (name) on delete restrict,
    to_server text not null references database_servers (name) on delete restrict,
    database_name text not null check (length(database_name) between 1 and 63),
    state text not null default 'copying' check (state in ('copying', 'moved', 'abandoned')),
    tokens text[] not null check (cardinality(tokens) > 0),
    kept_name text,
    requested_by text not null,
    row_count bigint check (row_count >= 0),
    last_error text,
    ended_at timestamptz,
    old_dropped_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (from_server <> to_server),
    check ((state = 'copying') = (ended_at is null)),
    check ((state = 'moved') = (kept_name is not null)),
    check (old_dropped_at is null or state = 'moved')
);
comment on table tenant_moves is 'Each move of a client''s database from one server to another; at most one of a client is under way.';
comment on column tenant_moves.tokens is 'One of each attempt, in the names of what it makes. Whoever added the last one may end the move, nobody else.';
comment on column tenant_moves.kept_name is 'What the database that it left behind is called there.';
comment on column tenant_moves.old_dropped_at is 'When the database that it left behind was dropped.';
create unique index tenant_moves_open on tenant_moves (organization_id) where state = 'copying';
create index tenant_moves_organization on tenant_moves (organization_id, created_at);
create index tenant_moves_from_server on tenant_moves (from_server);
create index tenant_moves_to_server on tenant_moves (to_server);
select app.keep_updated_at('tenant_moves');
