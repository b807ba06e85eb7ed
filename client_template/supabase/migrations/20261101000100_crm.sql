-- Contacts, leads and what became of them.

create table contacts (
    id uuid primary key default gen_random_uuid(),
    name text,
    email text check (length(email) <= 320),
    email_normalized text check (length(email_normalized) <= 320),
    phone_e164 text check (phone_e164 ~ '^\+[1-9][0-9]{6,14}$'),
    company text,
    website text,
    lead_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table contacts is 'People who wrote to the organization, one row each however often and wherever they write.';
comment on column contacts.lead_id is 'The first lead of this person.';
create unique index contacts_email on contacts (email_normalized) where email_normalized is not null;
create unique index contacts_phone on contacts (phone_e164) where phone_e164 is not null;
create index contacts_lead on contacts (lead_id);
select app.keep_updated_at('contacts');

create table leads (
    id uuid primary key default gen_random_uuid(),
    contact_id uuid not null references contacts (id) on delete cascade,
    source text not null check (length(source) between 1 and 100),
    status text not null default 'new'
        check (status in ('new', 'analysed', 'proposed', 'needs_review', 'contacted', 'won', 'lost')),
    assigned_to uuid references users (id) on delete set null,
    company_name text,
    website text,
    message text,
    qualification_data jsonb not null default '{}' check (jsonb_typeof(qualification_data) = 'object'),
    received_at timestamptz not null,
    received_on date not null generated always as ((received_at at time zone 'UTC')::date) stored,
    rule_score integer check (rule_score between 0 and 100),
    rule_score_reasons jsonb not null default '[]' check (jsonb_typeof(rule_score_reasons) = 'array'),
    model_score integer check (model_score between 0 and 100),
    model_score_reasons jsonb not null default '[]' check (jsonb_typeof(model_score_reasons) = 'array'),
    review_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (status <> 'needs_review' or review_reason is not null)
);
comment on table leads is 'One interest of one contact, from its first message until it is won or lost.';
comment on column leads.received_on is 'The UTC day: the partition that the lead belongs to.';
create unique index leads_one_open on leads (contact_id) where status not in ('won', 'lost');
create index leads_contact on leads (contact_id);
create index leads_assigned_to on leads (assigned_to);
create index leads_received_on on leads (received_on, id);
create index leads_status on leads (status, received_at desc);
select app.keep_updated_at('leads');

-- Deleting the first lead leaves the contact.
alter table contacts add constraint contacts_lead_id_fkey foreign key (lead_id) references leads (id) on delete set null;

create table lead_events (
    id uuid primary key default gen_random_uuid(),
    lead_id uuid not null references leads (id) on delete cascade,
    source text not null,
    delivery_id text not null,
    inbox_id uuid unique,
    occurred_at timestamptz not null,
    payload jsonb not null default '{}',
    created_at timestamptz not null default now(),
    unique (source, delivery_id)
);
comment on table lead_events is 'Every delivery that led to a lead or was merged into one: the lineage of a merge.';
create index lead_events_lead on lead_events (lead_id, occurred_at);

create table consents (
    id uuid primary key default gen_random_uuid(),
    contact_id uuid not null references contacts (id) on delete cascade,
    purpose text not null check (purpose in ('contact', 'marketing')),
    granted boolean not null,
    wording text not null,
    source text not null,
    recorded_at timestamptz not null default now(),
    inbox_id uuid,
    unique (contact_id, purpose, inbox_id)
);
comment on table consents is 'What a person agreed to or withdrew, in which words, where and when (POPIA). The newest row counts.';
create index consents_current on consents (contact_id, purpose, recorded_at desc);

create table deals (
    id uuid primary key default gen_random_uuid(),
    contact_id uuid not null references contacts (id) on delete restrict,
    lead_id uuid references leads (id) on delete set null,
    title text not null check (length(title) between 1 and 200),
    value_cents bigint not null default 0 check (value_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    stage text not null default 'qualified'
        check (stage in ('qualified', 'proposal', 'negotiation', 'won', 'lost')),
    probability integer not null default 10 check (probability between 0 and 100),
    owner_id uuid references users (id) on delete set null,
    expected_close_on date,
    closed_at timestamptz,
    lost_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((stage in ('won', 'lost')) = (closed_at is not null))
);
comment on table deals is 'Business under negotiation. Keeps its contact: a person with deals is erased by anonymising.';
create index deals_contact on deals (contact_id);
create index deals_lead on deals (lead_id);
create index deals_owner on deals (owner_id);
create index deals_open on deals (stage, expected_close_on) where stage not in ('won', 'lost');
select app.keep_updated_at('deals');

create table activities (
    id uuid primary key default gen_random_uuid(),
    type text not null check (type in ('call', 'email', 'meeting', 'whatsapp', 'note', 'task')),
    contact_id uuid not null references contacts (id) on delete cascade,
    lead_id uuid references leads (id) on delete set null,
    deal_id uuid references deals (id) on delete set null,
    user_id uuid references users (id) on delete set null,
    notes text,
    due_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table activities is 'What was done, or is to be done, with a contact.';
create index activities_contact on activities (contact_id, created_at desc);
create index activities_lead on activities (lead_id);
create index activities_deal on activities (deal_id);
create index activities_user on activities (user_id);
create index activities_due on activities (due_at) where completed_at is null;
select app.keep_updated_at('activities');

create table client_custom_fields (
    id uuid primary key default gen_random_uuid(),
    entity text not null
        check (entity in ('organization', 'contact', 'lead', 'deal', 'activity', 'social_post')),
    entity_id uuid not null,
    data jsonb not null default '{}' check (jsonb_typeof(data) = 'object'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (entity, entity_id)
);
comment on table client_custom_fields is 'What this client wants to keep beside our columns, one object per row of theirs.';
create index client_custom_fields_data on client_custom_fields using gin (data jsonb_path_ops);
select app.keep_updated_at('client_custom_fields');
