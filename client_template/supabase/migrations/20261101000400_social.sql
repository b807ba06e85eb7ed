-- Networks, accounts, templates and posts.

create table social_platforms (
    id text primary key check (id ~ '^[a-z]{1,30}$'),
    name text not null unique,
    api_config jsonb not null default '{}' check (jsonb_typeof(api_config) = 'object'),
    is_enabled boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table social_platforms is 'The networks we publish to, with the limits that a post must keep. Filled by the seed.';
select app.keep_updated_at('social_platforms');

create table social_accounts (
    id uuid primary key default gen_random_uuid(),
    platform_id text not null references social_platforms (id) on delete restrict,
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    external_id text not null check (length(external_id) between 1 and 200),
    handle text,
    display_name text,
    credentials bytea,
    credentials_version integer not null default 0 check (credentials_version >= 0),
    scopes text[] not null default '{}',
    expires_at timestamptz,
    status text not null default 'connected'
        check (status in ('connected', 'reconnect_needed', 'permission_missing', 'blocked', 'disconnected')),
    status_reason text,
    paused_until timestamptz,
    rate_limit jsonb not null default '{}',
    lease_until timestamptz,
    connected_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (platform_id, external_id),
    check (status <> 'connected' or credentials is not null)
);
comment on table social_accounts is 'Connected accounts. The credentials are sealed with the client''s key and never readable through the API.';
comment on column social_accounts.credentials_version is 'Compare-and-set for token refreshes: single-use refresh tokens must not be overwritten by a slower writer.';
comment on column social_accounts.lease_until is 'Held by whoever refreshes the token.';
create index social_accounts_organization on social_accounts (organization_id);
create index social_accounts_connected_by on social_accounts (connected_by);
create index social_accounts_expiry on social_accounts (expires_at) where status = 'connected';
select app.keep_updated_at('social_accounts');

create table content_templates (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (length(name) between 1 and 120),
    description text not null default '',
    prompt_template text not null,
    platform_config jsonb not null default '{}' check (jsonb_typeof(platform_config) = 'object'),
    is_default boolean not null default false,
    is_archived boolean not null default false,
    created_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table content_templates is 'What Claude is asked for, per kind of post, with the client''s own voice.';
create index content_templates_created_by on content_templates (created_by);
select app.keep_updated_at('content_templates');

create table social_posts (
    id uuid primary key default gen_random_uuid(),
    title text,
    content text not null,
    variants jsonb not null default '{}' check (jsonb_typeof(variants) = 'object'),
    media jsonb not null default '[]' check (jsonb_typeof(media) = 'array'),
    platform_ids text[] not null default '{}',
    status text not null default 'draft' check (
        status in ('draft', 'in_review', 'changes_requested', 'approved', 'scheduled', 'published', 'partly_published',
                   'failed', 'archived')
    ),
    scheduled_for timestamptz,
    scheduled_local text,
    revision integer not null default 1 check (revision >= 1),
    content_hash text not null,
    approved_hash text,
    approved_by uuid references users (id) on delete set null,
    approved_at timestamptz,
    template_id uuid references content_templates (id) on delete set null,
    generation_id uuid references ai_generation_log (id) on delete set null,
    request_key text unique,
    created_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (approved_hash = content_hash),
    check (status <> 'approved' or approved_hash is not null),
    check ((approved_hash is null) = (approved_at is null))
);
comment on table social_posts is 'What is to be said. Approval is bound to the hash of the content: an edit takes it back.';
comment on column social_posts.variants is 'Text per platform or account where it differs from content.';
comment on column social_posts.scheduled_local is 'Wall time and zone as the person chose them; scheduled_for is what they resolved to.';
create index social_posts_status on social_posts (status, scheduled_for);
create index social_posts_approved_by on social_posts (approved_by);
create index social_posts_template on social_posts (template_id);
create index social_posts_generation on social_posts (generation_id);
create index social_posts_created_by on social_posts (created_by);
select app.keep_updated_at('social_posts');

create function app.hash_social_post() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.content_hash := encode(sha256(convert_to(
        jsonb_build_array(new.content, new.variants, new.media, new.platform_ids)::text, 'UTF8')), 'hex');
    if tg_op = 'UPDATE' and new.content_hash <> old.content_hash then
        new.revision := old.revision + 1;
        new.approved_hash := null;
        new.approved_by := null;
        new.approved_at := null;
        if old.status in ('approved', 'scheduled') then
            new.status := 'in_review';
        end if;
    end if;
    return new;
end
$$;
comment on function app.hash_social_post() is 'Keeps content_hash true and takes an approval back when the content changes.';
-- Named to run before touch_updated_at: triggers fire in alphabetical order.
create trigger hash_content before insert or update on social_posts
    for each row execute function app.hash_social_post();
