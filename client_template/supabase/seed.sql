-- The rows that every client's database starts with. Safe to run again: catalogues are brought up to date, what a
-- client may have changed is left alone.

-- Limits as the platforms publish them; adapters check a post against them before it is scheduled.
insert into social_platforms (id, name, api_config) values
    ('facebook', 'Facebook', '{"text_max": 63206, "counts": "characters", "images_max": 10, "videos_max": 1, "publishes_in": 1}'),
    ('instagram', 'Instagram', '{"text_max": 2200, "counts": "characters", "hashtags_max": 30, "media_min": 1, "carousel_max": 10, "image_types": ["image/jpeg"], "image_max_bytes": 8388608, "publishes_in": 3}'),
    ('linkedin', 'LinkedIn', '{"text_max": 3000, "counts": "characters", "images_max": 20, "videos_max": 1, "escapes": "little_text", "publishes_in": 1}'),
    ('x', 'X', '{"text_max": 280, "counts": "weighted", "url_weight": 23, "images_max": 4, "videos_max": 1, "publishes_in": 1, "price_usd_post": 0.015, "price_usd_post_with_url": 0.20}')
on conflict (id) do update set name = excluded.name, api_config = excluded.api_config;

insert into content_templates (name, description, prompt_template, platform_config, is_default) values
    ('Announcement', 'Something new: a product, a service, an opening.',
     'Announce {subject} for {organization}. Say what it is, for whom, and what to do next. Voice: {voice}. No superlatives that the facts do not carry.',
     '{"facebook": {"length": "medium"}, "instagram": {"length": "short", "hashtags": 5}, "linkedin": {"length": "medium"}, "x": {"length": "one_post"}}', true),
    ('Useful advice', 'One thing that the reader can use today.',
     'Give the readers of {organization} one piece of advice on {subject} that they can follow today, in at most five sentences. Voice: {voice}.',
     '{"facebook": {"length": "medium"}, "instagram": {"length": "medium", "hashtags": 5}, "linkedin": {"length": "long"}, "x": {"length": "one_post"}}', true),
    ('Behind the scenes', 'How the work is done.',
     'Show how {organization} works on {subject}: one concrete detail, one reason, one invitation to ask. Voice: {voice}. Invent no people and no figures.',
     '{"facebook": {"length": "medium"}, "instagram": {"length": "medium", "hashtags": 8}, "linkedin": {"length": "medium"}}', true),
    ('Customer question', 'A question that customers ask often, answered.',
     'Answer the question {subject} as {organization} would at its counter: plainly, briefly, with the next step. Voice: {voice}.',
     '{"facebook": {"length": "short"}, "linkedin": {"length": "medium"}, "x": {"length": "one_post"}}', true),
    ('Special offer', 'An offer with its terms.',
     'Present the offer {subject} of {organization}. State price in rand, dates and conditions exactly as given; add nothing to them. Voice: {voice}.',
     '{"facebook": {"length": "short"}, "instagram": {"length": "short", "hashtags": 3}, "x": {"length": "one_post"}}', true)
on conflict (name) do nothing;

insert into onboarding_steps (step, position, title, description) values
    ('sign_in', 1, 'Sign in for the first time', 'Open the invitation and choose a password.'),
    ('complete_profile', 2, 'Complete the organization', 'Logo, address, time zone and voice.'),
    ('invite_team', 3, 'Invite the team', 'Give each person a role; an approver is needed before posts go out.'),
    ('connect_accounts', 4, 'Connect the social accounts', 'Facebook, Instagram, LinkedIn and X.'),
    ('review_templates', 5, 'Read the content templates', 'Change them until they sound like you.'),
    ('first_post', 6, 'Approve the first post', 'Generate one, read it, approve it.'),
    ('lead_form', 7, 'Put the lead form on the site', 'Leads then arrive here with their analysis.'),
    ('kickoff_call', 8, 'Hold the kickoff call', 'Thirty minutes with the agency.')
on conflict (step) do update
    set position = excluded.position, title = excluded.title, description = excluded.description;
