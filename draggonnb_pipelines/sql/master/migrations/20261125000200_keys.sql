-- Which key a sealed value rests on, so that a rotation finds what is left and a key is dropped only when nothing is.

create function app.sealing_key(sealed bytea) returns text
language sql immutable strict set search_path = '' as $$
    -- version (1) | length of key id (1) | key id | nonce (12) | ciphertext and tag (16 at least)
    select case
        when octet_length(sealed) > 30 and get_byte(sealed, 0) = 1
            then encode(substring(sealed from 3 for get_byte(sealed, 1)), 'escape')
        else '?'
    end
$$;
comment on function app.sealing_key(bytea) is 'The id of the key that an envelope names; ? for what is no envelope.';
