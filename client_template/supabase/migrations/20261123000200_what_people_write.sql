-- Limits on what people write through the API. The workers read it without looking twice, and one client's rows must
-- not cost the others their turn.

-- Each rule is work for machines that all clients share.
create function app.keep_few() returns trigger
language plpgsql set search_path = '' as $$
declare
    rows bigint;
begin
    execute format('select count(*) from %s', tg_relid::regclass) into rows;
    if rows > tg_argv[0]::bigint then
        raise exception '% may have % rows at most', tg_table_name, tg_argv[0] using errcode = 'check_violation';
    end if;
    return null;
end
$$;
comment on function app.keep_few() is 'Refuses rows beyond the number that the trigger names.';
create trigger keep_few after insert on posting_slots for each statement execute function app.keep_few('200');
create trigger keep_few after insert on recurring_requests for each statement execute function app.keep_few('100');

-- A template is sent with each question.
alter table content_templates add check (length(prompt_template) <= 20000);

alter table social_posts
    add check (length(title) <= 300),
    add check (length(content) <= 100000),
    add check (platform_ids <@ '{facebook,instagram,linkedin,x}' and cardinality(platform_ids) <= 4),
    add check (scheduled_for between '2000-01-01' and '2100-01-01'),
    add check (length(scheduled_local) <= 100),
    add constraint social_posts_variants_shape check (
        length(variants::text) <= 100000
        and not jsonb_path_exists(variants, '$.*.type() ? (@ != "object")')
        and not jsonb_path_exists(variants, '$.* ? (
            !(@.text.type() == "string")
            || (@.first_comment.type() != "string" && @.first_comment.type() != "null")
            || @.thread.type() != "array" || @.thread.size() > 40 || exists(@.thread[*].type() ? (@ != "string")))')
    ),
    add constraint social_posts_media_shape check (
        length(media::text) <= 200000
        and not jsonb_path_exists(media, '$.size() ? (@ > 20)')
        and not jsonb_path_exists(media, '$[*].type() ? (@ != "object")')
        and not jsonb_path_exists(media, '$[*] ? (
            !(@.path.type() == "string")
            || (@.alt.type() != "string" && @.alt.type() != "null")
            || (@.content_type.type() != "string" && @.content_type.type() != "null")
            || (@.etag.type() != "string" && @.etag.type() != "null")
            || (@.size_bytes.type() != "number" && @.size_bytes.type() != "null") || @.size_bytes > 1000000000000
            || (@.width.type() != "number" && @.width.type() != "null") || @.width > 1000000
            || (@.height.type() != "number" && @.height.type() != "null") || @.height > 1000000
            || (@.duration_seconds.type() != "number" && @.duration_seconds.type() != "null")
            || @.duration_seconds > 1000000)')
    );
