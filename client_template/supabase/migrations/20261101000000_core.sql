-- One client's database: the organization, its people, and what the policies ask about them.
--
-- The same files run on Supabase (as its postgres role) and on a plain Postgres that was prepared with what
-- Supabase brings along (roles, schema auth). Nothing here needs a superuser or an extension.

create schema if not exists app;
comment on schema app is 'Functions and triggers behind the tables. Not exposed by the API.';

-- Supabase gives every new table and function to everybody. Here each right is given by name instead.
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke all on functions from anon, authenticated;
alter default privileges revoke execute on functions from public;

create function app.touch_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.updated_at := now();
    return new;
end
$$;
comment on function app.touch_updated_at() is 'Keeps updated_at true whoever writes.';

create function app.keep_updated_at(target regclass) returns void
language plpgsql set search_path = '' as $$
begin
    execute format(
        'create trigger touch_updated_at before update on %s for each row execute function app.touch_updated_at()',
        target
    );
end
$$;
comment on function app.keep_updated_at(regclass) is 'Called by migrations, once for each table with updated_at.';

create table organizations (
    id uuid primary key,
    slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9])*$' and length(slug) between 2 and 40),
    name text not null check (length(name) between 1 and 200),
    subscription_tier text,
    limits jsonb not null default '{}' check (jsonb_typeof(limits) = 'object'),
    timezone text not null default 'Africa/Johannesburg',
    locale text not null default 'en-ZA',
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    requires_approval boolean not null default true,
    late_posts text not null default 'ask' check (late_posts in ('publish', 'ask', 'drop')),
    late_after_minutes integer not null default 60 check (late_after_minutes between 1 and 10080),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table organizations is 'The one organization of this database; id and slug as in the master database.';
comment on column organizations.limits is 'Copy of the plan''s limits for the dashboard. What counts is usage_counters.';
create unique index organizations_only_row on organizations ((true));
select app.keep_updated_at('organizations');

create function app.organization_id() returns uuid
language sql stable security definer set search_path = '' as $$
    select id from public.organizations
$$;
comment on function app.organization_id() is 'Default of every organization_id: there is one organization in a database.';

create table users (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    auth_user_id uuid unique,
    email text not null check (length(email) between 3 and 320),
    full_name text,
    phone_e164 text check (phone_e164 ~ '^\+[1-9][0-9]{6,14}$'),
    role text not null default 'viewer' check (role in ('owner', 'admin', 'editor', 'approver', 'viewer')),
    is_active boolean not null default true,
    notify_leads boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table users is 'The people of the organization. A session whose user is not here, or not active, sees nothing.';
comment on column users.auth_user_id is 'Id in Supabase Auth. No foreign key: an invitation precedes it, and a restore comes without schema auth.';
create unique index users_email on users (lower(email));
create index users_organization on users (organization_id);
create index users_to_notify on users (email) where notify_leads and is_active;
select app.keep_updated_at('users');

create table user_permissions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (id) on delete cascade,
    permission text not null check (permission ~ '^[a-z_]+\.[a-z_]+$'),
    resource text not null default '*',
    granted_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    unique (user_id, permission, resource)
);
comment on table user_permissions is 'Rights beyond the role, such as billing.read for an editor.';
create index user_permissions_granted_by on user_permissions (granted_by);

-- Security definer, so that policies on users may ask about users without recursion.
create function app.user_id() returns uuid
language sql stable security definer set search_path = '' as $$
    select id from public.users where auth_user_id = (select auth.uid()) and is_active
$$;
comment on function app.user_id() is 'The signed-in person, or null.';

-- Quoted, since current_role is a word of SQL's own.
create function app."current_role"() returns text
language sql stable security definer set search_path = '' as $$
    select role from public.users where auth_user_id = (select auth.uid()) and is_active
$$;
comment on function app."current_role"() is 'The role of the signed-in person, or null for a stranger.';

create function app.has_role(variadic roles text[]) returns boolean
language sql stable security definer set search_path = '' as $$
    select coalesce(app."current_role"() = any (roles), false)
$$;
comment on function app.has_role(text[]) is 'Whether the signed-in person has one of these roles.';

create function app.may(wanted text, target text default '*') returns boolean
language sql stable security definer set search_path = '' as $$
    select coalesce(app."current_role"() in ('owner', 'admin'), false) or exists (
        select 1 from public.user_permissions p
        where p.user_id = app.user_id() and p.permission = wanted and p.resource in ('*', target)
    )
$$;
comment on function app.may(text, text) is 'Whether the signed-in person has a right: owners and admins do, others by user_permissions.';
