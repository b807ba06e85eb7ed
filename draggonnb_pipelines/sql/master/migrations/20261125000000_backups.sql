-- What was backed up, when, and what it held. The files are beside the database, not in it.

create table backups (
    id uuid primary key,
    kind text not null check (kind in ('master', 'tenant')),
    organization_id uuid references organizations (id) on delete restrict,
    database_name text not null check (length(database_name) between 1 and 100),
    state text not null default 'running' check (state in ('running', 'done', 'failed', 'expired')),
    started_at timestamptz not null,
    ended_at timestamptz,
    file_name text unique check (length(file_name) between 1 and 200),
    bytes bigint check (bytes >= 0),
    sha256 bytea check (octet_length(sha256) = 32),
    master_key_id text,
    tables jsonb check (jsonb_typeof(tables) = 'object'),
    error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((kind = 'master') = (organization_id is null)),
    check ((state = 'running') = (ended_at is null)),
    check (state not in ('done', 'expired')
           or (file_name is not null and bytes is not null and sha256 is not null and tables is not null))
);
comment on table backups is 'Each backup of a database: taken, failed, or expired and its file deleted. Files tell it again after a loss.';
comment on column backups.started_at is 'The moment of the snapshot, or a little before: what came later is not in the file.';
comment on column backups.master_key_id is 'The newest master key when it was taken. Without the keys of that time the file opens to nobody.';
comment on column backups.tables is 'Rows and checksum of each table in the snapshot: {"public.leads": {"rows": 3, "checksum": "..."}}.';
create unique index backups_running on backups (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'))
    where state = 'running';
create index backups_organization on backups (organization_id, started_at);
select app.keep_updated_at('backups');
