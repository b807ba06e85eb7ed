-- At least one row in every table of a tenant, so that an empty answer says something. The people and what belongs to
-- each of them come first and from the test (`tenant.py`); seeded are also the catalogues and the checklist.

insert into contacts (id, name, email) values
    ('c0000000-0000-4000-8000-000000000001', 'A contact', 'contact@kloof.example');
insert into leads (id, contact_id, source, received_at) values
    ('1e000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001', 'web', '2026-11-02T08:00:00Z');
insert into lead_events (lead_id, source, delivery_id, occurred_at) values
    ('1e000000-0000-4000-8000-000000000001', 'web', 'delivery-1', '2026-11-02T08:00:00Z');
insert into consents (id, contact_id, purpose, granted, wording, source) values
    ('c1000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001', 'contact', true, 'Call me', 'web');
insert into deals (contact_id, title) values ('c0000000-0000-4000-8000-000000000001', 'A deal');
insert into activities (type, contact_id) values ('note', 'c0000000-0000-4000-8000-000000000001');
insert into client_custom_fields (entity, entity_id) values ('contact', 'c0000000-0000-4000-8000-000000000001');

insert into company_profiles (lead_id, version, status, fetched_at) values
    ('1e000000-0000-4000-8000-000000000001', 1, 'ok', '2026-11-02T08:00:00Z');
insert into evidence (lead_id, url, sha256, text, fetched_at) values
    ('1e000000-0000-4000-8000-000000000001', 'https://kloof.example', repeat('a', 64), 'We roast', '2026-11-02T08:00:00Z');
insert into ai_generation_log (request_hash, usable, purpose, prompt_name, prompt_hash, model, prompt) values
    (repeat('a', 64), true, 'analysis', 'business', 'p1', 'claude', '{}');
insert into lead_analyses (lead_id, kind, version, prompt_hash, model, request_hash, content) values
    ('1e000000-0000-4000-8000-000000000001', 'competitors', 1, 'p1', 'claude', 'r1', '{}');
insert into proposals (lead_id, version, prompt_hash, request_hash, title, content, html, html_sha256) values
    ('1e000000-0000-4000-8000-000000000001', 1, 'p1', 'r1', 'An offer', '{}', '<p>An offer</p>', repeat('b', 64));

insert into social_accounts (id, platform_id, external_id, credentials) values
    ('5a000000-0000-4000-8000-000000000001', 'facebook', 'page-1', '\xdeadbeef');
insert into content_requests (id, source, delivery_id, received_at, brief, platform_ids) values
    ('c2000000-0000-4000-8000-000000000001', 'app', 'delivery-2', '2026-11-02T08:00:00Z', 'Say hello', '{facebook}');
insert into brand_rules (voice) values ('plain');
insert into posting_slots (weekday, at_local) values (1, '09:00');
insert into recurring_requests (name, request, unit, at_local) values ('Weekly', '{}', 'week', '09:00');
-- One that may still be written, one that is out.
insert into social_posts (id, content, status) values
    ('50000000-0000-4000-8000-000000000001', 'A draft', 'draft'),
    ('50000000-0000-4000-8000-000000000002', 'Fresh beans', 'published');
insert into review_decisions (post_id, content_hash, decision, reviewer, via) values
    ('50000000-0000-4000-8000-000000000002', 'h1', 'approved', 'approver@kloof.example', 'app');
insert into content_queue (id, post_id, platform_id, account_id, revision, publish_at, status, platform_post_id,
                           published_at)
values ('c3000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000002', 'facebook',
        '5a000000-0000-4000-8000-000000000001', 1, '2026-11-03T08:00:00Z', 'published', 'fb-1', '2026-11-03T08:00:00Z');
insert into publish_attempts (queue_id, attempt, step, started_at, outcome) values
    ('c3000000-0000-4000-8000-000000000001', 1, 'publish', '2026-11-03T08:00:00Z', 'published');
insert into publish_answers (queue_id, action) values ('c3000000-0000-4000-8000-000000000001', 'undo');

insert into platform_metrics (platform_id, account_id, queue_id, engagement_data) values
    ('facebook', '5a000000-0000-4000-8000-000000000001', 'c3000000-0000-4000-8000-000000000001', '{"likes": 3}');
insert into analytics_snapshots (id, period, period_start, period_end, metrics) values
    ('a0000000-0000-4000-8000-000000000001', 'week', '2026-11-02', '2026-11-09', '{}');
insert into weekly_reports (id, week_start, snapshot_id, content, html) values
    ('3e000000-0000-4000-8000-000000000001', '2026-11-02', 'a0000000-0000-4000-8000-000000000001', '{}', '<p>A week</p>');
insert into report_files (report_id, name, content_type, content) values
    ('3e000000-0000-4000-8000-000000000001', 'week.pdf', 'application/pdf', '\x25504446');

insert into usage_counters (metric, period_start, period_end) values ('posts_monthly', '2026-11-01', '2026-12-01');
insert into usage_reservations (metric, period_start, amount, key, expires_at) values
    ('posts_monthly', '2026-11-01', 1, 'posts_monthly:post:1', '2026-12-01T00:00:00Z');
insert into client_usage_metrics (metric_name, value, date) values ('posts', 1, '2026-11-03');
insert into subscription_history (subscription_id, plan, status, amount_cents, event_key) values
    ('5b000000-0000-4000-8000-000000000001', 'starter', 'active', 150000, 'itn:1');
insert into invoices (id, subscription_id, number, period_start, period_end, net_cents, vat_cents, amount_cents, status,
                      issued_at)
values ('10000000-0000-4000-8000-000000000001', '5b000000-0000-4000-8000-000000000001', 'INV-1', '2026-11-01',
        '2026-12-01', 100000, 15000, 115000, 'issued', '2026-11-01T00:00:00Z');

insert into n8n_webhooks (webhook_type, webhook_url, token_sealed) values
    ('analytics', 'https://n8n.example/a', '\xdeadbeef');
insert into notification_deliveries (event_key, recipient, channel, payload) values
    ('lead:1', 'owner@kloof.example', 'email', '{"link": "https://kloof.example/secret"}');
insert into refused_addresses (address, reason) values ('gone@kloof.example', 'no such mailbox');
insert into alerts (id, event_key, event, subject) values
    ('a1000000-0000-4000-8000-000000000001', 'account:1', 'account_blocked', 'An account is blocked');
select append_audit('system', 'test.prepared', 'organization:kloof-coffee');

insert into ecommerce_products (id, sku, name, price_cents) values
    ('ec000000-0000-4000-8000-000000000001', 'BEANS', 'Beans', 9900);
insert into ecommerce_orders (id, external_id, total_cents, placed_at) values
    ('ec000000-0000-4000-8000-000000000002', 'order-1', 9900, '2026-11-03T08:00:00Z');
insert into ecommerce_order_lines (order_id, position, name, quantity, unit_price_cents) values
    ('ec000000-0000-4000-8000-000000000002', 1, 'Beans', 1, 9900);
insert into real_estate_listings (id, reference, purpose, kind, title, price_cents) values
    ('4e000000-0000-4000-8000-000000000001', 'L1', 'sale', 'house', 'A house', 100000000);
insert into real_estate_viewings (listing_id, contact_id, starts_at) values
    ('4e000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001', '2026-11-10T08:00:00Z');
