-- Who has something to publish next, which app quotas are spent, and the links by which posts are reviewed.

create table publishing_agenda (
    organization_id uuid primary key references organizations (id) on delete restrict,
    next_due_at timestamptz not null default 'infinity',
    notes bigint not null default 0,
    failures integer not null default 0 check (failures >= 0),
    updated_at timestamptz not null default now()
);
comment on table publishing_agenda is
    'When each client''s database is to be looked into next, so that nobody has to ask a thousand of them. Written before '
    'the row that it announces; a note too many costs one look, and the quarter-hourly sweep finds what was never noted.';
comment on column publishing_agenda.notes is 'Grows with each note: a look that began before a note does not put it off.';
create index publishing_agenda_due on publishing_agenda (next_due_at) where next_due_at < 'infinity';
select app.keep_updated_at('publishing_agenda');

create table app_quotas (
    vendor text primary key check (vendor ~ '^[a-z]{1,30}$'),
    remaining integer check (remaining >= 0),
    used_percent real check (used_percent >= 0),
    resume_at timestamptz,
    stopped_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table app_quotas is
    'What all clients share at a platform: what is left of our app''s quota, until when it asks for silence, and why '
    'everything there is stopped (a version that ended, a wrong set-up) until somebody mends it.';
select app.keep_updated_at('app_quotas');

create table review_links (
    token_sha256 bytea primary key check (octet_length(token_sha256) = 32),
    organization_id uuid not null references organizations (id) on delete restrict,
    post_id uuid not null,
    content_hash text not null,
    reviewer text not null check (length(reviewer) between 3 and 320),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    viewed_at timestamptz,
    decided_at timestamptz,
    unique (organization_id, post_id, content_hash, reviewer)
);
comment on table review_links is 'Public review pages, found by the hash of their token; each is for one reviewer and exactly one content.';

drop table publisher_shards;
create table publisher_shards (
    shard smallint primary key check (shard >= 0),
    run_id text,
    requested_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table publisher_shards is 'Which run publishes for which part of the organizations: asked for, then taken by its run.';
select app.keep_updated_at('publisher_shards');
