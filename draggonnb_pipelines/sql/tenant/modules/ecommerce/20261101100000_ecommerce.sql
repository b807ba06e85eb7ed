-- Industry module: a shop's catalogue and orders, so that posts and leads can refer to them.

create table ecommerce_products (
    id uuid primary key default gen_random_uuid(),
    external_id text unique,
    sku text not null unique check (length(sku) between 1 and 100),
    name text not null check (length(name) between 1 and 300),
    description text not null default '',
    price_cents bigint not null check (price_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    stock integer check (stock >= 0),
    url text,
    image_urls text[] not null default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ecommerce_products is 'What the shop sells. Stock null: not counted.';
create index ecommerce_products_active on ecommerce_products (name) where is_active;
select app.keep_updated_at('ecommerce_products');

create table ecommerce_orders (
    id uuid primary key default gen_random_uuid(),
    external_id text not null unique,
    contact_id uuid references contacts (id) on delete set null,
    status text not null default 'placed'
        check (status in ('placed', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded')),
    total_cents bigint not null check (total_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    source_post_id uuid references social_posts (id) on delete set null,
    placed_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ecommerce_orders is 'Orders as the shop reports them; source_post_id where a post led to one.';
create index ecommerce_orders_contact on ecommerce_orders (contact_id);
create index ecommerce_orders_source_post on ecommerce_orders (source_post_id);
create index ecommerce_orders_placed_at on ecommerce_orders (placed_at);
select app.keep_updated_at('ecommerce_orders');

create table ecommerce_order_lines (
    id uuid primary key default gen_random_uuid(),
    order_id uuid not null references ecommerce_orders (id) on delete cascade,
    product_id uuid references ecommerce_products (id) on delete restrict,
    position smallint not null check (position >= 1),
    name text not null,
    quantity integer not null check (quantity > 0),
    unit_price_cents bigint not null check (unit_price_cents >= 0),
    unique (order_id, position)
);
comment on table ecommerce_order_lines is 'The lines of an order, with name and price as they were then.';
create index ecommerce_order_lines_product on ecommerce_order_lines (product_id);

select app.protect('ecommerce_products', '{owner,admin,editor,approver,viewer}', '{owner,admin,editor}');
select app.protect('ecommerce_orders', '{owner,admin,editor,viewer}');
select app.protect('ecommerce_order_lines', '{owner,admin,editor,viewer}');
