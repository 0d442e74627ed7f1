-- How much is planted (one row).
CREATE TEMPORARY TABLE planted AS
SELECT
    %(surplus_phones)s::bigint AS surplus_phones,
    %(states_to_normalise)s::bigint AS states_to_normalise,
    %(states_unusable)s::bigint AS states_unusable,
    %(zip_codes_to_normalise)s::bigint AS zip_codes_to_normalise,
    %(zip_codes_unusable)s::bigint AS zip_codes_unusable,
    %(entities_bytes)s::bigint AS entities_bytes
