-- Industry module: an estate agency's listings and viewings.

create table real_estate_listings (
    id uuid primary key default gen_random_uuid(),
    reference text not null unique check (length(reference) between 1 and 60),
    purpose text not null check (purpose in ('sale', 'rent')),
    kind text not null check (kind in ('house', 'apartment', 'townhouse', 'land', 'commercial', 'farm')),
    status text not null default 'draft'
        check (status in ('draft', 'available', 'under_offer', 'sold', 'let', 'withdrawn')),
    title text not null,
    description text not null default '',
    suburb text,
    city text,
    province text,
    price_cents bigint not null check (price_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    bedrooms smallint check (bedrooms >= 0),
    bathrooms numeric(3, 1) check (bathrooms >= 0),
    floor_area_m2 numeric(10, 2) check (floor_area_m2 > 0),
    erf_area_m2 numeric(12, 2) check (erf_area_m2 > 0),
    image_urls text[] not null default '{}',
    seller_contact_id uuid references contacts (id) on delete set null,
    agent_id uuid references users (id) on delete set null,
    mandate_expires_on date,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table real_estate_listings is 'Properties on the agency''s books.';
create index real_estate_listings_search on real_estate_listings (purpose, city, price_cents) where status = 'available';
create index real_estate_listings_seller on real_estate_listings (seller_contact_id);
create index real_estate_listings_agent on real_estate_listings (agent_id);
create index real_estate_listings_mandate on real_estate_listings (mandate_expires_on)
    where status in ('available', 'under_offer');
select app.keep_updated_at('real_estate_listings');

create table real_estate_viewings (
    id uuid primary key default gen_random_uuid(),
    listing_id uuid not null references real_estate_listings (id) on delete cascade,
    contact_id uuid not null references contacts (id) on delete cascade,
    agent_id uuid references users (id) on delete set null,
    starts_at timestamptz not null,
    status text not null default 'planned' check (status in ('planned', 'held', 'missed', 'cancelled')),
    feedback text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (listing_id, contact_id, starts_at)
);
comment on table real_estate_viewings is 'Who looks at which property, when, and what they said.';
create index real_estate_viewings_contact on real_estate_viewings (contact_id);
create index real_estate_viewings_agent on real_estate_viewings (agent_id, starts_at);
select app.keep_updated_at('real_estate_viewings');

select app.protect('real_estate_listings', '{owner,admin,editor,approver,viewer}', '{owner,admin,editor}');
select app.protect('real_estate_viewings', '{owner,admin,editor,viewer}', '{owner,admin,editor}');
