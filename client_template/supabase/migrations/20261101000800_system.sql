-- Automation entry points and onboarding.

create table n8n_webhooks (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    webhook_type text not null check (webhook_type ~ '^[a-z][a-z0-9-]{1,59}$'),
    webhook_url text not null check (webhook_url ~ '^https?://'),
    workflow_id text,
    token_sealed bytea,
    is_active boolean not null default true,
    last_called_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, webhook_type)
);
comment on table n8n_webhooks is 'The client''s own entry points. The token is sealed and never readable through the API.';
select app.keep_updated_at('n8n_webhooks');

create table onboarding_steps (
    step text primary key check (step ~ '^[a-z_]{2,60}$'),
    position smallint not null,
    title text not null,
    description text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table onboarding_steps is 'The steps that every new client goes through. Filled by the seed.';
select app.keep_updated_at('onboarding_steps');

create table onboarding_checklist (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    step text not null references onboarding_steps (step) on delete restrict,
    completed boolean not null default false,
    completed_at timestamptz,
    completed_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, step),
    check (completed = (completed_at is not null))
);
comment on table onboarding_checklist is 'How far this client has come.';
create index onboarding_checklist_step on onboarding_checklist (step);
create index onboarding_checklist_completed_by on onboarding_checklist (completed_by);
select app.keep_updated_at('onboarding_checklist');

create function app.begin_onboarding() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_table_name = 'organizations' then
        insert into public.onboarding_checklist (organization_id, step)
        select new.id, s.step from public.onboarding_steps s
        on conflict do nothing;
    else
        insert into public.onboarding_checklist (organization_id, step)
        select o.id, new.step from public.organizations o
        on conflict do nothing;
    end if;
    return null;
end
$$;
comment on function app.begin_onboarding() is 'Gives the organization its checklist, whether it or the steps came first.';
create trigger begin_onboarding after insert on organizations
    for each row execute function app.begin_onboarding();
create trigger begin_onboarding after insert on onboarding_steps
    for each row execute function app.begin_onboarding();

create function app.date_completion() returns trigger
language plpgsql set search_path = '' as $$
begin
    if new.completed and new.completed_at is null then
        new.completed_at := now();
        new.completed_by := coalesce(new.completed_by, app.user_id());
    elsif not new.completed then
        new.completed_at := null;
        new.completed_by := null;
    end if;
    return new;
end
$$;
comment on function app.date_completion() is 'The dashboard sets completed; when and by whom is not its to say.';
create trigger date_completion before insert or update on onboarding_checklist
    for each row execute function app.date_completion();
