-- What we found out about a lead, what Claude made of it, and what was offered.

create table company_profiles (
    id uuid primary key default gen_random_uuid(),
    lead_id uuid not null references leads (id) on delete cascade,
    version integer not null check (version >= 1),
    website text,
    status text not null check (
        status in ('ok', 'no_website', 'unreachable', 'refused', 'robots_disallowed', 'too_large', 'not_html', 'error')
    ),
    company_name text,
    sector text,
    size_hint text,
    facts jsonb not null default '{}',
    findings jsonb not null default '[]' check (jsonb_typeof(findings) = 'array'),
    pages integer not null default 0 check (pages >= 0),
    fetched_at timestamptz not null,
    created_at timestamptz not null default now(),
    unique (lead_id, version)
);
comment on table company_profiles is 'What a company''s own site says. A refusal or an unreachable site is a status, never an empty profile.';

create table evidence (
    id uuid primary key default gen_random_uuid(),
    lead_id uuid not null references leads (id) on delete cascade,
    subject text not null default 'company' check (subject in ('company', 'competitor')),
    url text not null check (octet_length(url) between 1 and 2000),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    title text,
    text text not null,
    http_status integer,
    fetched_at timestamptz not null,
    created_at timestamptz not null default now(),
    unique (lead_id, url, sha256)
);
comment on table evidence is 'The texts that claims quote, as they were when fetched.';
comment on column evidence.subject is 'Whom the page is about: the company itself, or the search for its competitors.';

create table ai_generation_log (
    id uuid primary key default gen_random_uuid(),
    request_hash text not null check (request_hash ~ '^[0-9a-f]{64}$'),
    attempt integer not null default 1 check (attempt >= 1),
    usable boolean not null,
    purpose text not null,
    prompt_name text not null,
    prompt_hash text not null,
    model text not null,
    prompt jsonb not null,
    output jsonb,
    stop_reason text,
    tokens_used integer not null generated always as (
        input_tokens + output_tokens + cache_creation_tokens + cache_read_tokens
    ) stored,
    input_tokens integer not null default 0 check (input_tokens >= 0),
    output_tokens integer not null default 0 check (output_tokens >= 0),
    cache_creation_tokens integer not null default 0 check (cache_creation_tokens >= 0),
    cache_read_tokens integer not null default 0 check (cache_read_tokens >= 0),
    web_searches integer not null default 0 check (web_searches >= 0),
    cost_usd numeric(12, 6) not null default 0 check (cost_usd >= 0),
    cost_zar numeric(12, 4) not null default 0 check (cost_zar >= 0),
    vendor_request_id text,
    message_batch_id uuid,
    lead_id uuid references leads (id) on delete set null,
    created_at timestamptz not null default now(),
    unique (request_hash, attempt)
);
comment on table ai_generation_log is 'Every answer of Claude, with what it cost, stored before anything acts on it. A replay reads it and costs nothing.';
comment on column ai_generation_log.message_batch_id is 'Row of message_batches in the master database.';
create unique index ai_generation_log_usable on ai_generation_log (request_hash) where usable;
create index ai_generation_log_lead on ai_generation_log (lead_id);
create index ai_generation_log_created_at on ai_generation_log (created_at);
create index ai_generation_log_batch on ai_generation_log (message_batch_id) where message_batch_id is not null;

create table lead_analyses (
    id uuid primary key default gen_random_uuid(),
    lead_id uuid not null references leads (id) on delete cascade,
    kind text not null check (kind in ('competitors', 'business')),
    version integer not null check (version >= 1),
    prompt_hash text not null,
    model text not null,
    request_hash text not null,
    generation_id uuid references ai_generation_log (id) on delete set null,
    content jsonb not null check (jsonb_typeof(content) = 'object'),
    claims_total integer not null default 0 check (claims_total >= 0),
    claims_unsupported integer not null default 0 check (claims_unsupported >= 0),
    created_at timestamptz not null default now(),
    unique (lead_id, kind, version),
    check (claims_unsupported <= claims_total),
    constraint lead_analyses_three_quick_wins check (
        kind <> 'business' or coalesce(
            case when jsonb_typeof(content -> 'quick_wins') = 'array'
                then jsonb_array_length(content -> 'quick_wins') = 3 end, false)
    )
);
comment on table lead_analyses is 'Analyses of a lead, every claim checked against the evidence. A business analysis has exactly three quick wins.';
create index lead_analyses_generation on lead_analyses (generation_id);
create index lead_analyses_created_at on lead_analyses (kind, created_at);

create table proposals (
    id uuid primary key default gen_random_uuid(),
    lead_id uuid not null references leads (id) on delete cascade,
    analysis_id uuid references lead_analyses (id) on delete set null,
    version integer not null check (version >= 1),
    prompt_hash text not null,
    request_hash text not null,
    title text not null,
    content jsonb not null check (jsonb_typeof(content) = 'object'),
    html text not null,
    html_sha256 text not null check (html_sha256 ~ '^[0-9a-f]{64}$'),
    plan_key text,
    status text not null default 'draft' check (status in ('draft', 'sent', 'accepted', 'superseded')),
    accepted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (lead_id, version),
    check (status <> 'accepted' or accepted_at is not null)
);
comment on table proposals is 'What was offered to a lead: the page exactly as it was shown, and its hash.';
create index proposals_analysis on proposals (analysis_id);
create unique index proposals_one_accepted on proposals (lead_id) where status = 'accepted';
select app.keep_updated_at('proposals');
